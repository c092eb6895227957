"""Turn the pinyin column of a row into what a person would type.

The sets hold full syllables with spaces between them. Typing is looser than that: without borders,
or with only the first letter of some syllables. Each way is one `InputForm`.
"""

from __future__ import annotations

import random
from dataclasses import replace
from enum import Enum

from yinzi.evaluation.rows import Row
from yinzi.evaluation.typing_noise import TypingNoise

__all__ = ["InputForm", "typed_input"]

INITIAL_SHARE = 0.5  # share of syllables that `InputForm.MIXED` cuts to their first letter


class InputForm(str, Enum):
    """Name a way of typing a row; examples are for 我要去 (wo yao qu)."""

    SEGMENTED = "segmented"  # `wo yao qu`: full syllables with borders
    UNSEGMENTED = "unsegmented"  # `woyaoqu`: full syllables, no borders
    INITIALS = "initials"  # `wyq`: the first letter of each syllable (`zh` gives `z`), no borders
    MIXED = "mixed"  # `woyqu`: some syllables full, some by first letter, no borders


def typed_input(
    row: Row, form: InputForm, *, seed: int = 0, noise: TypingNoise | None = None
) -> str:
    """Give the letters that type a row in one form.

    `MIXED` cuts each syllable with probability one half. What it cuts depends on the seed and on
    the row's id and pinyin only, so neither the order nor the number of rows changes it. With
    `noise`, the typist has an accent or makes a slip.

    Example:
        >>> row = Row("0", "中国人", "zhong guo ren")
        >>> [typed_input(row, form) for form in list(InputForm)[:3]]
        ['zhong guo ren', 'zhongguoren', 'zgr']
    """
    if noise is not None:
        spoken = replace(row, pinyin=" ".join(noise.accented(row)))
        return noise.typed(row, typed_input(spoken, form, seed=seed))
    syllables = row.syllables
    if form is InputForm.SEGMENTED:
        return " ".join(syllables)
    if form is InputForm.UNSEGMENTED:
        return "".join(syllables)
    if form is InputForm.INITIALS:
        return "".join(syllable[0] for syllable in syllables)
    generator = random.Random(f"{seed}\t{row.id}\t{row.pinyin}")
    return "".join(
        syllable[0] if generator.random() < INITIAL_SHARE else syllable for syllable in syllables
    )
