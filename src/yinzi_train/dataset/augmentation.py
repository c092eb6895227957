"""Turn labelled rows into what people would type for them, for training and for tests.

A row goes through up to six operations, always in this order: accent, abbreviation, tones, borders,
typing errors, mixed words. Each has a rate; all draws depend on the seed, the epoch and the row
alone, so neither the order of rows nor the number of workers changes anything. With every rate 0 a
row is typed in full, with tones and with borders: the identity.

`augment_table` writes the letters down; `yinzi_train.dataset.collator` makes model input on the
fly from the same operations. docs/augmentation.md has the tables, the sources and the measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa

from yinzi_train.dataset.augmentation_abbreviations import AbbreviationOptions, apply_abbreviations
from yinzi_train.dataset.augmentation_accents import AccentOptions, apply_accents
from yinzi_train.dataset.augmentation_marks import (
    BorderOptions,
    ToneOptions,
    apply_borders,
    apply_tones,
)
from yinzi_train.dataset.augmentation_mixing import MixingOptions, apply_mixing
from yinzi_train.dataset.augmentation_operations import (
    OPERATION_TYPE,
    Operation,
    list_operations,
)
from yinzi_train.dataset.augmentation_rows import TypedRows
from yinzi_train.dataset.augmentation_typing import TypingErrorOptions, apply_typing_errors

__all__ = [
    "TYPED_FIELDS",
    "AugmentationOptions",
    "AugmentedRow",
    "augment",
    "augment_row",
    "augment_table",
]

TYPED_FIELDS: Final = (
    pa.field("typed", pa.string()),
    pa.field("kinds", pa.list_(pa.int8())),
    pa.field("operations", pa.list_(OPERATION_TYPE)),
)
"""Columns that `augment_table` adds."""

_STEPS: Final[tuple[tuple[str, Callable[[TypedRows, Any], TypedRows]], ...]] = (
    ("accents", apply_accents),
    ("abbreviations", apply_abbreviations),
    ("tones", apply_tones),
    ("borders", apply_borders),
    ("typing_errors", apply_typing_errors),
    ("mixing", apply_mixing),
)


@dataclass(frozen=True)
class AugmentationOptions:
    """Set all operations of augmentation; each part is described where it is used.

    Attributes:
        accents: fuzzy pairs of initials and finals by regional profile.
        abbreviations: initials, incomplete syllables, unfinished ends.
        tones: tones left out.
        borders: borders between syllables left out.
        typing_errors: wrong keys.
        mixing: English words and numbers in between.
    """

    accents: AccentOptions = field(default_factory=AccentOptions)
    abbreviations: AbbreviationOptions = field(default_factory=AbbreviationOptions)
    tones: ToneOptions = field(default_factory=ToneOptions)
    borders: BorderOptions = field(default_factory=BorderOptions)
    typing_errors: TypingErrorOptions = field(default_factory=TypingErrorOptions)
    mixing: MixingOptions = field(default_factory=MixingOptions)

    @classmethod
    def none(cls) -> AugmentationOptions:
        """Return options with every rate 0: rows are typed in full, with tones and borders."""
        return cls(
            accents=AccentOptions(rate=0),
            abbreviations=AbbreviationOptions(initials_rate=0, mixed_rate=0, tail_rate=0),
            tones=ToneOptions(rate=0, syllable_rate=0),
            borders=BorderOptions(rate=0),
            typing_errors=TypingErrorOptions(rate=0),
            mixing=MixingOptions(word_rate=0, number_rate=0),
        )


DEFAULT_OPTIONS: Final = AugmentationOptions()


@dataclass(frozen=True)
class AugmentedRow:
    """What is typed for one row.

    Attributes:
        typed: the letters; borders are blanks, a comma parts runs (MIUs).
        kinds: FULL, INITIAL or INCOMPLETE of `InputKind`, one a hanzi.
        operations: what was done, in order of position.
    """

    typed: str
    kinds: tuple[int, ...]
    operations: tuple[Operation, ...]


def augment(rows: TypedRows, options: AugmentationOptions = DEFAULT_OPTIONS) -> TypedRows:
    """Put rows through all operations; their seed and epoch were given when they were read."""
    for name, step in _STEPS:
        rows = step(rows, getattr(options, name))
    return rows


def augment_row(
    row_id: str,
    hanzi: str,
    syllables: Sequence[int],
    tones: Sequence[int],
    run_lengths: Sequence[int],
    *,
    options: AugmentationOptions = DEFAULT_OPTIONS,
    seed: int = 0,
) -> AugmentedRow:
    """Type one row; the same as the row in a table of any size.

    >>> from yinzi.pinyin import syllable_id
    >>> ids = [syllable_id(text) for text in ("wo", "yao", "qu")]
    >>> options = AugmentationOptions.none()
    >>> augment_row("a", "我要去", ids, [3, 4, 4], [2, 1], options=options).typed
    'wo3 yao4,qu4'

    Raises:
        ConfigError: the lists do not fit together.
    """
    table = pa.table(
        {
            "id": pa.array([row_id]),
            "hanzi": pa.array([hanzi]),
            "syllables": pa.array([list(syllables)], pa.list_(pa.int16())),
            "tones": pa.array([list(tones)], pa.list_(pa.int8())),
            "run_lengths": pa.array([list(run_lengths)], pa.list_(pa.int16())),
        }
    )
    rows = augment(TypedRows.from_table(table, seed=seed), options)
    return AugmentedRow(
        rows.typed_texts()[0], tuple(rows.kinds.tolist()), tuple(list_operations(rows).by_row()[0])
    )


def augment_table(
    table: pa.Table,
    options: AugmentationOptions = DEFAULT_OPTIONS,
    *,
    seed: int = 0,
    epoch: int = 0,
) -> pa.Table:
    """Return labelled rows with the columns `TYPED_FIELDS` added; nothing else changes.

    Typed letters have blanks as borders and commas between runs. `kinds` has one value a hanzi.

    Raises:
        ConfigError: a column is missing, is there already, or does not fit the others.
    """
    rows = augment(TypedRows.from_table(table, seed=seed, epoch=epoch), options)
    columns = [
        pa.array(rows.typed_texts(), pa.string()),
        pa.ListArray.from_arrays(rows.row_start.astype(np.int32), pa.array(rows.kinds)),
        list_operations(rows).to_arrow(),
    ]
    for new, column in zip(TYPED_FIELDS, columns, strict=True):
        table = table.append_column(new, column)
    return table
