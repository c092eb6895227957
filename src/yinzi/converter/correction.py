"""Correct text whose hanzi have the right sound and the wrong meaning, as input methods leave it.

Every run of hanzi is read as syllables and converted again, with a cost for each hanzi that would
change. So the text stays as it is unless another one is likelier by more than its changes cost.
Which of 他, 她 and 它 is meant no sentence tells, so they are not changed into each other.
The syllables are those that `Converter.annotate` gives: a wrong hanzi that is read in several ways
and stands for a rare one of them is not found.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from yinzi.decoding import Decoder
from yinzi.decoding.lattice import Lattice
from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES, InputScheme, SyllableGraph
from yinzi.pinyin.edges import EdgeKind, GraphOptions, Proposal
from yinzi.pinyin.reading import Span, Stretch

if TYPE_CHECKING:
    from yinzi.converter.converter import Converter

__all__ = ["CHANGE_LOGPROB", "Change", "Correction", "correct"]

CHANGE_LOGPROB: Final = -9.0
"""Cost of a changed hanzi, natural log; see docs/correction.md for what other values give."""

_MAX_WORDS: Final = 256
"""Words between two positions: the hanzi that stands there has to be among them."""
_MAX_MARGIN: Final = 60.0
"""Words are not left out before the search: the text as it stands may be unlikely."""

_PRONOUNS: Final = np.array([ord(char) for char in "他她它"])
_NEVER: Final = -1e4

_SYLLABLE_IDS: Final = {syllable: index for index, syllable in enumerate(SYLLABLES)}
_TOKEN: Final = re.compile(r"([a-z]+) ?")


@dataclass(frozen=True)
class Change:
    """Some neighbouring hanzi that change.

    Attributes:
        start: of the first in the text.
        end: behind the last.
        original: as they stand.
        replacement: as many.
        margin: natural log above 0, how much better the run of hanzi around them is with all its
            changes, costs included.
    """

    start: int
    end: int
    original: str
    replacement: str
    margin: float


@dataclass(frozen=True)
class Correction:
    """A text with its changes.

    Attributes:
        text: corrected; as long as the original.
        changes: from left to right; none for a text that stays.
        alternatives: other texts, the best first, the original among them if it was changed.
    """

    text: str
    changes: tuple[Change, ...]
    alternatives: tuple[str, ...]


@dataclass(frozen=True)
class _Run:
    """A run of hanzi with readings, from `start` in the text."""

    start: int
    hanzi: str
    syllables: tuple[str, ...]

    @property
    def pinyin(self) -> str:
        return " ".join(self.syllables)


def correct(
    converter: Converter, text: str, *, change_logprob: float | None = None, n_best: int = 1
) -> Correction:
    """Return a text with hanzi replaced by others of the same syllable where that is likelier.

    Args:
        converter: whose models are asked.
        text: any; what is no hanzi stays as it is.
        change_logprob: cost ≤ 0 of a changed hanzi, natural log; None for `CHANGE_LOGPROB`.
        n_best: texts in all, at least 1; those after the first are alternatives.

    Raises:
        ConfigError: a number is out of range.
    """
    cost = CHANGE_LOGPROB if change_logprob is None else change_logprob
    if not -1e4 <= cost <= 0:
        raise ConfigError(f"change_logprob is {cost}: expected a natural logarithm ≤ 0")
    if n_best < 1:
        raise ConfigError(f"n_best is {n_best}: expected at least 1")
    runs = _runs(converter, text)
    if not runs:
        return Correction(text, (), ())
    changes: list[Change] = []
    swaps: list[tuple[float, _Run, str, str]] = []  # what is lost by taking another text for a run
    best = text
    for run, found in zip(runs, _convert(converter, text, runs, cost, n_best), strict=True):
        original, texts = found
        top, top_logprob = texts[0]
        if top != run.hanzi and top_logprob > original:
            changes += _changes(run, top, top_logprob - original)
        else:
            top, top_logprob = run.hanzi, max(original, top_logprob)
        best = _put(best, run, top)
        others = dict([*texts, (run.hanzi, original)])
        swaps += [
            (top_logprob - logprob, run, top, other)
            for other, logprob in others.items()
            if other != top
        ]
    swaps.sort(key=lambda swap: swap[0])
    alternatives: list[str] = []
    for _, run, _, other in swaps[: n_best - 1]:
        alternatives.append(_put(best, run, other))
    return Correction(best, tuple(changes), tuple(alternatives))


def _runs(converter: Converter, text: str) -> list[_Run]:
    runs: list[_Run] = []
    hanzi, syllables, start = "", [], 0
    for position, (char, syllable) in enumerate([*converter.annotate(text), ("", None)]):
        spelled = "" if syllable is None else syllable.to_digits().rstrip("012345")
        spelled = spelled.replace("ü", "v")
        if spelled in _SYLLABLE_IDS:
            start = start if hanzi else position
            hanzi += char
            syllables.append(spelled)
        elif hanzi:
            runs.append(_Run(start, hanzi, tuple(syllables)))
            hanzi, syllables = "", []
    return runs


def _put(text: str, run: _Run, hanzi: str) -> str:
    return text[: run.start] + hanzi + text[run.start + len(run.hanzi) :]


def _changes(run: _Run, corrected: str, margin: float) -> list[Change]:
    differs = [old != new for old, new in zip(run.hanzi, corrected, strict=True)]
    changes: list[Change] = []
    start = 0
    while start < len(differs):
        end = start
        while end < len(differs) and differs[end]:
            end += 1
        if end > start:
            first = run.start
            changes.append(
                Change(
                    first + start, first + end, run.hanzi[start:end], corrected[start:end], margin
                )
            )
        start = max(end, start + 1)
    return changes


def _convert(
    converter: Converter, text: str, runs: Sequence[_Run], cost: float, n_best: int
) -> list[tuple[float, list[tuple[str, float]]]]:
    """Convert each run twice: freely, and to what stands there.

    Returns:
        For each run the logprob of what stands there, and the likeliest texts with theirs. A run
        that cannot be put together from words of the lexicon has its own text alone.
    """
    decoder = _decoder(converter.decoder)
    options = decoder.options.graph
    graphs = [SyllableGraph.from_text(run.pinyin, options, scheme=_SCHEME) for run in runs]
    contexts = [decoder.left_context(text[: run.start]) for run in runs]

    def adjust(lattice: Lattice) -> Lattice:
        return _with_costs(lattice, decoder, [*runs, *runs], cost, n_free=len(runs))

    decoding = decoder.decode([*graphs, *graphs], [*contexts, *contexts], adjust=adjust)
    results: list[tuple[float, list[tuple[str, float]]]] = []
    for line, run in enumerate(runs):
        free = [
            (found.text, found.logprob)
            for found in decoding.hypotheses(line, n_best)
            if len(found.text) == len(run.hanzi)
        ]
        fixed = decoding.hypotheses(line + len(runs), 1)
        if free and fixed and fixed[0].text == run.hanzi:
            results.append((fixed[0].logprob, free))
        else:
            results.append((0.0, [(run.hanzi, 0.0)]))
    return results


def _decoder(decoder: Decoder) -> Decoder:
    """Return the decoder with limits that keep what stands in a text."""
    other = copy(decoder)
    other.options = replace(
        decoder.options,
        lattice=replace(decoder.options.lattice, max_words=_MAX_WORDS),
        fusion=replace(decoder.options.fusion, max_margin=_MAX_MARGIN),
    )
    return other


def _with_costs(
    lattice: Lattice, decoder: Decoder, runs: Sequence[_Run], cost: float, *, n_free: int
) -> Lattice:
    """Add the cost of changes to the words of a lattice; lines from `n_free` on allow none."""
    line = np.searchsorted(lattice.offsets, lattice.start, side="right") - 1
    # Position in the batch of each syllable's first letter -> number of its hanzi in all runs.
    place_of = np.zeros(int(lattice.offsets[-1]) + 1, dtype=np.int64)
    codes: list[int] = []
    for run, offset in zip(runs, lattice.offsets.tolist(), strict=False):
        position = offset
        for char, syllable in zip(run.hanzi, run.syllables, strict=True):
            place_of[position] = len(codes)
            codes.append(ord(char))
            position += len(syllable) + 1
    original = np.array([*codes, *[0] * 8], dtype=np.int64)
    words = np.where(lattice.is_literal, 0, lattice.word)
    lengths = decoder.lexicon.lengths(words)
    texts = decoder.lexicon.texts(words)
    longest = int(lengths.max(initial=1))
    of_words = np.zeros((len(texts), longest), dtype=np.int64)
    for length in range(1, longest + 1):
        rows = np.flatnonzero(lengths == length)
        if len(rows):
            joined = "".join(texts[row] for row in rows.tolist())
            chars = np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32)
            of_words[rows, :length] = chars.reshape(-1, length)
    within = np.arange(longest)
    there = original[place_of[lattice.start][:, None] + np.minimum(within, 7)]
    differs = (of_words != there) & (within < lengths[:, None])
    is_pronoun = differs & np.isin(of_words, _PRONOUNS) & np.isin(there, _PRONOUNS)
    n_changed = differs.sum(axis=1)
    n_changed[lattice.is_literal] = 0
    logprob = lattice.logprob + np.float32(cost) * n_changed
    logprob[is_pronoun.any(axis=1) & ~lattice.is_literal] += _NEVER
    is_kept = (line < n_free) | (n_changed == 0)
    kept = lattice.scored(lattice.encoder_logprob, lattice.prior_logprob, is_kept)
    return replace(kept, logprob=logprob[is_kept].astype(np.float32))


def _whole(stretch: Stretch, options: GraphOptions) -> list[Proposal]:
    """Read a stretch as the one syllable that it is."""
    syllable = _SYLLABLE_IDS[stretch.letters]
    last = len(stretch.letters)
    return [Proposal(0, last, syllable, syllable + 1, EdgeKind.FULL, 0.0, 0)]


def _read_syllables(text: str) -> tuple[int, list[Span]]:
    """Cut syllables at blanks."""
    spans = []
    for match in _TOKEN.finditer(text):
        letters = match.group(1)
        positions = (*range(match.start(), match.start() + len(letters)), match.end())
        spans.append(Span(positions, Stretch(letters)))
    return 0, spans


_SCHEME: Final = InputScheme("syllables", (_whole,), _read_syllables)
