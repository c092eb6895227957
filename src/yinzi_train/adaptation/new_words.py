"""Find words in a user's text that the lexicon lacks.

A candidate is a sequence of two to eight hanzi that comes often, whose parts hold together (the
sequence comes much more often than its halves would side by side by chance), and that is free on
both sides: many different hanzi stand before and behind it (branching entropy; Jin and
Tanaka-Ishii 2006, ACL P06-2056). Only sequences that the segmenter cuts into several words are
looked at: whole words of the lexicon are known already. Readings are those the labeller gives the
hanzi where they stand; the most frequent one is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from math import log
from typing import Final

from yinzi.lexicon import MAX_WORD_LENGTH
from yinzi_train.adaptation.labelled_runs import LabelledRun

__all__ = ["NewWord", "NewWordOptions", "find_new_words"]

_BORDER: Final = ""
"""Stands for the end of a run, beside which everything is free."""


@dataclass(frozen=True)
class NewWordOptions:
    """What counts as a new word.

    Attributes:
        min_count: occurrences, at least 2.
        min_cohesion: natural log of how much oftener it comes than its two halves by chance, at the
            cut where that is least.
        min_entropy: nats of the hanzi before it, and of those behind it.
        max_words: words taken, the most frequent first.
        max_parts: words of the lexicon that it is put together of, at most.
    """

    min_count: int = 4
    min_cohesion: float = 3.0
    min_entropy: float = 0.8
    max_words: int = 5_000
    max_parts: int = 3


@dataclass(frozen=True)
class NewWord:
    """A word with its main reading.

    Attributes:
        text: 2 to 8 hanzi.
        syllables: syllable ids, one a hanzi.
        tones: 1 to 5, one a hanzi.
        count: occurrences in the text.
    """

    text: str
    syllables: tuple[int, ...]
    tones: tuple[int, ...]
    count: int


def find_new_words(
    runs: Sequence[LabelledRun],
    known: Container[str],
    options: NewWordOptions = NewWordOptions(),
) -> list[NewWord]:
    """Return new words, the most frequent first; equally frequent ones by text.

    Args:
        runs: segmented runs of hanzi with readings.
        known: words of the lexicon: the likeliest split may cut one of them in two.
        options: what counts.
    """
    counts = _count_pieces(runs, options)
    total = sum(len(run.text) for run in runs)
    frequent = {
        text: count
        for text, count in _count_spans(runs, options).items()
        if count >= options.min_count
        and text not in known
        and _cohesion(text, counts, total) >= options.min_cohesion
    }
    before: dict[str, Counter[str]] = {text: Counter() for text in frequent}
    behind: dict[str, Counter[str]] = {text: Counter() for text in frequent}
    readings: dict[str, Counter[tuple[tuple[int, ...], tuple[int, ...]]]] = {
        text: Counter() for text in frequent
    }
    for run, start, end in _spans(runs, options):
        text = run.text[start:end]
        if text in frequent:
            before[text][run.text[start - 1] if start else _BORDER] += 1
            behind[text][run.text[end] if end < len(run.text) else _BORDER] += 1
            readings[text][run.syllables[start:end], run.tones[start:end]] += 1
    found = []
    for text, count in frequent.items():
        freedom = min(_entropy(before[text]), _entropy(behind[text]))
        (syllables, tones), _ = max(readings[text].items(), key=lambda item: (item[1], item[0]))
        if freedom >= options.min_entropy and min(syllables) >= 0:
            found.append(NewWord(text, syllables, tones, count))
    found.sort(key=lambda word: (-word.count, word.text))
    return found[: options.max_words]


def _spans(
    runs: Sequence[LabelledRun], options: NewWordOptions
) -> Iterator[tuple[LabelledRun, int, int]]:
    """Yield the stretches of two and more words of the lexicon that are short enough."""
    for run in runs:
        borders = run.borders
        for first in range(len(borders) - 2):
            last = min(len(borders), first + options.max_parts + 1)
            for end in borders[first + 2 : last]:
                if end - borders[first] > MAX_WORD_LENGTH:
                    break
                yield run, borders[first], end


def _count_spans(runs: Sequence[LabelledRun], options: NewWordOptions) -> Counter[str]:
    return Counter(run.text[start:end] for run, start, end in _spans(runs, options))


def _count_pieces(runs: Sequence[LabelledRun], options: NewWordOptions) -> Counter[str]:
    """Count all hanzi sequences that can be half of a candidate."""
    counts: Counter[str] = Counter()
    for run in runs:
        text = run.text
        for start in range(len(text)):
            for end in range(start + 1, min(len(text), start + MAX_WORD_LENGTH) + 1):
                counts[text[start:end]] += 1
    return counts


def _cohesion(text: str, counts: Counter[str], total: int) -> float:
    """Return the least pointwise mutual information over the ways to cut a text in two."""
    share = counts[text] / total
    return min(
        log(share / (counts[text[:cut]] / total * (counts[text[cut:]] / total)))
        for cut in range(1, len(text))
    )


def _entropy(neighbours: Counter[str]) -> float:
    """Return the entropy of neighbours in nats; borders of runs are all different."""
    total = sum(neighbours.values())
    n_borders = neighbours.get(_BORDER, 0)
    inner = sum(
        -count / total * log(count / total) for text, count in neighbours.items() if text != _BORDER
    )
    return inner + n_borders / total * log(total)
