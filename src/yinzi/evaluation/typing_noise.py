"""Make typed input wrong on purpose: one slip of the finger a row, or a regional accent.

The rules here are plain on purpose and know nothing of how the converter corrects: five kinds of
slip, all equally likely, at a place drawn evenly. What is done to a row depends on the seed and on
the row's id and pinyin only, so neither the order nor the number of rows changes it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from yinzi.errors import ConfigError
from yinzi.evaluation.rows import Row
from yinzi.pinyin import SYLLABLES

__all__ = ["MIN_HANZI", "NoiseKind", "TypingNoise", "mistype", "speak_with_accent"]

MIN_HANZI = 5
"""Rows of fewer hanzi are typed without a slip: one wrong letter may leave nothing to go by."""

_NEIGHBOURS = {
    **{"q": "wa", "w": "qeas", "e": "wrsd", "r": "etdf", "t": "ryfg", "y": "tugh", "u": "yihj"},
    **{"i": "uojk", "o": "ipkl", "p": "ol", "a": "qwsz", "s": "weadzx", "d": "ersfxc"},
    **{"f": "rtdgcv", "g": "tyfhvb", "h": "yugjbn", "j": "uihknm", "k": "iojlm", "l": "opk"},
    **{"z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk"},
}
"""The keys that touch each key of a QWERTY keyboard."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_FLAT = {"zh": "z", "ch": "c", "sh": "s"}
_KNOWN = frozenset(SYLLABLES)


class NoiseKind(str, Enum):
    """Name what is wrong with the input."""

    TYPING = "typing"
    ACCENT = "accent"


@dataclass(frozen=True)
class TypingNoise:
    """Choose what is done to the input of an evaluation.

    Attributes:
        kind: slips of the finger, or an accent.
        seed: another one gives other slips.
    """

    kind: NoiseKind
    seed: int = 0

    @classmethod
    def parse(cls, text: str) -> TypingNoise:
        """Read `typing`, `accent`, or one of them with a seed.

        >>> TypingNoise.parse("typing:7")
        TypingNoise(kind=<NoiseKind.TYPING: 'typing'>, seed=7)

        Raises:
            ConfigError: the kind is unknown or the seed is no whole number.
        """
        name, separator, seed = text.partition(":")
        kinds = [kind.value for kind in NoiseKind]
        if name not in kinds or (separator and not seed.isdecimal()):
            raise ConfigError(
                f"unknown noise {text!r}: expected one of {', '.join(kinds)}, "
                "and a seed ≥ 0 if wanted, such as 'typing:1'"
            )
        return cls(NoiseKind(name), int(seed or 0))

    def accented(self, row: Row) -> Sequence[str]:
        """Return the syllables that the typist means to type."""
        if self.kind is NoiseKind.ACCENT:
            return speak_with_accent(row.syllables, generator=self._generator(row))
        return row.syllables

    def typed(self, row: Row, text: str) -> str:
        """Return the input as it comes from the keyboard."""
        if self.kind is NoiseKind.TYPING and len(row.hanzi) >= MIN_HANZI:
            return mistype(text, generator=self._generator(row))
        return text

    def _generator(self, row: Row) -> random.Random:
        return random.Random(f"{self.kind.value}\t{self.seed}\t{row.id}\t{row.pinyin}")


def speak_with_accent(syllables: Sequence[str], *, generator: random.Random) -> list[str]:
    """Return what a speaker types who has no zh, ch and sh, and mixes up n and l.

    zh, ch and sh become z, c and s always; each n or l at the start of a syllable becomes the other
    one with probability one half. A change that gives no syllable is left out.

    >>> speak_with_accent("zhong shan nan lu".split(), generator=random.Random(1))
    ['zong', 'san', 'lan', 'lu']
    """
    spoken = []
    for syllable in syllables:
        changed = syllable
        if syllable[:2] in _FLAT:
            changed = _FLAT[syllable[:2]] + syllable[2:]
        elif syllable[0] in "nl" and generator.random() < 0.5:
            changed = ("l" if syllable[0] == "n" else "n") + syllable[1:]
        spoken.append(changed if changed in _KNOWN else syllable)
    return spoken


def mistype(text: str, *, generator: random.Random) -> str:
    """Return a text with one slip of the finger in its letters.

    One of five kinds, equally likely: a neighbour key instead of a letter; two different letters
    that follow each other swapped; a letter left out; any other letter of the alphabet put in; a
    letter typed twice. The place is drawn evenly. A text without two different letters side by side
    gets a neighbour key instead of a swap.

    >>> mistype("nihao", generator=random.Random(6))
    'nnihao'
    """
    places = [index for index, char in enumerate(text) if char in _NEIGHBOURS]
    if not places:
        return text
    kind = generator.choice(("neighbour", "swap", "omission", "insertion", "double"))
    if kind == "swap":
        pairs = [
            index for index in places if index + 1 in places and text[index] != text[index + 1]
        ]
        if pairs:
            at = generator.choice(pairs)
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        kind = "neighbour"
    if kind == "insertion":
        at = generator.choice([*places, places[-1] + 1])
        beside = text[max(0, at - 1) : at + 1]
        letter = generator.choice([one for one in _LETTERS if one not in beside])
        return text[:at] + letter + text[at:]
    at = generator.choice(places)
    if kind == "omission":
        return text[:at] + text[at + 1 :]
    if kind == "double":
        return text[: at + 1] + text[at:]
    return text[:at] + generator.choice(_NEIGHBOURS[text[at]]) + text[at + 1 :]
