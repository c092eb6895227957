"""Read letters as if one of them had gone wrong: typing errors as edges of the syllable graph.

A line with a slip mostly has no reading in full syllables any more, but one of initials and rests
of syllables (`nhiao` as n h i ao). So a correction has to be weighed against what the letters are
as they stand. This is done in two steps: a table of syllable pairs chooses a few corrections whose
line sounds about as good as the uncorrected one or better, and the search for words decides.

Slips are looked for in a syllable, at its borders, and between two syllables (letters swapped
across the border). The choice among them looks a few letters ahead and back, not at the whole line:
so it takes linear time, and while a line is typed, what was chosen stays, is kept, and need not be
searched again.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from yinzi.errors import ConfigError
from yinzi.pinyin.edges import EdgeKind, EdgeSource, GraphOptions, Proposal
from yinzi.pinyin.error_model import (
    LONGEST_TYPED,
    ErrorModel,
    corrections,
    extra_letter_logprob,
    full_syllable,
)
from yinzi.pinyin.reading import Stretch
from yinzi.pinyin.scheme import InputScheme
from yinzi.pinyin.syllable_model import SyllableModel

__all__ = ["CorrectionOptions", "TypingErrors", "with_typing_errors"]

_UNREACHED: Final = np.float32(-1e9)
_FREE_LOGPROB: Final = -0.01  # of the second half of two letters swapped across a border
_BLOCK: Final = 8  # letters whose corrections are chosen together
_CONTEXT: Final = 7  # letters before and behind a block that are looked at


@dataclass(frozen=True)
class CorrectionOptions:
    """When and how letters are corrected.

    Attributes:
        model: how likely which slip is.
        rescue_logprob: added (≥ 0) to the penalty of a slip in letters that cannot be read in full
            syllables: something went wrong there, or the typist abbreviates.
        real_word_logprob: added (≤ 0) in letters that can be read in full syllables: most of these
            are meant, and the other weights of the search make it too sure of what it likes.
        max_logprob: no slip is likelier than this, natural log ≤ 0.
        margin: corrections are kept that make the line, by syllable pairs and the likelihood of the
            slip, worse by at most this, natural log ≥ 0.
        max_edges: corrections kept of those that begin in the same few letters.
        letters_per_slip: letters that cannot be read in full syllables are corrected only if this
            takes one slip in all, or one or two slips in the same two dozen letters if there are at
            least so many, at least 1. Who abbreviates would need many more, and means what is
            typed.
        min_letters: shorter stretches are taken as they are.
    """

    model: ErrorModel = field(default_factory=ErrorModel)
    rescue_logprob: float = 0.0
    real_word_logprob: float = -3.0
    max_logprob: float = -1.0
    margin: float = 6.0
    max_edges: int = 8
    letters_per_slip: int = 24
    min_letters: int = 4

    def __post_init__(self) -> None:
        if self.letters_per_slip < 1:
            raise ConfigError(
                f"correction option letters_per_slip is {self.letters_per_slip!r}: "
                "expected at least 1"
            )
        for option in fields(self):
            if option.name == "model":
                continue
            value = getattr(self, option.name)
            is_penalty = option.name in ("real_word_logprob", "max_logprob")
            if not math.isfinite(value) or (value > 0 if is_penalty else value < 0):
                expected = "≤ 0" if is_penalty else "≥ 0"
                raise ConfigError(
                    f"correction option {option.name} is {value!r}: expected a number {expected}"
                )


@dataclass(frozen=True)
class TypingErrors:
    """Propose what other sources propose, and the corrections that are worth a look.

    Attributes:
        inner: sources for letters as they stand.
        syllables: gives what chooses among corrections; asked when letters are first corrected.
        options: see there.
    """

    inner: tuple[EdgeSource, ...]
    syllables: Callable[[], SyllableModel]
    options: CorrectionOptions = field(default_factory=CorrectionOptions)

    def __call__(self, stretch: Stretch, options: GraphOptions) -> Iterator[Proposal]:
        """Yield the edges of the inner sources, then those with a slip.

        Stretches with tones, short ones, and those that are one full syllable are left alone.
        """
        edges = [edge for source in self.inner for edge in source(stretch, options)]
        yield from edges
        letters = stretch.letters
        if stretch.tones or stretch.final_tone or len(letters) < self.options.min_letters:
            return
        if full_syllable(letters) >= 0:
            return
        yield from self._corrections(letters, edges, options)

    def _corrections(
        self, letters: str, edges: Sequence[Proposal], options: GraphOptions
    ) -> Iterator[Proposal]:
        model = self.syllables()
        most = 1 + min(1, len(letters) // self.options.letters_per_slip)
        in_order = sorted(edges)
        starts = [edge.first for edge in in_order]
        for window in _windows(len(letters)):
            low, high = window.low, window.high
            begin, end = bisect_left(starts, low), bisect_left(starts, high)
            inside = tuple(
                edge._replace(first=edge.first - low, last=edge.last - low)
                for edge in in_order[begin:end]
                if edge.last <= high
            )
            for edge in _choose_kept(
                letters[low:high],
                inside,
                window.moved(-low),
                model=model,
                options=options,
                own=self.options,
                most=most,
            ):
                yield edge._replace(first=edge.first + low, last=edge.last + low)


@dataclass(frozen=True)
class _Window:
    """A part of a stretch in which corrections are chosen, as positions.

    Attributes:
        low: where its letters begin.
        start: up to here a path may begin anywhere; equal to `low` at the start of the stretch.
        first: corrections begin here or behind.
        last: corrections begin before this.
        end: from here on a path may end anywhere; equal to `high` at the end of the stretch.
        high: where its letters end.
    """

    low: int
    start: int
    first: int
    last: int
    end: int
    high: int

    def moved(self, shift: int) -> _Window:
        return _Window(*(getattr(self, one.name) + shift for one in fields(self)))


def _windows(n_letters: int) -> Iterator[_Window]:
    """Yield the windows of a stretch.

    Letters are corrected by what stands around them, not by the whole stretch: the choice stays
    when letters are added far behind, and with it the words that were found for them.
    """
    first = 0
    while first < n_letters:
        start = max(0, first - _CONTEXT)
        low = max(0, start - LONGEST_TYPED) if start else 0
        last, end = first + _BLOCK, first + _BLOCK + _CONTEXT
        if end + LONGEST_TYPED < n_letters:
            yield _Window(low, start, first, last, end, end + LONGEST_TYPED)
            first = last
        else:
            yield _Window(low, start, first, n_letters, n_letters, n_letters)
            return


def _choose(
    letters: str,
    edges: tuple[Proposal, ...],
    window: _Window,
    *,
    model: SyllableModel,
    options: GraphOptions,
    own: CorrectionOptions,
    most: int,
) -> tuple[Proposal, ...]:
    """Return the corrections in a window that are worth a look; `most`: slips in it."""
    slips = _all_slips(letters, edges, own.model, window)
    if not len(slips.first):
        return ()
    best, ahead, behind, is_full = _read_as_typed(edges, window, model, options)
    total = ahead[slips.first, slips.syllable] + slips.logprob
    total += behind[slips.last, slips.syllable]
    pairs = _all_swaps_across(letters, edges, window)
    swap = own.model.kind_logprob("swap")
    pair_totals = [
        float(ahead[first, one] + swap + model.after[one, two] + behind[last, two])
        for first, _, last, one, two in pairs
    ]
    totals = np.concatenate((total, np.array(pair_totals, dtype=np.float32)))
    kept = np.flatnonzero(totals >= best - own.margin)
    if len(kept) > own.max_edges:
        kept = kept[np.argsort(-totals[kept], kind="stable")[: own.max_edges]]
    chosen: dict[tuple[int, int, int], float] = {}

    def add(first: int, last: int, syllable: int, slip_logprob: float) -> None:
        key = first, last, syllable
        chosen[key] = max(slip_logprob, chosen.get(key, -math.inf))

    for index in kept.tolist():
        if index < len(total):
            add(
                int(slips.first[index]),
                int(slips.last[index]),
                int(slips.syllable[index]),
                float(slips.logprob[index]),
            )
        else:
            first, middle, last, one, two = pairs[index - len(total)]
            add(first, middle, one, swap)
            chosen[middle, last, two] = _FREE_LOGPROB
    errors = [
        Proposal(first, last, syllable, syllable + 1, EdgeKind.TYPO, logprob, 0)
        for (first, last, syllable), logprob in chosen.items()
    ]
    is_rescue = False
    if not is_full:
        fewest, without = _slips_with_and_without(
            errors, letters, edges, window=window, model=own.model, options=options
        )
        if fewest > most:
            return ()
        is_rescue = fewest < without
    shift = own.rescue_logprob if is_rescue else own.real_word_logprob
    return tuple(
        edge
        if edge.logprob == _FREE_LOGPROB
        else edge._replace(logprob=min(edge.logprob + shift, own.max_logprob))
        for edge in errors
    )


_choose_kept = lru_cache(maxsize=512)(_choose)


@dataclass(frozen=True)
class _Slips:
    """Possible corrections of a stretch; all [n]."""

    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    syllable: npt.NDArray[np.int64]
    logprob: npt.NDArray[np.float32]


@lru_cache(maxsize=1 << 15)
def _correction_arrays(
    letters: str, model: ErrorModel
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    found = corrections(letters, model)
    syllables = np.array([syllable for syllable, _ in found], dtype=np.int64)
    return syllables, np.array([logprob for _, logprob in found], dtype=np.float32)


def _all_slips(
    letters: str, edges: Sequence[Proposal], model: ErrorModel, window: _Window
) -> _Slips:
    """Return all corrections of one syllable each."""
    n_letters = len(letters)
    first: list[int] = []
    last: list[int] = []
    parts: list[npt.NDArray[np.int64]] = []
    part_logprobs: list[npt.NDArray[np.float32]] = []
    sizes: list[int] = []
    for start in range(window.first, window.last):
        for end in range(start + 1, min(start + LONGEST_TYPED, n_letters) + 1):
            syllables, logprobs = _correction_arrays(letters[start:end], model)
            if len(syllables):
                first.append(start)
                last.append(end)
                sizes.append(len(syllables))
                parts.append(syllables)
                part_logprobs.append(logprobs)
    extra = []  # letters too many at the border of a syllable that is right otherwise
    for edge in edges:
        if edge.kind is not EdgeKind.FULL or edge.logprob:
            continue
        if not window.first <= edge.first < window.last:
            continue
        if edge.last < n_letters:
            after = letters[edge.last + 1 : edge.last + 2]
            letter, before = letters[edge.last], letters[edge.last - 1]
            logprob = extra_letter_logprob(model, letter, before, after)
            extra.append((edge.first, edge.last + 1, edge.syllable_lo, logprob))
        if edge.first == 1 and window.low == window.first == 0:
            logprob = extra_letter_logprob(model, letters[0], "", letters[1])
            extra.append((0, edge.last, edge.syllable_lo, logprob))
    starts, ends, more, more_logprobs = zip(*extra, strict=True) if extra else ((), (), (), ())
    return _Slips(
        np.concatenate((np.repeat(first, sizes), starts)).astype(np.int64),
        np.concatenate((np.repeat(last, sizes), ends)).astype(np.int64),
        np.concatenate((*parts, np.array(more, dtype=np.int64))),
        np.concatenate((*part_logprobs, np.array(more_logprobs, dtype=np.float32))),
    )


def _all_swaps_across(
    letters: str, edges: Sequence[Proposal], window: _Window
) -> list[tuple[int, int, int, int, int]]:
    """Return two syllables each between which two letters changed places.

    The second half of such a pair costs next to nothing. So that it cannot be had alone, there is
    no pair where a syllable as typed ends between the two halves.

    Returns:
        tuples of start, border, end, first syllable id, second syllable id.
    """
    ends = {edge.last for edge in edges if edge.kind in (EdgeKind.FULL, EdgeKind.FUZZY)}
    pairs = []
    reach = LONGEST_TYPED - 1
    for border in range(window.first + 1, min(window.last + reach, len(letters))):
        if border in ends or letters[border - 1] == letters[border]:
            continue
        before, after = letters[: border - 1], letters[border + 1 :]
        lows = [
            (start, syllable)
            for start in range(max(window.first, border - reach), min(window.last, border))
            if (syllable := full_syllable(before[start:] + letters[border])) >= 0
        ]
        if not lows:
            continue
        highs = [
            (border + length, syllable)
            for length in range(1, min(reach, len(letters) - border) + 1)
            if (syllable := full_syllable(letters[border - 1] + after[: length - 1])) >= 0
        ]
        pairs += [(start, border, end, one, two) for start, one in lows for end, two in highs]
    return pairs


def _read_as_typed(
    edges: Sequence[Proposal], window: _Window, model: SyllableModel, options: GraphOptions
) -> tuple[float, npt.NDArray[np.float32], npt.NDArray[np.float32], bool]:
    """Score the letters of a window as they stand by syllable pairs.

    Returns:
        the best path's logprob; float32 [n_letters + 1, n_units], the best way to a border with the
        unit behind it; float32 [n_letters + 1, n_units + 1], the best way from a border with the
        unit before it; whether there is a path of full syllables, the last one perhaps unfinished.
    """
    n_letters, start, end = window.high, window.start, window.end
    incoming: list[list[tuple[int, int, float]]] = [[] for _ in range(n_letters + 1)]
    outgoing: list[list[tuple[int, int, float]]] = [[] for _ in range(n_letters + 1)]
    penalties = [0.0] * (start + 1) + [float(_UNREACHED)] * (n_letters - start)
    singles = {edge.first for edge in edges if edge.last == edge.first + 1}
    literals = [
        Proposal(first, first + 1, -1, -1, EdgeKind.LITERAL, options.literal_logprob, 0)
        for first in range(n_letters)
        if first not in singles
    ]
    for edge in sorted((*edges, *literals)):
        if edge.first >= end:
            continue
        unit = model.unit(edge.syllable_lo, edge.syllable_hi)
        incoming[edge.last].append((edge.first, unit, edge.logprob))
        outgoing[edge.first].append((edge.last, unit, edge.logprob))
        is_erhua = edge.kind is EdgeKind.INITIAL and edge.syllable_hi - edge.syllable_lo == 1
        penalty = penalties[edge.first] + (0.0 if is_erhua else edge.logprob)
        penalties[edge.last] = max(penalties[edge.last], penalty)
    n_units = len(model.before)
    ahead = np.full((n_letters + 1, n_units), _UNREACHED, dtype=np.float32)
    behind = np.full((n_letters + 1, n_units + 1), _UNREACHED, dtype=np.float32)
    ahead[: start + 1] = model.after[model.start]
    behind[end:] = 0
    best = float(_UNREACHED)
    for position in range(start + 1, n_letters + 1):
        if not incoming[position]:
            continue
        firsts, units, logprobs = map(list, zip(*incoming[position], strict=True))
        reached = ahead[firsts, units] + np.array(logprobs, dtype=np.float32)
        if position >= end:
            best = max(best, float(reached.max()))
        else:
            ahead[position] = (model.after[units] + reached[:, None]).max(axis=0)
    for position in range(end - 1, window.first - 1, -1):
        if not outgoing[position]:
            continue
        lasts, units, logprobs = map(list, zip(*outgoing[position], strict=True))
        rest = behind[lasts, units] + np.array(logprobs, dtype=np.float32)
        behind[position] = (model.before[units] + rest[:, None]).max(axis=0)
    return best, ahead, behind, max(penalties[end:]) >= options.tail_logprob


def _slips_with_and_without(
    errors: list[Proposal],
    letters: str,
    edges: tuple[Proposal, ...],
    *,
    window: _Window,
    model: ErrorModel,
    options: GraphOptions,
) -> tuple[float, float]:
    """Return the fewest slips that make the letters full syllables, with and without some errors.

    There may be slips beside the part of the window in which corrections are chosen.
    """
    alone = _fewest_slips((*edges, *errors), window, options)
    if alone <= 1:
        return alone, math.inf
    others = []
    for part in (
        replace(window, first=0, last=window.first),
        replace(window, first=window.last, last=len(letters)),
    ):
        slips = _all_slips(letters, edges, model, part)
        spans = set(zip(slips.first.tolist(), slips.last.tolist(), strict=True))
        spans.update((pair[0], pair[2]) for pair in _all_swaps_across(letters, edges, part))
        others += [Proposal(*span, 0, 1, EdgeKind.TYPO, -1.0, 0) for span in spans]
    return (
        _fewest_slips((*edges, *others, *errors), window, options),
        _fewest_slips((*edges, *others), window, options),
    )


def _fewest_slips(edges: Sequence[Proposal], window: _Window, options: GraphOptions) -> float:
    """Return the fewest slips on a path of full syllables, the last one perhaps unfinished."""
    fewest = [0.0] * (window.start + 1) + [math.inf] * (window.high - window.start)
    for edge in sorted(edges):
        n_slips = 0.0
        if edge.first >= window.end:
            continue
        if edge.kind is EdgeKind.TYPO:
            n_slips = float(edge.logprob != _FREE_LOGPROB)
        elif edge.syllable_hi - edge.syllable_lo != 1 and (
            edge.last < window.high or edge.logprob < options.tail_logprob
        ):
            continue
        fewest[edge.last] = min(fewest[edge.last], fewest[edge.first] + n_slips)
    return min(fewest[window.end :])


def with_typing_errors(
    scheme: InputScheme,
    syllables: Callable[[], SyllableModel],
    options: CorrectionOptions | None = None,
) -> InputScheme:
    """Return a scheme of full pinyin on a QWERTY keyboard that also reads letters with a slip.

    Args:
        scheme: what the letters mean as they stand.
        syllables: gives what chooses among corrections; see `Decoder.syllable_model`.
        options: penalties and limits.
    """
    source = TypingErrors(scheme.sources, syllables, options or CorrectionOptions())
    return replace(scheme, name=f"{scheme.name}+errors", sources=(source,))
