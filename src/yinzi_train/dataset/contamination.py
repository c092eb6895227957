"""Find training sentences that share text with an evaluation set.

Only hanzi count; punctuation, blanks and letters are passed over. The items of an evaluation set
are its longest runs of hanzi (MIUs). A sentence is contaminated if

- a run of it equals an item of at least `min_hanzi` hanzi, or
- all of it, at least `min_hanzi` hanzi, lies within an item, or
- it contains an item of at least `min_contained_hanzi` hanzi anywhere.

Shorter texts, such as 谢谢 (xiè xie, thank you), occur everywhere and prove nothing. Containment
has a larger bound because of items such as 值得一提的是 (it is worth mentioning that): with 6 for
both, 0.65 % of the sentences of two sources were dropped, most for such phrases; with 10, 0.30 %.

A hash of every `min_hanzi` hanzi in a row is looked up in the hashes of the items, all sentences of
a batch at once; the few hits are compared as text. Measured with four sets (17,300 items): 20 M
hanzi a second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.text import miu_spans, normalize

__all__ = [
    "ContaminationIndex",
    "ContaminationOptions",
    "EvaluationSet",
    "Finding",
    "read_evaluation_set",
]

_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_FILTER_BITS: Final = 22
_FILTER_SHIFT: Final = np.uint64(64 - _FILTER_BITS)


@dataclass(frozen=True)
class ContaminationOptions:
    """What counts as shared text.

    Attributes:
        min_hanzi: hanzi of a run, or of a whole sentence, that is looked for; at least 2.
        min_contained_hanzi: hanzi of an item that is looked for within runs; at least `min_hanzi`.
    """

    min_hanzi: int = 6
    min_contained_hanzi: int = 10

    def __post_init__(self) -> None:
        if self.min_hanzi < 2:
            raise ConfigError(f"min_hanzi is {self.min_hanzi}, expected at least 2")
        if self.min_contained_hanzi < self.min_hanzi:
            raise ConfigError(
                f"min_contained_hanzi is {self.min_contained_hanzi}, expected at least min_hanzi "
                f"({self.min_hanzi})"
            )


@dataclass(frozen=True)
class EvaluationSet:
    """The texts of one evaluation set.

    Attributes:
        name: of its file, without the ending.
        items: its runs of hanzi that are long enough, each once, in order.
        n_short: runs that are too short to be looked for.
    """

    name: str
    items: tuple[str, ...]
    n_short: int = 0


@dataclass(frozen=True)
class Finding:
    """A contaminated sentence.

    Attributes:
        row: its index.
        matches: (index of the evaluation set, index of the item) of all it shares text with.
    """

    row: int
    matches: tuple[tuple[int, int], ...] = field(default=())


def read_evaluation_set(path: Path, *, min_hanzi: int) -> EvaluationSet:
    """Read the column `hanzi` of a TSV file; without a header it is the second column.

    Raises:
        ConfigError: the file cannot be read, is not UTF-8, or a line lacks the column.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except OSError as error:
        raise ConfigError(f"cannot read evaluation set {str(path)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"evaluation set {path.name!r} is not UTF-8 at byte {error.start}"
        ) from error
    header = lines[0].split("\t") if lines else []
    column = header.index("hanzi") if "hanzi" in header else 1
    items: dict[str, None] = {}
    n_short = 0
    for number, line in enumerate(lines[1:] if "hanzi" in header else lines, start=1):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) <= column:
            raise ConfigError(
                f"evaluation set {path.name!r} row {number}: {len(cells)} columns, expected "
                "tab-separated id, hanzi, pinyin"
            )
        text = normalize(cells[column])
        runs = [text[start:end] for start, end in miu_spans(text)]
        n_short += sum(len(run) < min_hanzi for run in runs)
        items.update((run, None) for run in runs if len(run) >= min_hanzi)
    if not items:
        raise ConfigError(
            f"evaluation set {path.name!r} has no run of {min_hanzi} hanzi in its column "
            f"{column + 1}: expected tab-separated id, hanzi, pinyin"
        )
    return EvaluationSet(path.stem, tuple(items), n_short)


class ContaminationIndex:
    """Evaluation sets, ready to be looked for in many sentences.

    >>> index = ContaminationIndex([EvaluationSet("dev", ("他很快恢复了健康",))])
    >>> hanzi = ["后来他很快恢复了健康", "很快恢复了健康", "健康"]
    >>> [finding.row for finding in index.find(hanzi, np.array([2, 8, 7, 2]))]
    [0, 1]

    Args:
        sets: what to look for.
        options: what counts as shared text.
    """

    def __init__(
        self,
        sets: Sequence[EvaluationSet],
        options: ContaminationOptions = ContaminationOptions(),
    ) -> None:
        self.sets = tuple(sets)
        self._width = options.min_hanzi
        self._min_contained = options.min_contained_hanzi
        # Sentences are scanned for the first hanzi of an item; their own first hanzi are looked up
        # among all places of all items.
        self._by_start: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._by_place: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for set_index, evaluation_set in enumerate(self.sets):
            codes, starts = _flatten(evaluation_set.items)
            keys, owners, _ = self._windows(codes, starts)
            is_first = np.diff(owners, prepend=-1) != 0
            for key, item, first in zip(
                keys.tolist(), owners.tolist(), is_first.tolist(), strict=True
            ):
                self._by_place[key].append((set_index, item))
                if first:
                    self._by_start[key].append((set_index, item))
        self._start_keys = np.array(sorted(self._by_start), dtype=np.uint64)
        self._start_filter = np.zeros(1 << _FILTER_BITS, dtype=np.bool_)
        self._start_filter[_slots(self._start_keys)] = True

    def find(self, hanzi: Sequence[str], run_lengths: NDArray[np.integer]) -> list[Finding]:
        """Return the contaminated sentences, by row.

        Args:
            hanzi: the hanzi of each sentence, nothing between them.
            run_lengths: integers [n_runs], hanzi in each run of each sentence, one after another.
        """
        if not self.sets or not hanzi:
            return []
        codes, starts = _flatten(hanzi)
        assert run_lengths.sum() == len(codes), "run_lengths must be of the same sentences"
        run_length = np.zeros(len(codes) + 1, dtype=np.int64)  # where a run starts, else 0
        has_hanzi = run_lengths[run_lengths > 0].astype(np.int64)
        run_length[np.cumsum(has_hanzi) - has_hanzi] = has_hanzi
        keys, owners, positions = self._windows(codes, starts)
        matches: dict[int, set[tuple[int, int]]] = defaultdict(set)
        is_first = np.diff(owners, prepend=-1) != 0
        for key, row in zip(keys[is_first].tolist(), owners[is_first].tolist(), strict=True):
            for match in self._by_place.get(key, ()):
                if hanzi[row] in self._item(match):
                    matches[row].add(match)
        maybe = np.flatnonzero(self._start_filter[_slots(keys)])
        maybe = maybe[_is_in(keys[maybe], self._start_keys)]
        rows, places = owners[maybe], positions[maybe]
        for key, row, place, length in zip(
            keys[maybe].tolist(),
            rows.tolist(),
            (places - starts[rows]).tolist(),
            run_length[places].tolist(),
            strict=True,
        ):
            for match in self._by_start[key]:
                item = self._item(match)
                is_looked_for = len(item) == length or len(item) >= self._min_contained
                if is_looked_for and hanzi[row].startswith(item, place):
                    matches[row].add(match)
        return [Finding(row, tuple(sorted(matches[row]))) for row in sorted(matches)]

    def _item(self, match: tuple[int, int]) -> str:
        set_index, item = match
        return self.sets[set_index].items[item]

    def _windows(
        self, codes: NDArray[np.uint32], starts: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
        """Hash every stretch of `min_hanzi` hanzi of each text.

        Args:
            codes: uint32 [n_codes], hanzi of all texts, one text after another.
            starts: int64 [n_texts + 1], first position of each text, and the end.

        Returns:
            keys: uint64 [n_windows], in order.
            owners: int64 [n_windows], the text of each.
            positions: int64 [n_windows], where each starts in `codes`.
        """
        width = self._width
        n_windows = np.maximum(np.diff(starts) - width + 1, 0)
        owners = np.repeat(np.arange(len(n_windows)), n_windows)
        keys = np.zeros(max(len(codes) - width + 1, 0), dtype=np.uint64)
        for offset in range(width):
            keys = (keys + codes[offset : offset + len(keys)] + np.uint64(1)) * _MULTIPLIER
        # The last width - 1 hanzi of a text start none.
        first_windows = np.cumsum(n_windows) - n_windows
        positions = np.arange(len(owners)) + (starts[:-1] - first_windows)[owners]
        return keys[positions], owners, positions


def _flatten(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the code points of texts, one after another, and where each starts, with the end."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)), out=starts[1:])
    return codes, starts


def _slots(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    slots: NDArray[np.int64] = (keys >> _FILTER_SHIFT).astype(np.int64)
    return slots


def _is_in(keys: NDArray[np.uint64], table: NDArray[np.uint64]) -> NDArray[np.bool_]:
    if not len(table):
        return np.zeros(len(keys), dtype=np.bool_)
    slot = np.searchsorted(table, keys)
    slot[slot == len(table)] = 0
    found: NDArray[np.bool_] = table[slot] == keys
    return found
