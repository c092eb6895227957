"""Read English among pinyin: known words, capitals, and digits that may be tones or numbers.

An English word is one more way to read letters: a literal edge over all of them, which the search
weighs against pinyin. Its penalty is what a switch of language costs plus how rare the word is
between hanzi. Letters that split into full syllables stay pinyin (`women` is 我们), as the graph
drops what is so much worse: a word wins where pinyin needs initials or finds nothing, as in
`iphone`, `kfc` and `email`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.resources import files
from typing import Final

from yinzi.errors import ConfigError
from yinzi.pinyin.edges import EdgeKind, EdgeSource, GraphOptions, Proposal
from yinzi.pinyin.reading import Stretch, read_mixed_spans, read_spans
from yinzi.pinyin.scheme import FULL_PINYIN, InputScheme

__all__ = ["MIXED_PINYIN", "EnglishOptions", "MixedEdges", "english_words", "with_english"]

_KEY_LETTERS: Final = 2
_NO_SYLLABLE: Final = -1


@dataclass(frozen=True)
class EnglishOptions:
    """What it costs to leave pinyin; all natural logarithms ≤ 0 but the weights.

    Attributes:
        switch_logprob: for a word of the list.
        word_weight: how much of the own logprob of a word of the list counts, at least 0.
        abbreviated_logprob: on top of that if the letters around it in its stretch are not spelled
            out: who types initials (`wyqsdk`) hardly means an abbreviation among them.
        capital_logprob: takes the place of `switch_logprob` for a word with capitals in it,
        capital_weight: and this that of `word_weight`, at least 0.
        letter_logprob: for letters in a row that are all capitals; for each letter of a name that
            is not in the list: it starts with a capital and has more of them inside (`McDonald`),
            or is the whole word.
        digit_logprob: for a digit that is a number where it could be a tone,
        tone_logprob: and for one that is a tone, where other syllables have none.

    Raises:
        ConfigError: a value has the wrong sign or is not finite.
    """

    switch_logprob: float = -2.0
    word_weight: float = 1.0
    abbreviated_logprob: float = -12.0
    capital_logprob: float = -0.5
    capital_weight: float = 0.3
    letter_logprob: float = -2.0
    digit_logprob: float = 0.0
    tone_logprob: float = -3.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            is_weight = field.name.endswith("_weight")
            if not math.isfinite(value) or (value < 0 if is_weight else value > 0):
                expected = "a finite number ≥ 0" if is_weight else "a finite natural logarithm ≤ 0"
                raise ConfigError(f"English option {field.name} is {value!r}; set it to {expected}")


@cache
def english_words() -> dict[str, float]:
    """Return the natural logarithm of each known word's share of English between hanzi.

    >>> english_words()["iphone"] > english_words()["kitchen"]
    True
    """
    table = files("yinzi.pinyin").joinpath("english.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines())
    return {word: float(logprob) for word, logprob in rows}


@cache
def _lengths() -> dict[str, tuple[int, ...]]:
    """Return how long the words are that start with some letters."""
    found: dict[str, set[int]] = {}
    for word in english_words():
        found.setdefault(word[:_KEY_LETTERS], set()).add(len(word))
    return {letters: tuple(sorted(lengths)) for letters, lengths in found.items()}


@dataclass(frozen=True)
class MixedEdges:
    """An edge source that joins English to others, whose stretches stay as they were.

    Attributes:
        sources: propose the edges of pinyin.
        options: penalties.
    """

    sources: tuple[EdgeSource, ...]
    options: EnglishOptions = EnglishOptions()

    def __call__(self, stretch: Stretch, options: GraphOptions, /) -> Iterator[Proposal]:
        """Yield the edges of the other sources, words of the list, names, and a digit if any."""
        if stretch.letters[-1].isdigit():
            yield from self._with_digit(stretch, options)
        else:
            yield from self._without_digit(stretch, options)

    def _with_digit(self, stretch: Stretch, options: GraphOptions) -> Iterator[Proposal]:
        digit, n_letters = stretch.letters[-1], len(stretch.letters) - 1
        bare = replace(stretch, letters=stretch.letters[:-1], tones=stretch.tones[:-1])
        yield from self._without_digit(replace(bare, is_tail=True), options)
        yield _literal(n_letters, n_letters + 1, self.options.digit_logprob)
        toned = replace(bare, final_tone=int(digit) or 5)
        for source in self.sources:
            for edge in source(toned, options):
                if edge.last == n_letters:
                    logprob = edge.logprob + self.options.tone_logprob
                    yield edge._replace(last=n_letters + 1, logprob=logprob)

    def _without_digit(self, stretch: Stretch, options: GraphOptions) -> Iterator[Proposal]:
        spelled = [edge for source in self.sources for edge in source(stretch, options)]
        yield from spelled
        if stretch.tones or stretch.final_tone:
            return
        literals = dict(self._words(stretch, spelled, options))
        for span, logprob in self._names(stretch):
            literals[span] = max(logprob, literals.get(span, logprob))
        for (first, last), logprob in literals.items():
            yield _literal(first, last, logprob)

    def _words(
        self, stretch: Stretch, spelled: Sequence[Proposal], options: GraphOptions
    ) -> Iterator[tuple[tuple[int, int], float]]:
        """Yield where words of the list stand, with their penalties."""
        found = list(_listed(stretch.letters))
        if not found:
            return
        n_letters, capitals = len(stretch.letters), stretch.capitals
        plain = [(one.first, one.last) for one in spelled if one.logprob >= options.tail_logprob]
        if not capitals and _reached(plain, n_letters)[-1]:
            return
        spans = plain + [(first, last) for first, last, _ in found]
        before = _reached(spans, n_letters)
        backwards = [(n_letters - last, n_letters - first) for first, last in spans]
        after = _reached(backwards, n_letters)
        for first, last, logprob in found:
            switch, weight = self.options.switch_logprob, self.options.word_weight
            if any(first <= at < last for at in capitals):
                switch, weight = self.options.capital_logprob, self.options.capital_weight
            if not (before[first] and after[n_letters - last]):
                switch += self.options.abbreviated_logprob
            yield (first, last), switch + weight * logprob

    def _names(self, stretch: Stretch) -> Iterator[tuple[tuple[int, int], float]]:
        """Yield runs of capitals, names that start with one, and the whole stretch."""
        capitals, n_letters = stretch.capitals, len(stretch.letters)
        if not capitals:
            return
        runs: list[list[int]] = []
        for at in capitals:
            if runs and at == runs[-1][1]:
                runs[-1][1] += 1
            else:
                runs.append([at, at + 1])
        for first, last in runs:
            yield (first, last), self.options.letter_logprob
        ends = [start for start, _ in runs[1:]] + [n_letters]
        for number, (first, _) in enumerate(runs):
            for last in ends[number:]:
                yield (first, last), self.options.letter_logprob * (last - first)
        yield (0, n_letters), self.options.letter_logprob * n_letters


def _listed(letters: str) -> Iterator[tuple[int, int, float]]:
    """Yield where words of the list stand in some letters, with their logprobs."""
    words, lengths, n_letters = english_words(), _lengths(), len(letters)
    for first in range(n_letters - _KEY_LETTERS + 1):
        for length in lengths.get(letters[first : first + _KEY_LETTERS], ()):
            if first + length > n_letters:
                break
            logprob = words.get(letters[first : first + length])
            if logprob is not None:
                yield first, first + length, logprob


def _reached(spans: Sequence[tuple[int, int]], n_letters: int) -> list[bool]:
    """Tell which borders of letters can be reached from the first along some spans."""
    is_reached = [True] + [False] * n_letters
    for first, last in sorted(spans):
        is_reached[last] |= is_reached[first]
    return is_reached


def _literal(first: int, last: int, logprob: float) -> Proposal:
    return Proposal(first, last, _NO_SYLLABLE, _NO_SYLLABLE, EdgeKind.LITERAL, logprob, 0)


def with_english(scheme: InputScheme, options: EnglishOptions | None = None) -> InputScheme:
    """Return a scheme that also reads English words, capitals and numbers among the pinyin.

    Put further sources (fuzzy pinyin, typing errors) into the scheme first: they see the letters
    without capitals and digits. A scheme that cuts lines in its own way keeps its way, and gets
    words of the list only.

    >>> from yinzi.pinyin import SyllableGraph
    >>> graph = SyllableGraph.from_text("deiphone", scheme=with_english(FULL_PINYIN))
    >>> [graph.text[edge.start : edge.end] for edge in graph.edges if edge.end - edge.start > 5]
    ['iphone']
    """
    read = read_mixed_spans if scheme.read is read_spans else scheme.read
    source = MixedEdges(scheme.sources, options or EnglishOptions())
    return replace(scheme, name=f"{scheme.name}+english", sources=(source,), read=read)


MIXED_PINYIN = with_english(FULL_PINYIN)
"""Full pinyin with English: the recommended scheme for typing."""
