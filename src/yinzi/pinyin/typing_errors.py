"""Read letters as if one of them had gone wrong: typing errors as edges of the syllable graph.

A line with a slip mostly has no reading in full syllables any more, but one of initials and rests
of syllables (`nhiao` as n h i ao). So a correction has to be weighed against what the letters are
as they stand. This is done in two steps: a table of syllable pairs chooses a few corrections whose
line sounds about as good as the uncorrected one or better, and the search for words decides.

Time grows linearly with the letters: about 20 us a letter. Slips are looked for in a syllable, at
its borders, and between two syllables (letters swapped across the border).
"""

from __future__ import annotations

import math
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
        max_edges: corrections kept in a stretch of up to 20 letters; longer ones have more in
            proportion.
        letters_per_slip: letters that cannot be read in full syllables are corrected only if this
            takes one slip, and a further one for each so many letters, at least 1. Who abbreviates
            would need many more, and means what is typed.
        min_letters: shorter stretches are taken as they are.
    """

    model: ErrorModel = field(default_factory=ErrorModel)
    rescue_logprob: float = 0.0
    real_word_logprob: float = -3.0
    max_logprob: float = -1.0
    margin: float = 6.0
    max_edges: int = 16
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
        n_letters = len(letters)
        slips = _all_slips(letters, edges, self.options.model)
        if not len(slips.first):
            return
        model = self.syllables()
        best, ahead, behind, is_full = _read_as_typed(n_letters, edges, model, options)
        total = ahead[slips.first, slips.syllable] + slips.logprob
        total += behind[slips.last, slips.syllable]
        pairs = _all_swaps_across(letters, edges)
        max_edges = math.ceil(self.options.max_edges * max(1.0, n_letters / 20))
        swap = self.options.model.kind_logprob("swap")
        pair_totals = [
            float(ahead[first, one] + swap + model.after[one, two] + behind[last, two])
            for first, _, last, one, two in pairs
        ]
        totals = np.concatenate((total, np.array(pair_totals, dtype=np.float32)))
        kept = np.flatnonzero(totals >= best - self.options.margin)
        if len(kept) > max_edges:
            kept = kept[np.argsort(-totals[kept], kind="stable")[:max_edges]]
        own = self.options
        shift = own.real_word_logprob if is_full else own.rescue_logprob
        chosen: dict[tuple[int, int, int], float] = {}

        def add(first: int, last: int, syllable: int, slip_logprob: float) -> None:
            key = first, last, syllable
            logprob = min(slip_logprob + shift, own.max_logprob)
            chosen[key] = max(logprob, chosen.get(key, -math.inf))

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
        most = 1 + n_letters // own.letters_per_slip
        if is_full or _fewest_slips(n_letters, (*edges, *errors), options) <= most:
            yield from errors


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


def _all_slips(letters: str, edges: Sequence[Proposal], model: ErrorModel) -> _Slips:
    """Return all corrections of one syllable each."""
    n_letters = len(letters)
    first: list[int] = []
    last: list[int] = []
    parts: list[npt.NDArray[np.int64]] = []
    part_logprobs: list[npt.NDArray[np.float32]] = []
    sizes: list[int] = []
    for start in range(n_letters):
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
        if edge.last < n_letters:
            after = letters[edge.last + 1 : edge.last + 2]
            letter, before = letters[edge.last], letters[edge.last - 1]
            logprob = extra_letter_logprob(model, letter, before, after)
            extra.append((edge.first, edge.last + 1, edge.syllable_lo, logprob))
        if edge.first == 1:
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
    letters: str, edges: Sequence[Proposal]
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
    for border in range(1, len(letters)):
        if border in ends or letters[border - 1] == letters[border]:
            continue
        before, after = letters[: border - 1], letters[border + 1 :]
        lows = [
            (start, syllable)
            for start in range(max(0, border - reach), border)
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
    n_letters: int, edges: Sequence[Proposal], model: SyllableModel, options: GraphOptions
) -> tuple[float, npt.NDArray[np.float32], npt.NDArray[np.float32], bool]:
    """Score the letters as they stand by syllable pairs.

    Returns:
        the best path's logprob; float32 [n_letters + 1, n_units], the best way to a border with the
        unit behind it; float32 [n_letters + 1, n_units + 1], the best way from a border with the
        unit before it; whether there is a path of full syllables, the last one perhaps unfinished.
    """
    incoming: list[list[tuple[int, int, float]]] = [[] for _ in range(n_letters + 1)]
    outgoing: list[list[tuple[int, int, float]]] = [[] for _ in range(n_letters + 1)]
    penalties = [0.0] + [float(_UNREACHED)] * n_letters
    singles = {edge.first for edge in edges if edge.last == edge.first + 1}
    literals = [
        Proposal(first, first + 1, -1, -1, EdgeKind.LITERAL, options.literal_logprob, 0)
        for first in range(n_letters)
        if first not in singles
    ]
    for edge in sorted((*edges, *literals)):
        unit = model.unit(edge.syllable_lo, edge.syllable_hi)
        incoming[edge.last].append((edge.first, unit, edge.logprob))
        outgoing[edge.first].append((edge.last, unit, edge.logprob))
        is_erhua = edge.kind is EdgeKind.INITIAL and edge.syllable_hi - edge.syllable_lo == 1
        penalty = penalties[edge.first] + (0.0 if is_erhua else edge.logprob)
        penalties[edge.last] = max(penalties[edge.last], penalty)
    n_units = len(model.before)
    ahead = np.full((n_letters + 1, n_units), _UNREACHED, dtype=np.float32)
    behind = np.full((n_letters + 1, n_units + 1), _UNREACHED, dtype=np.float32)
    ahead[0] = model.after[model.start]
    behind[n_letters] = 0
    best = float(_UNREACHED)
    for position in range(1, n_letters + 1):
        if not incoming[position]:
            continue
        firsts, units, logprobs = map(list, zip(*incoming[position], strict=True))
        reached = ahead[firsts, units] + np.array(logprobs, dtype=np.float32)
        if position == n_letters:
            best = float(reached.max())
        ahead[position] = (model.after[units] + reached[:, None]).max(axis=0)
    for position in range(n_letters - 1, -1, -1):
        if not outgoing[position]:
            continue
        lasts, units, logprobs = map(list, zip(*outgoing[position], strict=True))
        rest = behind[lasts, units] + np.array(logprobs, dtype=np.float32)
        behind[position] = (model.before[units] + rest[:, None]).max(axis=0)
    return best, ahead, behind, penalties[-1] >= options.tail_logprob


def _fewest_slips(n_letters: int, edges: Sequence[Proposal], options: GraphOptions) -> float:
    """Return the fewest slips on a path of full syllables, the last one perhaps unfinished."""
    fewest = [0.0] + [math.inf] * n_letters
    for edge in sorted(edges):
        n_slips = 0.0
        if edge.kind is EdgeKind.TYPO:
            n_slips = float(edge.logprob != _FREE_LOGPROB)
        elif edge.syllable_hi - edge.syllable_lo != 1 and (
            edge.last < n_letters or edge.logprob < options.tail_logprob
        ):
            continue
        fewest[edge.last] = min(fewest[edge.last], fewest[edge.first] + n_slips)
    return fewest[-1]


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
