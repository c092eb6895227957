"""Read the nine keys of a telephone: digits 2 to 9, each for three or four letters of pinyin.

A run of digits can be spelled in many ways, so one stretch has several edges between the same two
positions: 94664 is zhong and xiong. Which is meant is for the language models to say. Tones cannot
be typed, as all digits are letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from yinzi.errors import ConfigError
from yinzi.pinyin.edges import EdgeKind, GraphOptions, Proposal
from yinzi.pinyin.inventory import INITIALS, SYLLABLES, prefix_range
from yinzi.pinyin.key_reading import KeyReader
from yinzi.pinyin.reading import MAX_SYLLABLE_LETTERS, Stretch
from yinzi.pinyin.scheme import InputScheme
from yinzi.pinyin.syllable import Syllable

__all__ = ["LETTERS_OF_DIGITS", "NINE_KEYS", "nine_key_edges"]

LETTERS_OF_DIGITS = {
    "2": "abc",
    "3": "def",
    "4": "ghi",
    "5": "jkl",
    "6": "mno",
    "7": "pqrs",
    "8": "tuv",
    "9": "wxyz",
}
_TO_DIGITS = str.maketrans(
    {letter: digit for digit, letters in LETTERS_OF_DIGITS.items() for letter in letters}
)
_VOWELS = frozenset("aeiouv")
# One run of 1 is a border between digits; elsewhere 1 is text, as 0 is.
_TOKEN = re.compile(
    r"(?P<word>[2-9]+)|(?P<border>[\s'’]+|(?<=[2-9])1+)|(?P<other>[^2-9\s'’])", re.DOTALL
)


class _Spelling(NamedTuple):
    kind: EdgeKind
    syllable_lo: int
    syllable_hi: int


def _read_spellings() -> dict[str, tuple[_Spelling, ...]]:
    """Return what digits can spell: syllables with a vowel, their initials, their beginnings."""
    by_letters: dict[str, _Spelling] = {}
    for index, syllable in enumerate(SYLLABLES):
        if not syllable.isascii() or _VOWELS.isdisjoint(syllable):
            continue
        for end in range(1, len(syllable)):
            letters = syllable[:end]
            kind = EdgeKind.INITIAL if letters in INITIALS else EdgeKind.INCOMPLETE
            by_letters.setdefault(letters, _Spelling(kind, *prefix_range(letters)))
        by_letters[syllable] = _Spelling(EdgeKind.FULL, index, index + 1)
    by_digits: dict[str, list[_Spelling]] = {}
    for letters, spelling in by_letters.items():
        by_digits.setdefault(letters.translate(_TO_DIGITS), []).append(spelling)
    return {digits: tuple(spellings) for digits, spellings in by_digits.items()}


_SPELLINGS = _read_spellings()


def nine_key_edges(stretch: Stretch, options: GraphOptions) -> Iterator[Proposal]:
    """Yield the edges of a run of digits: all syllables, initials and beginnings they can spell.

    What is no full syllable costs what it costs in letters, at the end of the input as well.

    >>> edges = nine_key_edges(Stretch("94664"), GraphOptions())
    >>> [SYLLABLES[edge.syllable_lo] for edge in edges if edge.last - edge.first == 5]
    ['xiong', 'zhong']
    """
    digits, n_digits = stretch.letters, len(stretch.letters)
    ends_full = any(
        spelling.kind is EdgeKind.FULL
        for length in range(1, min(MAX_SYLLABLE_LETTERS, n_digits) + 1)
        for spelling in _SPELLINGS.get(digits[-length:], ())
    )
    for first in range(n_digits):
        for last in range(first + 1, min(first + MAX_SYLLABLE_LETTERS, n_digits) + 1):
            spellings = _SPELLINGS.get(digits[first:last])
            if spellings is None:
                break
            is_tail = stretch.is_tail and last == n_digits
            for kind, low, high in spellings:
                if kind is EdgeKind.FULL:
                    logprob = 0.0
                elif is_tail and (kind is EdgeKind.INCOMPLETE or not ends_full):
                    logprob = options.tail_logprob
                elif kind is EdgeKind.INITIAL:
                    logprob = options.initial_logprob
                else:
                    logprob = options.incomplete_logprob
                yield Proposal(first, last, low, high, kind, logprob, 0)


def _takes_no_tone(_digits: str) -> bool:
    return False


def _write(syllable: Syllable) -> str:
    """Return the digits of a syllable; its tone is left out, as nine keys have none.

    Raises:
        ConfigError: the syllable is ê.
    """
    if not syllable.toneless.isascii():
        raise ConfigError(f"{syllable.toneless!r} cannot be typed on nine keys: type ei (34)")
    return syllable.toneless.translate(_TO_DIGITS)


NINE_KEYS = InputScheme("nine-keys", (nine_key_edges,), KeyReader(_TOKEN, _takes_no_tone), _write)
"""Digits 2 to 9; 1, an apostrophe or a blank is a border."""
