"""Check that a candidate's syllables can be read from the letters that it consumes.

Knows nothing of `yinzi.pinyin`: spellings are worked out from the syllables themselves, every way
to cut the letters is tried. Borders (white space, apostrophes) may stand between syllables; a
syllable may be cut after any letter; a tone digit may follow a whole one. Whether a tone is the
right one is not looked at, since other tones are offered too, further down.
"""

from __future__ import annotations

import unicodedata
from typing import Protocol

BORDERS = "'’"
_TONES = {"\u0304", "\u0301", "\u030c", "\u0300", "\u0306"}
_ALIKE = {"ɑ": "a", "ɡ": "g"}


class Offered(Protocol):
    """What is checked of a candidate."""

    text: str
    start: int
    end: int
    syllables: tuple[str, ...]


def reading_matches(typed: str, candidate: Offered) -> bool:
    """Tell whether the syllables spell the letters from start to end, one hanzi of the text each.

    Items of `syllables` that passed through must stand in the text as typed.
    """
    if not all(_is_border(char) for char in typed[: candidate.start]):
        return False
    states = {(candidate.start, 0)}  # (position in the letters, position in the text)
    for item in candidate.syllables:
        after: set[tuple[int, int]] = set()
        for position, at in states:
            if at < len(candidate.text) and _is_hanzi(candidate.text[at]) and item.isalpha():
                after |= {(end, at + 1) for end in _ends(typed, position, item)}
            if typed.startswith(item, position) and candidate.text.startswith(item, at):
                after.add((position + len(item), at + len(item)))
        states = {(end, at) for position, at in after for end in _with_borders(typed, position)}
    return (candidate.end, len(candidate.text)) in states


def spellings(syllable: str) -> set[str]:
    """Return the ways to type a whole syllable."""
    ways = {syllable}
    if syllable[0] in "jqxy" and syllable[1:2] == "u":
        ways.add(f"{syllable[0]}v{syllable[2:]}")
    if syllable in ("lve", "nve"):
        ways.add(f"{syllable[0]}ue")
    return ways


def _ends(typed: str, start: int, syllable: str) -> set[int]:
    ends = {end for way in spellings(syllable) for end in _spelled_ends(typed, start, way)}
    if syllable == "er":
        ends |= _spelled_ends(typed, start, "r")
    return ends


def _spelled_ends(typed: str, start: int, spelling: str) -> set[int]:
    """Return where the letters can end that spell a syllable or start it."""
    ends: set[int] = set()
    position = start
    for count, wanted in enumerate(spelling, start=1):
        read = _read_letter(typed, position)
        if read is None or read[0] != wanted:
            break
        position = read[1]
        ends.add(position)
        if count == len(spelling) and typed[position : position + 1] in tuple("012345"):
            ends.add(position + 1)
    return ends


def _read_letter(typed: str, position: int) -> tuple[str, int] | None:
    """Return a bare letter, ü as v, and where it ends."""
    if position >= len(typed):
        return None
    end = position + 1
    while end < len(typed) and unicodedata.combining(typed[end]):
        end += 1
    base, *marks = unicodedata.normalize("NFD", typed[position:end].lower())
    base = _ALIKE.get(base, base)
    for mark in marks:
        if base == "u" and mark == "\u0308":
            base = "v"
        elif base == "e" and mark == "\u0302":
            base = "ê"
        elif mark not in _TONES:
            return None
    if base == "u" and typed[end : end + 1] == ":":
        return "v", end + 1
    return base, end


def _with_borders(typed: str, position: int) -> set[int]:
    ends = {position}
    while position < len(typed) and _is_border(typed[position]):
        position += 1
        ends.add(position)
    return ends


def _is_hanzi(char: str) -> bool:
    return unicodedata.name(char, "").startswith(("CJK ", "IDEOGRAPHIC NUMBER ZERO"))


def _is_border(char: str) -> bool:
    return char.isspace() or char in BORDERS
