"""Look at a dataset before a model is tuned on it: few rows, bad labels, hanzi it cannot write."""

from __future__ import annotations

import logging
from typing import Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi_train.dataset.augmentation_rows import TypedRows
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.manifest import Count
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.reader import Dataset
from yinzi_train.dataset.unlabelled_rows import drop_unlabelled
from yinzi_train.training.finetuning_options import FinetuningOptions
from yinzi_train.training.stream import COLUMNS

__all__ = ["check_training_rows", "count_pairs"]

logger = logging.getLogger(__name__)

_MOST_ROWS: Final = 100_000
"""Rows that are looked at; of a larger dataset the first ones."""


def check_training_rows(
    dataset: Dataset, pairs: PairVocabulary | None, options: FinetuningOptions
) -> None:
    """Check that there are sentences enough, with labels that fit text and model.

    Args:
        dataset: what is tuned on.
        pairs: what the model can write; None if that is counted on the dataset.
        options: with the limits.

    Raises:
        DatasetError: too few rows, labels that do not align with the hanzi, or most hanzi are none
            that the model has.
    """
    where = f"dataset {str(dataset.path)!r}"
    n_rows = dataset.manifest.splits.get("train", Count()).rows
    if n_rows < options.min_rows:
        raise DatasetError(
            f"{where} has {n_rows} sentences in the split 'train', expected at least "
            f"{options.min_rows}: a model learns so few by heart and forgets others; add text, or "
            "lower finetuning.min_rows if that is what you want"
        )
    n_seen = n_hanzi = n_known = 0
    for table in dataset.iter_tables(split="train", columns=COLUMNS):
        lengths = pc.utf8_length(table.column("hanzi")).to_pylist()
        for name in ("syllables", "tones"):
            found = pc.list_value_length(table.column(name)).to_pylist()
            wrong = next((i for i, n in enumerate(found) if n != lengths[i]), None)
            if wrong is not None:
                raise DatasetError(
                    f"{where}: row {table.column('id')[wrong].as_py()!r} has {lengths[wrong]} "
                    f"hanzi and {found[wrong]} {name}, expected one each: its labels do not align, "
                    "label the text again (`yinzi-train dataset`)"
                )
        labelled, _ = drop_unlabelled(table)
        if len(labelled):
            rows = TypedRows.from_table(labelled)  # says what else is wrong with a row
            n_hanzi += len(rows.hanzi)
            if pairs is not None:
                n_known += int((pairs.ids(rows.syllables, rows.hanzi) >= 0).sum())
        n_seen += len(table)
        if n_seen >= _MOST_ROWS:
            break
    if not n_hanzi:
        raise DatasetError(f"{where} has no labelled row in the split 'train': label it again")
    if pairs is None:
        return
    coverage = n_known / n_hanzi
    shown = 100 * coverage
    logger.info("the vocabulary of the model has %.2f %% of the hanzi with their readings", shown)
    if coverage < options.min_coverage:
        raise DatasetError(
            f"{where}: the model can write {coverage:.1%} of its hanzi with the readings they are "
            f"labelled with, expected at least {options.min_coverage:.0%}: the labels are those of "
            "another vocabulary, or the text is none it knows; label the text again, begin with "
            "another --model, or lower finetuning.min_coverage"
        )


def count_pairs(dataset: Dataset, pairs: PairVocabulary) -> NDArray[np.int64]:
    """Return int64 [n_pairs], how often each pair is in the train split."""
    counts = np.zeros(len(pairs), dtype=np.int64)
    for table in dataset.iter_tables(split="train", columns=COLUMNS):
        labelled, _ = drop_unlabelled(table)
        if len(labelled):
            rows = TypedRows.from_table(labelled)
            ids = pairs.ids(rows.syllables, rows.hanzi)
            counts += np.bincount(ids[ids >= 0], minlength=len(pairs))
    if not counts.any():
        raise ConfigError(
            f"dataset {str(dataset.path)!r} has no hanzi that the model can write: give another"
        )
    return counts
