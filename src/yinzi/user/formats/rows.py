"""Hold one word of a word list as it stands in the file."""

from __future__ import annotations

from typing import NamedTuple

from yinzi.errors import InvalidPinyin, UserLexiconError
from yinzi.pinyin import parse_syllable

__all__ = ["ImportedWord", "toneless", "undecodable"]


class ImportedWord(NamedTuple):
    """A word of a list.

    Attributes:
        text: as it stands there.
        syllables: toneless where they can be read so; empty if the list gives none.
        frequency: how often the list says it occurs, None if it does not.
        place: where it stands, for messages: `line 7` or `byte 9752`.
        is_faint: the list says that this reading is next to never used.
    """

    text: str
    syllables: tuple[str, ...]
    frequency: float | None
    place: str
    is_faint: bool = False


def toneless(spelled: str) -> tuple[str, ...]:
    """Return the syllables of a reading whose parts stand apart by blanks or `'`.

    Parts that are no syllables stay as they are, for the message that tells of them.

    >>> toneless("ni'hao"), toneless("nǐ hao3"), toneless("nü er")
    (('ni', 'hao'), ('ni', 'hao'), ('nv', 'er'))
    """
    return tuple(_toneless(part) for part in spelled.replace("'", " ").split())


def _toneless(part: str) -> str:
    try:
        return parse_syllable(part).toneless
    except InvalidPinyin:
        return part


def undecodable(path: object, data: bytes, error: UnicodeDecodeError) -> UserLexiconError:
    """Return the error for a text file that is not in the encoding that it should have."""
    line = data.count(b"\n", 0, error.start) + 1
    return UserLexiconError(
        f"{str(path)!r}, line {line}: byte {error.start} is no UTF-8; save the file as UTF-8"
    )
