"""Measure typing key by key, with an ideal user: what it costs, and how calm the list is.

The user types all letters of a row, one by one, then takes the first candidate if it is right;
otherwise the longest right one in the list, and goes on with what is left. Definitions are in
docs/metrics.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from yinzi.converter import Candidate, LatePolicy
from yinzi.errors import ConfigError
from yinzi.evaluation.errors import EvaluationError
from yinzi.evaluation.inputs import InputForm, typed_syllables
from yinzi.evaluation.rows import Row, read_rows

__all__ = ["KeyOptions", "KeyReport", "KeyTimes", "evaluate_keys", "evaluate_keys_files"]

_MOST_CANDIDATES = 100
_MOST_HANZI_CANDIDATES = 1000
"""Asked for when a single hanzi is looked for: more than any syllable has."""


class TypedInput(Protocol):
    """Name what is needed of an input that is typed; see `yinzi.converter.Typing`."""

    def update(self, pinyin: str, /, *, limit: int = 100) -> Sequence[Candidate]:
        """Give the candidates for the letters so far."""

    def late_update(self) -> Sequence[Candidate]:
        """Give them again with what came late."""


class KeyConverter(Protocol):
    """Name what is needed of a converter; see `yinzi.converter.Converter`."""

    def type_keys(
        self, *, left_context: str = "", late_policy: LatePolicy | None = None
    ) -> TypedInput:
        """Start an input."""

    def candidates(
        self, pinyin: str, /, *, left_context: str = "", limit: int = 100
    ) -> Sequence[Candidate]:
        """Give the candidates of an input at once."""


@dataclass(frozen=True)
class KeyOptions:
    """Choose how rows are typed; defaults are those of published figures."""

    input_form: InputForm = InputForm.UNSEGMENTED  # not SEGMENTED: a blank commits
    use_left_context: bool = False  # give the converter the text before the row
    late_policy: LatePolicy | None = None  # None: every key waits for the neural model
    page_size: int = 5  # candidates on a page, at least 1
    seed: int = 0  # of `InputForm.MIXED`

    def __post_init__(self) -> None:
        if self.page_size < 1:
            raise ConfigError(f"page_size is {self.page_size!r}; expected at least 1")
        if self.input_form is InputForm.SEGMENTED:
            raise ConfigError(
                "keys cannot be measured with blanks between syllables, as a blank takes the first "
                "candidate; choose the input form unsegmented, initials or mixed"
            )


@dataclass(frozen=True)
class KeyTimes:
    """Hold how long a key takes, in milliseconds, over `n_keys` keys."""

    n_keys: int
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def from_seconds(cls, seconds: Sequence[float]) -> KeyTimes:
        """Summarise at least one time; a percentile is a measured time, as in `Latency`.

        >>> KeyTimes.from_seconds([0.001, 0.002, 0.004]).p50_ms
        2.0
        """
        times_ms = np.asarray(seconds, dtype=np.float64) * 1e3
        p50, p90, p99 = np.percentile(times_ms, [50, 90, 99], method="inverted_cdf")
        return cls(
            len(times_ms),
            float(times_ms.mean()),
            float(p50),
            float(p90),
            float(p99),
            float(times_ms.max()),
        )

    def to_dict(self) -> dict[str, float]:
        """Give the numbers, times rounded to 0.1 µs."""
        return {name: round(value, 4) for name, value in vars(self).items()}


@dataclass
class _Tally:
    """Count what happens while rows are typed."""

    n_rows: int = 0
    n_hanzi: int = 0
    n_letters: int = 0
    n_selections: int = 0
    n_pages: int = 0
    n_errors: int = 0
    n_unreachable: int = 0
    n_first_right: int = 0
    n_one_selection: int = 0
    n_changes: int = 0
    n_stable: int = 0
    n_followed: int = 0
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    late_seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class KeyReport:
    """Hold what typing one set costs; shares are of rows or keys, 0 to 1.

    Attributes:
        name: of the set.
        input_form: how syllables were typed.
        use_left_context: the converter was told the text before each row.
        is_late: results of the neural model came late.
        n_rows: rows typed.
        n_skipped: rows left out, as they have not one syllable for each hanzi.
        n_hanzi: in all rows.
        keys_per_hanzi: letters, selections and page keys, per hanzi.
        letters_per_hanzi: letters alone, retyped ones included.
        selections_per_hanzi: selections alone.
        pages_per_hanzi: page keys alone.
        first_right: rows whose first candidate was right after the last letter.
        one_selection: rows done with one selection, wherever it stood.
        error_rows: rows with a part that no list offered; it was typed hanzi by hanzi.
        n_unreachable: hanzi that even their own syllable did not offer.
        churn: mean number of the first `page_size` places whose text a key changes.
        stability: keys that left all hanzi of the first candidate but its last one in place.
        times: wall time of each letter.
        cpu_times: processor time of each letter.
        late_times: wall time of late results, None without.
    """

    name: str
    input_form: InputForm
    use_left_context: bool
    is_late: bool
    n_rows: int
    n_skipped: int
    n_hanzi: int
    keys_per_hanzi: float
    letters_per_hanzi: float
    selections_per_hanzi: float
    pages_per_hanzi: float
    first_right: float
    one_selection: float
    error_rows: float
    n_unreachable: int
    churn: float
    stability: float
    times: KeyTimes
    cpu_times: KeyTimes
    late_times: KeyTimes | None

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        plain: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, KeyTimes):
                plain[name] = value.to_dict()
            elif isinstance(value, InputForm):
                plain[name] = value.value
            else:
                plain[name] = round(value, 5) if isinstance(value, float) else value
        return plain


def evaluate_keys(
    converter: KeyConverter,
    rows: Sequence[Row],
    options: KeyOptions | None = None,
    *,
    name: str = "rows",
    clock: Callable[[], float] = time.perf_counter,
    cpu_clock: Callable[[], float] = time.process_time,
    on_row: Callable[[], None] | None = None,
) -> KeyReport:
    """Type every row key by key and report what it costs.

    Args:
        converter: what is measured.
        rows: at least one with a syllable for each hanzi; others are left out and counted.
        options: how rows are typed.
        name: of the set.
        clock: gives seconds.
        cpu_clock: gives seconds of processor time.
        on_row: called after every row, for a progress bar.

    Raises:
        EvaluationError: no row can be typed.
    """
    options = options or KeyOptions()
    aligned = [row for row in rows if row.is_aligned]
    if not aligned:
        raise EvaluationError(
            f"none of {len(rows)} rows has one syllable for each hanzi; expected at least one"
        )
    tally = _Tally()
    user = _IdealUser(converter, options, tally, clock, cpu_clock)
    converter.type_keys(late_policy=options.late_policy).update("a")  # warm-up
    for row in aligned:
        user.type_row(row)
        if on_row is not None:
            on_row()
    n_hanzi, n_rows = tally.n_hanzi, tally.n_rows
    n_keys = tally.n_letters + tally.n_selections + tally.n_pages
    return KeyReport(
        name=name,
        input_form=options.input_form,
        use_left_context=options.use_left_context,
        is_late=options.late_policy is not None,
        n_rows=n_rows,
        n_skipped=len(rows) - n_rows,
        n_hanzi=n_hanzi,
        keys_per_hanzi=n_keys / n_hanzi,
        letters_per_hanzi=tally.n_letters / n_hanzi,
        selections_per_hanzi=tally.n_selections / n_hanzi,
        pages_per_hanzi=tally.n_pages / n_hanzi,
        first_right=tally.n_first_right / n_rows,
        one_selection=tally.n_one_selection / n_rows,
        error_rows=tally.n_errors / n_rows,
        n_unreachable=tally.n_unreachable,
        churn=tally.n_changes / max(1, tally.n_followed),
        stability=tally.n_stable / max(1, tally.n_followed),
        times=KeyTimes.from_seconds(tally.seconds),
        cpu_times=KeyTimes.from_seconds(tally.cpu_seconds),
        late_times=KeyTimes.from_seconds(tally.late_seconds) if tally.late_seconds else None,
    )


def evaluate_keys_files(
    converter: KeyConverter,
    paths: Iterable[str | Path],
    options: KeyOptions | None = None,
    *,
    limit: int | None = None,
    on_row: Callable[[], None] | None = None,
    on_start: Callable[[int], None] | None = None,
) -> list[KeyReport]:
    """Type the rows of TSV files; each is one set, named by its file name without the ending.

    All files are read before the first is typed. `limit` keeps the first rows of each file only.
    `on_start` is told the number of rows.

    Raises:
        EvaluationError: a file cannot be read (see `read_rows`), or no file is given.
    """
    sets = [(Path(path).stem, read_rows(path)[:limit]) for path in paths]
    if not sets:
        raise EvaluationError("no files to evaluate; expected at least one TSV file")
    if on_start is not None:
        on_start(sum(row.is_aligned for _, rows in sets for row in rows))
    return [
        evaluate_keys(converter, rows, options, name=name, on_row=on_row) for name, rows in sets
    ]


class _IdealUser:
    """Type rows without a mistake, and take the best of what is offered."""

    def __init__(
        self,
        converter: KeyConverter,
        options: KeyOptions,
        tally: _Tally,
        clock: Callable[[], float],
        cpu_clock: Callable[[], float],
    ) -> None:
        self.converter = converter
        self.options = options
        self.tally = tally
        self.clock = clock
        self.cpu_clock = cpu_clock

    def type_row(self, row: Row) -> None:
        tally = self.tally
        pieces = typed_syllables(row, self.options.input_form, seed=self.options.seed)
        context = row.left_context if self.options.use_left_context else ""
        typing = self.converter.type_keys(
            left_context=context, late_policy=self.options.late_policy
        )
        offered = self._type_letters(typing, "".join(pieces))
        tally.n_rows += 1
        tally.n_hanzi += len(row.hanzi)
        tally.n_first_right += bool(offered) and offered[0].text == row.hanzi
        n_before = tally.n_selections
        is_error = False
        done = 0
        while True:
            index, taken = _longest_right(offered, row.hanzi[done:], pieces[done:])
            if taken == 0:
                is_error = True
                self._type_hanzi(row.hanzi[done], row.syllables[done], context + row.hanzi[:done])
                taken = 1
            else:
                tally.n_selections += 1
                tally.n_pages += index // self.options.page_size
            done += taken
            if done == len(row.hanzi):
                break
            # What is left is converted anew behind what was taken.
            left_context = context + row.hanzi[:done]
            typing = self.converter.type_keys(
                left_context=left_context, late_policy=self.options.late_policy
            )
            offered = self._offered(typing, "".join(pieces[done:]))
        tally.n_errors += is_error
        tally.n_one_selection += not is_error and tally.n_selections == n_before + 1

    def _type_letters(self, typing: TypedInput, letters: str) -> list[Candidate]:
        """Type letters one by one, with times and changes; return the last list."""
        tally, n_places = self.tally, self.options.page_size
        offered: list[Candidate] = []
        for end in range(1, len(letters) + 1):
            before = offered
            started, cpu_started = self.clock(), self.cpu_clock()
            offered = list(typing.update(letters[:end], limit=_MOST_CANDIDATES))
            tally.seconds.append(self.clock() - started)
            tally.cpu_seconds.append(self.cpu_clock() - cpu_started)
            if self.options.late_policy is not None:
                started = self.clock()
                offered = list(typing.late_update())
                tally.late_seconds.append(self.clock() - started)
            tally.n_letters += 1
            if end > 1:
                tally.n_followed += 1
                tally.n_changes += _n_changed(before, offered, n_places)
                tally.n_stable += _is_stable(before, offered)
        return offered

    def _offered(self, typing: TypedInput, letters: str) -> list[Candidate]:
        offered = typing.update(letters, limit=_MOST_CANDIDATES)
        if self.options.late_policy is not None:
            offered = typing.late_update()
        return list(offered)

    def _type_hanzi(self, hanzi: str, syllable: str, left_context: str) -> None:
        """Type one hanzi by its syllable alone, in place of what could not be found."""
        tally = self.tally
        offered = self.converter.candidates(
            syllable, left_context=left_context, limit=_MOST_HANZI_CANDIDATES
        )
        texts = [candidate.text for candidate in offered]
        tally.n_letters += len(syllable)
        tally.n_selections += 1
        if hanzi in texts:
            tally.n_pages += texts.index(hanzi) // self.options.page_size
        else:
            tally.n_unreachable += 1


def _longest_right(
    offered: Sequence[Candidate], hanzi: str, pieces: Sequence[str]
) -> tuple[int, int]:
    """Return place and length of the longest candidate that is right; length 0 if none is.

    Right means that it is how the hanzi begin, and takes just their letters. Of equally long ones
    the first is taken.
    """
    ends = [0]
    for piece in pieces:
        ends.append(ends[-1] + len(piece))
    best = (0, 0)
    for index, candidate in enumerate(offered):
        length = len(candidate.text)
        if (
            best[1] < length <= len(hanzi)
            and hanzi.startswith(candidate.text)
            and candidate.end == ends[length]
        ):
            best = (index, length)
    return best


def _n_changed(before: Sequence[Candidate], after: Sequence[Candidate], n_places: int) -> int:
    """Count the first places whose text differs; a place that comes or goes counts."""
    pairs = zip_longest(before[:n_places], after[:n_places])
    return sum(one is None or other is None or one.text != other.text for one, other in pairs)


def _is_stable(before: Sequence[Candidate], after: Sequence[Candidate]) -> bool:
    """Tell whether the first candidate begins as it did; its last hanzi was still being typed."""
    if not before or not after:
        return not before
    return after[0].text.startswith(before[0].text[:-1])
