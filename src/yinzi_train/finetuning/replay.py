"""Choose the rows of a dataset that is replayed: made once, kept in the run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi_train.dataset.reader import Dataset
from yinzi_train.dataset.storage import atomic_path, read_json, write_json
from yinzi_train.dataset.unlabelled_rows import drop_unlabelled
from yinzi_train.training.run_folder import dataset_digest
from yinzi_train.training.stream import COLUMNS

__all__ = ["keep_replay", "read_replay_validation", "read_replay_weights"]

_WEIGHTS: Final = "replay_weights.npy"
_VALIDATION: Final = "replay_validation.parquet"
_MADE_FROM: Final = "replay.made-from.json"


def keep_replay(dataset: Dataset, folder: Path, *, n_validation: int) -> None:
    """Write which rows of a dataset train (all of its train split), and validation rows of it.

    Raises:
        ConfigError: the dataset is another one than that of an earlier start, or has no train rows.
        DatasetError: a shard cannot be read.
    """
    made_from = {"dataset": dataset_digest(dataset), "validation_rows": n_validation}
    known = read_json(folder / _MADE_FROM)
    if known == made_from and (folder / _VALIDATION).is_file():
        return
    if known is not None and known["dataset"] != made_from["dataset"]:
        raise ConfigError(
            f"finetuning.replay.data is {str(dataset.path)!r}, which is not what the run in "
            f"{str(folder)!r} has replayed so far: give the same dataset"
        )
    parts, tables = [], []
    for table in dataset.iter_tables(columns=("split", *COLUMNS) if n_validation else ("split",)):
        parts.append(pc.equal(table.column("split"), "train").to_numpy())
        if n_validation:
            tables.append(table.filter(pc.equal(table.column("split"), "validation")))
    weights = np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)
    if not weights.any():
        raise ConfigError(
            f"finetuning.replay.data {str(dataset.path)!r} has no rows of the split 'train': "
            "give a dataset that has"
        )
    rows = pa.concat_tables(tables) if tables else pa.table({name: [] for name in COLUMNS})
    n_taken = min(n_validation, len(rows))
    taken = rows.take(pa.array(np.arange(n_taken) * len(rows) // max(n_taken, 1)))
    kept = drop_unlabelled(taken.combine_chunks())[0] if n_taken else taken
    with atomic_path(folder / _WEIGHTS) as part, part.open("wb") as file:
        np.save(file, weights)
    with atomic_path(folder / _VALIDATION) as part:
        pq.write_table(kept, part)
    write_json(folder / _MADE_FROM, made_from)


def read_replay_weights(folder: Path) -> NDArray[np.float32]:
    """Return float32 [n_rows], 1 for rows that are replayed."""
    weights: NDArray[np.float32] = np.load(folder / _WEIGHTS, mmap_mode="r")
    return weights


def read_replay_validation(folder: Path) -> pa.Table:
    """Return validation rows of the dataset that is replayed."""
    return pq.read_table(folder / _VALIDATION)
