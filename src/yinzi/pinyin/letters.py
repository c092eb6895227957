"""Read and write single pinyin letters: tone marks, ü and ê, composed or not, in either case.

A letter is a base character and the combining marks after it. Where a tone mark stands in a
syllable is decided here too, for writing it and for telling a well-placed mark from a stray one.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from yinzi.pinyin.inventory import INTERJECTIONS

__all__ = ["COMBINING_CLASS", "LETTER_CLASS", "add_mark", "mark_index", "read_letter"]

_MARKS = ("\u0304", "\u0301", "\u030c", "\u0300")  # macron, acute, caron, grave: tones 1 to 4
_TONES = {mark: tone for tone, mark in enumerate(_MARKS, start=1)}
_TONES["\u0306"] = 3  # the breve is often typed for the caron
_DIAERESIS, _CIRCUMFLEX = "\u0308", "\u0302"
_BASES = {"ɑ": "a", "ɡ": "g"}  # the letter shapes of Chinese primers
_MAX_LETTER_CHARS = 4  # base, tone, diaeresis and one to spare
_MARKED_BASES = "aeiouüvêmn"


def _composed_letters() -> str:
    """Return all single characters that are a pinyin letter with its mark already on it."""
    found = {"ü", "ê"}
    for base in _MARKED_BASES:
        found.update(unicodedata.normalize("NFC", base + mark) for mark in _TONES)
    lower = {char for char in found if len(char) == 1}
    return "".join(sorted(lower | {char.upper() for char in lower}))


LETTER_CLASS: str = "a-zA-Z" + "".join(_BASES) + _composed_letters()
"""The inside of a regular expression's class of all characters that start a pinyin letter."""

COMBINING_CLASS: str = "\u0300-\u036f"
"""The same for combining marks; which of them make sense on a letter, `read_letter` says."""


@lru_cache(maxsize=4096)
def read_letter(chars: str) -> tuple[str, int] | None:
    r"""Return the bare letter and the tone of one written letter, or None if pinyin lacks it.

    The letter comes back in lower case, ü as `v`; a tone of 0 means no tone mark.

    >>> read_letter("Ǚ"), read_letter("e\u0302\u0301"), read_letter("h"), read_letter("ä")
    (('v', 3), ('ê', 2), ('h', 0), None)
    """
    if len(chars) > _MAX_LETTER_CHARS:
        return None
    decomposed = unicodedata.normalize("NFD", chars.lower())
    base, marks = decomposed[:1], decomposed[1:]
    letter, tone = _BASES.get(base, base), 0
    for mark in marks:
        if mark == _DIAERESIS and letter == "u":
            letter = "v"
        elif mark == _CIRCUMFLEX and letter == "e":
            letter = "ê"
        elif mark in _TONES and not tone:
            tone = _TONES[mark]
        else:
            return None
    return letter, tone


def mark_index(syllable: str) -> int:
    """Return the index of the letter of a toneless syllable that carries the tone mark.

    a, e and ê first, then the o of ou, then the last vowel; m or n where there is no vowel (Basic
    Rules of the Chinese Phonetic Alphabet Orthography, GB/T 16159-2012).

    >>> [syllable[mark_index(syllable)] for syllable in ("xiao", "gou", "liu", "lve", "hng")]
    ['a', 'o', 'u', 'e', 'n']
    """
    if syllable in INTERJECTIONS:
        return 1 if syllable[0] == "h" else 0
    for letter in "aeê":
        if letter in syllable:
            return syllable.index(letter)
    if "ou" in syllable:
        return syllable.index("o")
    return max(syllable.rfind(letter) for letter in "iouv")


def add_mark(syllable: str, tone: int) -> str:
    """Return a toneless syllable of the inventory with the mark of its tone, and with ü for `v`.

    Tones 0 and 5 have no mark. The result is in normal form C.

    >>> add_mark("lve", 4), add_mark("ng", 2), add_mark("de", 5)
    ('lüè', 'ńg', 'de')
    """
    if 1 <= tone <= len(_MARKS):
        after = mark_index(syllable) + 1
        syllable = syllable[:after] + _MARKS[tone - 1] + syllable[after:]
    return unicodedata.normalize("NFC", syllable.replace("v", "ü"))
