"""Say what is stored of a word, and check words that come from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from yinzi.errors import UserLexiconError
from yinzi.pinyin import SYLLABLES
from yinzi.text import is_hanzi

__all__ = [
    "ADDED_WEIGHT",
    "HALF_LIFE",
    "IMPORTED_WEIGHT",
    "MAX_USER_WORD_LENGTH",
    "CommittedPart",
    "UserWord",
    "WordSource",
    "check_word",
    "decayed",
]

MAX_USER_WORD_LENGTH: Final = 16
"""Hanzi of the longest word that can be added or imported."""
HALF_LIFE: Final = 4096
"""Committed words after which what was learned counts half; not days: a holiday forgets nothing."""
ADDED_WEIGHT: Final = 4.0
"""Weight of a word that was added by hand: as much as that many commits."""
IMPORTED_WEIGHT: Final = 1.0
"""Weight of an imported word without a frequency."""

_LEGAL: Final = frozenset(SYLLABLES)


class WordSource(str, Enum):
    """Where a word of the user lexicon comes from; `CHOSEN` only counts the use of known words."""

    ADDED = "added"
    LEARNED = "learned"
    IMPORTED = "imported"
    CHOSEN = "chosen"


class CommittedPart(NamedTuple):
    """A piece of an input that was committed in one go.

    Attributes:
        text: what was committed.
        syllables: toneless, one a hanzi.
        was_first_candidate: it stood first in the list.
    """

    text: str
    syllables: tuple[str, ...]
    was_first_candidate: bool = True


@dataclass(frozen=True)
class UserWord:
    """A word with one reading, and what is known of its use.

    Attributes:
        text: 1 to 16 hanzi.
        syllables: toneless, one a hanzi.
        weight: commits it counts for, as of `last_use`; see `decayed`.
        count: how often it was committed.
        last_use: number of the commit that used it last; counts words, not seconds.
        source: where it comes from; a learned word that is added counts as added.
        is_forgotten: it must not be offered.
    """

    text: str
    syllables: tuple[str, ...]
    weight: float
    count: int
    last_use: int
    source: WordSource
    is_forgotten: bool = False


def decayed(weight: float, age: float) -> float:
    """Return what a weight counts after so many further committed words.

    >>> decayed(2.0, HALF_LIFE)
    1.0
    """
    return float(weight * 0.5 ** (max(age, 0) / HALF_LIFE))


def check_word(text: str, syllables: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return a word and its syllables if they can be stored.

    >>> check_word("音字", ["yin", "zi"])
    ('音字', ('yin', 'zi'))

    Raises:
        UserLexiconError: the text is no word of 1 to 16 hanzi, a syllable is none of toneless
            pinyin, or there is not one for each hanzi.
    """
    if isinstance(syllables, str):
        syllables = syllables.replace("'", " ").split()
    spelled = tuple(syllables)
    if not 1 <= len(text) <= MAX_USER_WORD_LENGTH:
        raise UserLexiconError(
            f"the word {text!r} has {len(text)} characters: expected 1 to {MAX_USER_WORD_LENGTH}"
        )
    for position, char in enumerate(text, start=1):
        if not is_hanzi(char):
            raise UserLexiconError(
                f"character {position} of the word {text!r} is {char!r}: expected hanzi only"
            )
    for position, syllable in enumerate(spelled, start=1):
        if syllable not in _LEGAL:
            raise UserLexiconError(
                f"syllable {position} of {text!r} is {syllable!r}: expected toneless pinyin such "
                "as 'zhong' or 'lv'"
            )
    if len(spelled) != len(text):
        raise UserLexiconError(
            f"{len(spelled)} syllables ({' '.join(spelled)!r}) for the {len(text)} hanzi of "
            f"{text!r}: expected one for each"
        )
    return text, spelled
