"""Weigh the rows of a finished dataset, tell what changes, and keep the weights in a folder.

The dataset is read three times, a row group at a time: to count pairs, to weigh rows, to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import ConfigError
from yinzi_train.dataset.balance import BalanceOptions, RowWeights, read_balance_tables, weigh_rows
from yinzi_train.dataset.balance_report import BalanceReport, report_balance
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.manifest import MANIFEST_NAME, Count
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.reader import Dataset
from yinzi_train.dataset.sampling import Shards
from yinzi_train.dataset.schema import SPLITS
from yinzi_train.dataset.storage import atomic_path, write_json
from yinzi_train.dataset.units import ReportProgress

__all__ = ["WEIGHTS_NAME", "Balance", "balance_dataset", "write_balance"]

WEIGHTS_NAME: Final = "weights.npy"
_N_PASSES: Final = 3


@dataclass(frozen=True, eq=False)
class Balance:
    """A balanced dataset.

    Attributes:
        weighed: weights of all rows, in the order of `Shards.from_folder(folder / "data")`.
        report: what they change.
        made_from: dataset, its shards, split and options, as plain data.
    """

    weighed: RowWeights
    report: BalanceReport
    made_from: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return settings and report as plain data."""
        return {**self.made_from, "report": asdict(self.report)}


def balance_dataset(
    dataset: Dataset,
    *,
    options: BalanceOptions | None = None,
    split: str = "train",
    on_progress: ReportProgress = lambda n_done, n_total: None,
) -> Balance:
    """Weigh the rows of one split of a dataset; rows of the others get weight 0.

    Args:
        dataset: what is weighed; nothing is written into it.
        options: how.
        split: train, validation or test.
        on_progress: called after each row group with the rows done and the rows in all; as the
            dataset is read three times, each row counts three times.

    Raises:
        ConfigError: the split or a domain is unknown.
        DatasetError: the split has no rows, or the folder holds shards that the manifest does not
            list.
    """
    options = options or BalanceOptions()
    if split not in SPLITS:
        raise ConfigError(f"unknown split {split!r}: expected one of {list(SPLITS)}")
    if not dataset.manifest.splits.get(split, Count()).rows:
        raise DatasetError(f"dataset {str(dataset.path)!r} has no rows of the split {split!r}")
    shards = Shards.from_folder(dataset.path / "data")
    if list(shards.paths) != dataset.shard_paths:
        raise DatasetError(
            f"dataset {str(dataset.path)!r} has other Parquet files in data than its manifest "
            "lists: remove them, or build it again"
        )
    read = _counted(read_balance_tables(dataset.path / "data"), shards.n_rows, on_progress)
    of_split = (table.filter(pc.equal(table.column("split"), split)) for table in read())
    pairs = PairVocabulary.from_tables(table for table in of_split if len(table))
    weighed = weigh_rows(read(), pairs, options, split=split)
    report = report_balance(read(), pairs, weighed)
    made_from = {
        "dataset": sha256_hex(dataset.path / MANIFEST_NAME),
        "shards": {one.file: one.rows for one in dataset.manifest.shards},
        "split": split,
        "options": asdict(options),
    }
    return Balance(weighed, report, made_from)


def write_balance(balance: Balance, out: Path) -> Path:
    """Write weights.npy, balance.md and balance.json, each whole or not; return the first.

    Raises:
        DatasetError: the disk is full, or the folder cannot be written.
    """
    with atomic_path(out / "balance.md") as part:
        part.write_text(balance.report.to_markdown(), encoding="utf-8")
    path = out / WEIGHTS_NAME
    with atomic_path(path) as part, part.open("wb") as file:
        np.save(file, balance.weighed.weights)
    write_json(out / "balance.json", balance.to_dict())
    return path


def _counted(
    read: Callable[[], Iterable[pa.Table]], n_rows: int, on_progress: ReportProgress
) -> Callable[[], Iterator[pa.Table]]:
    """Return the same reader, which tells over all its passes how many rows were read."""
    n_done = 0

    def counted() -> Iterator[pa.Table]:
        nonlocal n_done
        for table in read():
            yield table
            n_done += len(table)
            on_progress(n_done, _N_PASSES * n_rows)

    return counted
