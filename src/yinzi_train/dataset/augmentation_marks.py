"""Leave out what full pinyin has beside its letters: tones, and the borders between syllables."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from yinzi_train.dataset.augmentation_draws import Purpose, check_rate, uniforms
from yinzi_train.dataset.augmentation_rows import TypedRows

__all__ = ["BorderOptions", "ToneOptions", "apply_borders", "apply_tones"]


@dataclass(frozen=True)
class ToneOptions:
    """How often tones are not typed. Hardly anybody types them, so most rows have none.

    Attributes:
        rate: share of rows without any tone, 0 to 1.
        syllable_rate: share of syllables without their tone in the other rows, 0 to 1.
    """

    rate: float = 0.95
    syllable_rate: float = 0.3

    def __post_init__(self) -> None:
        check_rate("tones.rate", self.rate)
        check_rate("tones.syllable_rate", self.syllable_rate)


@dataclass(frozen=True)
class BorderOptions:
    """How often syllables are typed without borders.

    Attributes:
        rate: share of unsegmented rows, 0 to 1; the others have a blank between syllables.
    """

    rate: float = 0.7

    def __post_init__(self) -> None:
        check_rate("borders.rate", self.rate)


def apply_tones(rows: TypedRows, options: ToneOptions) -> TypedRows:
    """Leave out tones, of whole rows and of single syllables."""
    if not (options.rate or options.syllable_rate):
        return rows
    is_dropped = (uniforms(rows.keys, Purpose.TONES_ROW) < options.rate)[rows.row_of]
    if options.syllable_rate:
        places = np.flatnonzero(~is_dropped)
        keys = rows.keys[rows.row_of[places]]
        draws = uniforms(keys, Purpose.TONE, rows.positions[places])
        is_dropped[places] = draws < options.syllable_rate
    return replace(rows, typed_tones=np.where(is_dropped, np.int8(0), rows.typed_tones))


def apply_borders(rows: TypedRows, options: BorderOptions) -> TypedRows:
    """Leave out the borders inside the runs of some rows."""
    if not options.rate:
        return rows
    is_joined = (uniforms(rows.keys, Purpose.BORDERS_ROW) < options.rate)[rows.row_of]
    return replace(rows, is_joined=rows.is_joined | (is_joined & ~rows.is_run_end))
