"""Shorten syllables as people do: initials only, some syllables short, a last one not finished.

Only cuts that the syllable graph reads back as initial or incomplete are made. `xian` is not cut to
`xia`, which is a syllable of its own, nor `tian` to `tia`, which are two (`ti a`), so only 49
syllables have incomplete forms. Syllables without an initial (`an`, `er`) and the interjections
(`m`, `ng`) stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES
from yinzi.pinyin.inventory import INITIALS, INTERJECTIONS
from yinzi_train.dataset.augmentation_draws import Purpose, check_rate, uniforms
from yinzi_train.dataset.augmentation_rows import SYLLABLE_LENGTHS, InputKind, TypedRows

__all__ = [
    "INCOMPLETE_LENGTHS",
    "INITIAL_LENGTHS",
    "N_INCOMPLETE",
    "AbbreviationOptions",
    "apply_abbreviations",
]


@dataclass(frozen=True)
class AbbreviationOptions:
    """How often syllables are shortened. All are shares from 0 to 1.

    Attributes:
        initials_rate: rows of which every syllable is given by its initial only.
        mixed_rate: further rows of which some syllables are shortened; with `initials_rate` at
            most 1.
        syllable_rate: syllables shortened in such a mixed row.
        initial_share: of those, the ones cut to the initial; the others are cut later (`zho`).
        tail_rate: runs (MIUs) of rows in full whose last syllable is shortened: the typist is not
            done yet.
        long_initial_rate: zh, ch and sh as an initial that are typed with both letters.
    """

    initials_rate: float = 0.05
    mixed_rate: float = 0.25
    syllable_rate: float = 0.35
    initial_share: float = 0.7
    tail_rate: float = 0.05
    long_initial_rate: float = 0.4

    def __post_init__(self) -> None:
        for option in fields(self):
            check_rate(f"abbreviations.{option.name}", getattr(self, option.name))
        if self.initials_rate + self.mixed_rate > 1:
            raise ConfigError(
                f"abbreviations.initials_rate {self.initials_rate} and mixed_rate "
                f"{self.mixed_rate} are {self.initials_rate + self.mixed_rate:g} together: "
                "expected at most 1"
            )


_FULL: Final = frozenset(SYLLABLES) - INTERJECTIONS


def _initial_length(syllable: str) -> int:
    if syllable in INTERJECTIONS:
        return 0
    if syllable[:2] in INITIALS:
        return 2
    return 1 if syllable[0] in INITIALS and len(syllable) > 1 else 0


def _incomplete_lengths(syllable: str) -> list[int]:
    """Return how many letters of a syllable can stand for it without spelling something else."""
    if not _initial_length(syllable):
        return []
    return [n for n in range(1, len(syllable)) if not _is_spelled(syllable[:n])]


def _is_spelled(letters: str) -> bool:
    """Tell whether letters are an initial, a full syllable, or two of them, such as `tia`."""
    return (
        letters in _FULL
        or letters in INITIALS
        or any(letters[:n] in _FULL and letters[n:] in _FULL for n in range(1, len(letters)))
    )


def _padded(lists: list[list[int]]) -> NDArray[np.int8]:
    table = np.zeros((len(lists), max(map(len, lists))), dtype=np.int8)
    for index, values in enumerate(lists):
        table[index, : len(values)] = values
    return table


INITIAL_LENGTHS: Final = np.array([_initial_length(s) for s in SYLLABLES], dtype=np.int8)
"""int8 [n_syllables], letters of the initial as spelled; 0 where there is none to type alone."""

INCOMPLETE_LENGTHS: Final = _padded([_incomplete_lengths(s) for s in SYLLABLES])
"""int8 [n_syllables, 2], letters of each incomplete form, rows filled up with 0."""

N_INCOMPLETE: Final = (INCOMPLETE_LENGTHS > 0).sum(axis=1).astype(np.int8)
"""int8 [n_syllables], number of incomplete forms."""


def apply_abbreviations(rows: TypedRows, options: AbbreviationOptions) -> TypedRows:
    """Shorten syllables; a shortened syllable has no tone.

    A syllable that has no incomplete form is cut to its initial if that was the choice, else left.
    """
    if not (options.initials_rate or options.mixed_rate or options.tail_rate):
        return rows
    row_draws = uniforms(rows.keys, Purpose.ABBREVIATION_ROW)
    is_initials = row_draws < options.initials_rate
    is_mixed = ~is_initials & (row_draws < options.initials_rate + options.mixed_rate)
    tail_places = np.flatnonzero(rows.is_run_end & ~(is_initials | is_mixed)[rows.row_of])
    tail_rows = rows.row_of[tail_places]
    tails = uniforms(rows.keys[tail_rows], Purpose.TAIL, rows.positions[tail_places])
    tail_places = tail_places[tails < options.tail_rate]
    mixed_places = np.flatnonzero(is_mixed[rows.row_of])
    mixed_rows = rows.row_of[mixed_places]
    shortened = uniforms(
        rows.keys[mixed_rows], Purpose.ABBREVIATION_SYLLABLE, rows.positions[mixed_places]
    )
    mixed_places = mixed_places[shortened < options.syllable_rate]
    initials_places = np.flatnonzero(is_initials[rows.row_of])
    places = np.concatenate((initials_places, mixed_places, tail_places))
    if not len(places):
        return rows

    keys, positions = rows.keys[rows.row_of[places]], rows.positions[places]
    syllables = rows.typed_syllables[places]
    to_initial = uniforms(keys, Purpose.ABBREVIATION_FORM, positions) < options.initial_share
    to_initial[: len(initials_places)] = True
    draws = uniforms(keys, Purpose.ABBREVIATION_LENGTH, positions)
    is_short = (draws >= options.long_initial_rate) & (INITIAL_LENGTHS[syllables] == 2)
    initial = INITIAL_LENGTHS[syllables] - is_short  # [n], 0: none to type alone
    choice = (draws * N_INCOMPLETE[syllables]).astype(np.int64)
    incomplete = INCOMPLETE_LENGTHS[syllables, choice]  # [n], 0: no such form
    length = np.where(to_initial, initial, incomplete)
    is_cut = (length > 0) & (length < SYLLABLE_LENGTHS[syllables])
    is_cut &= rows.kinds[places] == InputKind.FULL
    places, length, to_initial = places[is_cut], length[is_cut], to_initial[is_cut]

    n_letters, kinds = rows.n_letters.copy(), rows.kinds.copy()
    tones = rows.typed_tones.copy()
    n_letters[places] = length
    kinds[places] = np.where(to_initial, InputKind.INITIAL, InputKind.INCOMPLETE)
    tones[places] = 0
    return replace(rows, n_letters=n_letters, kinds=kinds, typed_tones=tones)
