"""Take rows of a dataset to check an exported model on: the validation split, typed as trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from yinzi.scoring import InputVocabulary
from yinzi_train.compression.errors import ExportError
from yinzi_train.dataset.augmentation import AugmentationOptions
from yinzi_train.dataset.augmentation_abbreviations import AbbreviationOptions
from yinzi_train.dataset.augmentation_accents import AccentOptions
from yinzi_train.dataset.augmentation_typing import TypingErrorOptions
from yinzi_train.dataset.collator import Collator, CollatorOptions
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.reader import Dataset
from yinzi_train.dataset.unlabelled_rows import drop_unlabelled
from yinzi_train.training.packing import pack_inputs
from yinzi_train.training.stream import COLUMNS

__all__ = ["CheckRows", "Rows", "read_check_rows"]

Rows = Mapping[str, NDArray[Any]]
"""Arrays [lines, length] of `yinzi_train.training.packing.pack_inputs`."""


@dataclass(frozen=True, eq=False)
class CheckRows:
    """Lines of real input, of other sentences each.

    Attributes:
        calibration: what ranges are found on.
        comparison: what model and result are compared on.
    """

    calibration: Rows
    comparison: Rows


_CALIBRATION_STEP: Final = 4
"""Every fourth sentence is for finding ranges."""

_TYPED = AugmentationOptions(
    accents=AccentOptions(rate=0),
    typing_errors=TypingErrorOptions(rate=0),
    abbreviations=AbbreviationOptions(initials_rate=0.08, mixed_rate=0.12, tail_rate=0.04),
)
"""Full syllables for the most part, some abbreviated; what is typed wrong is left out."""


def read_check_rows(
    dataset: Dataset,
    vocab: InputVocabulary,
    pairs: PairVocabulary,
    *,
    ngram_orders: Sequence[int],
    ngram_rows: int,
    n_rows: int = 3000,
) -> CheckRows:
    """Return rows of the validation split, at equal distances, as lines of model input.

    Args:
        dataset: where they come from.
        vocab: that of the model.
        pairs: that of the model.
        ngram_orders: n-grams of the model.
        ngram_rows: rows of their table.
        n_rows: how many sentences; all if there are fewer.

    Raises:
        ExportError: the split has fewer than two rows.
        DatasetError: a shard cannot be read.
    """
    tables = list(dataset.iter_tables(split="validation", columns=COLUMNS))
    n_found = sum(len(table) for table in tables)
    if n_found < 2:
        raise ExportError(
            f"dataset {str(dataset.path)!r} has {n_found} rows of the split 'validation', at least "
            "2 are needed to check the model on: build it with splits.validation above 0"
        )
    joined = pa.concat_tables(tables)
    n_taken = min(n_rows, len(joined))
    taken = joined.take(pa.array(np.arange(n_taken) * len(joined) // n_taken))
    rows, _ = drop_unlabelled(taken.combine_chunks())
    collator = Collator(vocab, pairs, CollatorOptions(augmentation=_TYPED))
    is_calibration = np.arange(len(rows)) % _CALIBRATION_STEP == 0

    def packed(part: NDArray[np.bool_]) -> Rows:
        return pack_inputs(
            collator(rows.filter(pa.array(part))),
            vocab,
            pairs,
            ngram_orders=tuple(ngram_orders),
            ngram_rows=ngram_rows,
        )

    return CheckRows(packed(is_calibration), packed(~is_calibration))
