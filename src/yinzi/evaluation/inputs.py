"""Turn the pinyin column of a row into what a person would type.

The sets hold full syllables with spaces between them. Typing is looser than that: without borders,
or with only the first letter of some syllables. Each way is one `InputForm`.
"""

from __future__ import annotations

import random
from dataclasses import replace
from enum import Enum

from yinzi.errors import YinziError
from yinzi.evaluation.errors import EvaluationError
from yinzi.evaluation.rows import Row
from yinzi.evaluation.typing_noise import TypingNoise
from yinzi.pinyin import FULL_PINYIN, InputScheme, parse_syllable

__all__ = ["InputForm", "typed_input", "typed_syllables"]

INITIAL_SHARE = 0.5  # share of syllables that `InputForm.MIXED` cuts to their first letter


class InputForm(str, Enum):
    """Name a way of typing a row; examples are for 我要去 (wo yao qu)."""

    SEGMENTED = "segmented"  # `wo yao qu`: full syllables with borders
    UNSEGMENTED = "unsegmented"  # `woyaoqu`: full syllables, no borders
    INITIALS = "initials"  # `wyq`: the first letter of each syllable (`zh` gives `z`), no borders
    MIXED = "mixed"  # `woyqu`: some syllables full, some by first letter, no borders
    INCOMPLETE = "incomplete"  # `woyaoq`: full but for the end of the last syllable, no borders


def typed_input(
    row: Row,
    form: InputForm,
    *,
    seed: int = 0,
    scheme: InputScheme = FULL_PINYIN,
    noise: TypingNoise | None = None,
) -> str:
    """Give the letters, or the keys of another scheme, that type a row in one form.

    In other schemes the r of 那儿 na r is typed as er.

    `MIXED` cuts each syllable with probability one half; `INCOMPLETE` leaves of the last syllable
    any number of first letters but all, each as likely. What they cut depends on the seed and on
    the row's id and pinyin only, so neither the order nor the number of rows changes it. With
    `noise`, the typist has an accent or makes a slip.

    Example:
        >>> row = Row("0", "中国人", "zhong guo ren")
        >>> [typed_input(row, form) for form in list(InputForm)[:3]]
        ['zhong guo ren', 'zhongguoren', 'zgr']

    Raises:
        EvaluationError: the scheme cannot type a syllable of the row.
    """
    if noise is not None:
        spoken = replace(row, pinyin=" ".join(noise.accented(row)))
        return noise.typed(row, typed_input(spoken, form, seed=seed, scheme=scheme))
    border = " " if form is InputForm.SEGMENTED else ""
    return border.join(typed_syllables(row, form, seed=seed, scheme=scheme))


def typed_syllables(
    row: Row, form: InputForm, *, seed: int = 0, scheme: InputScheme = FULL_PINYIN
) -> list[str]:
    """Give what is typed for each syllable of a row in one form; see `typed_input`.

    Example:
        >>> typed_syllables(Row("0", "中国人", "zhong guo ren"), InputForm.INITIALS)
        ['z', 'g', 'r']
    """
    syllables = row.syllables
    if scheme is not FULL_PINYIN:
        try:
            syllables = [
                scheme.write(parse_syllable("er" if syllable == "r" else syllable))
                for syllable in syllables
            ]
        except YinziError as error:
            raise EvaluationError(
                f"row {row.id!r} cannot be typed with scheme {scheme.name!r}: {error}"
            ) from error
    if form in (InputForm.SEGMENTED, InputForm.UNSEGMENTED):
        return syllables
    if form is InputForm.INITIALS:
        return [syllable[0] for syllable in syllables]
    generator = random.Random(f"{seed}\t{row.id}\t{row.pinyin}")
    if form is InputForm.INCOMPLETE:
        last = syllables[-1]
        return [*syllables[:-1], last[: generator.randint(1, max(1, len(last) - 1))]]
    return [
        syllable[0] if generator.random() < INITIAL_SHARE else syllable for syllable in syllables
    ]
