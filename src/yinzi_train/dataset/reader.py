"""Read a dataset as a stream: tables or rows, chosen by split, columns, source or domain.

One row group is in memory at a time. Rows come in the order of the shards, which is that of their
names; sampling and shuffling are for those who train.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from yinzi.errors import ConfigError
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.manifest import DatasetManifest, read_manifest
from yinzi_train.dataset.schema import ROW_SCHEMA, SPLITS
from yinzi_train.dataset.splits import Fold, folds

__all__ = ["Dataset", "iter_rows", "iter_tables", "open_dataset"]


@dataclass(frozen=True)
class Dataset:
    """A finished dataset on disk.

    Attributes:
        path: its folder.
        manifest: what is in it.
    """

    path: Path
    manifest: DatasetManifest

    @property
    def shard_paths(self) -> list[Path]:
        """The Parquet files, by name."""
        return [self.path / shard.file for shard in self.manifest.shards]

    @property
    def column_names(self) -> list[str]:
        """Columns of the shards: those of every dataset, and what augmentation adds to one."""
        for path in self.shard_paths[:1]:
            try:
                return list(pq.read_schema(path).names)
            except (OSError, pa.ArrowException):
                break  # reading the shard says what is wrong with it
        return list(ROW_SCHEMA.names)

    def iter_tables(
        self,
        *,
        split: str | None = None,
        columns: Sequence[str] | None = None,
        folds: Collection[int] | None = None,
        sources: Collection[str] | None = None,
        domains: Collection[str] | None = None,
        batch_rows: int = 1 << 15,
    ) -> Iterator[pa.Table]:
        """Yield the rows as Arrow tables.

        Args:
            split: "train", "validation" or "test"; all if not given.
            columns: columns to read, in this order; those of every dataset if not given.
            folds: values of `fold` to read, as of `Dataset.folds`.
            sources: sources to read.
            domains: domains to read.
            batch_rows: rows of a table at most; tables without rows are left out.

        Raises:
            ConfigError: an unknown split or column.
            DatasetError: a shard cannot be read.
        """
        chosen = _chosen_columns(columns, self.column_names)
        if split is not None and split not in SPLITS:
            raise ConfigError(f"unknown split {split!r}: expected one of {list(SPLITS)}")
        wanted = {
            "split": None if split is None else (split,),
            "fold": folds,
            "source": sources,
            "domain": domains,
        }
        filters = {
            name: pa.array(list(v), ROW_SCHEMA.field(name).type)
            for name, v in wanted.items()
            if v is not None
        }
        read = list(dict.fromkeys([*chosen, *filters]))
        for path in self.shard_paths:
            for table in _read_shard(path, columns=read, batch_rows=batch_rows):
                kept = _filtered(table, filters)
                if len(kept):
                    yield kept.select(chosen)

    def iter_rows(
        self,
        *,
        split: str | None = None,
        columns: Sequence[str] | None = None,
        folds: Collection[int] | None = None,
        sources: Collection[str] | None = None,
        domains: Collection[str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows one by one, as dictionaries; arguments as `iter_tables`."""
        for table in self.iter_tables(
            split=split, columns=columns, folds=folds, sources=sources, domains=domains
        ):
            yield from table.to_pylist()

    def folds(self, k: int) -> list[Fold]:
        """Return k rounds of cross-validation within the train split.

        A round's `train` and `validation` go to `iter_tables(split="train", folds=…)`. The test
        split, and training sentences that an evaluation set shares, are in none of them.

        Raises:
            ConfigError: k does not divide the dataset's folds.
        """
        return folds(k, n_folds=len(self.manifest.folds))


def open_dataset(folder: Path | str, *, verify: bool = False) -> Dataset:
    """Open a finished dataset.

    Args:
        folder: the dataset.
        verify: check the sha256 of every shard, not its size alone.

    Raises:
        DatasetError: it is no dataset, not finished, of another version, or damaged.
    """
    path = Path(folder)
    return Dataset(path, read_manifest(path, verify=verify))


def iter_tables(
    folder: Path | str, *, split: str | None = None, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Open a dataset and yield its rows as tables; see `Dataset.iter_tables`."""
    return open_dataset(folder).iter_tables(split=split, columns=columns)


def iter_rows(
    folder: Path | str, *, split: str | None = None, columns: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Open a dataset and yield its rows as dictionaries; see `Dataset.iter_rows`."""
    return open_dataset(folder).iter_rows(split=split, columns=columns)


def _chosen_columns(columns: Sequence[str] | None, known: list[str]) -> list[str]:
    if columns is None:
        return list(ROW_SCHEMA.names)
    unknown = [name for name in columns if name not in known]
    if unknown:
        raise ConfigError(f"unknown columns {unknown[:5]}: the columns are {known}")
    return list(columns)


def _filtered(table: pa.Table, filters: Mapping[str, pa.Array]) -> pa.Table:
    """Return the rows whose values are among those wanted in each column."""
    for name, values in filters.items():
        if len(table):
            table = table.filter(pc.is_in(table.column(name), value_set=values))
    return table


def _read_shard(path: Path, *, columns: Sequence[str], batch_rows: int) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=batch_rows, columns=columns):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(
            f"cannot read shard {str(path)!r}: {error}; fetch or build the dataset again"
        ) from error
