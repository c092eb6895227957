"""Draw rows from a folder of Parquet shards in a shuffled, weighted, resumable order.

Shards hold one source each, so they have to be mixed, and random access to single rows is slow. So
row groups are the unit: each epoch puts all row groups in a new order, opens a few at a time (the
pool), and shuffles the rows of the pool. In memory are the weights (4 bytes a row) and one pool.

A weight of 2.3 means two copies, and a third with probability 0.3; the draw depends on the seed,
the epoch and the row alone. So an epoch is one fixed list of rows, and a position in it says all
that a stopped run needs to go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi_train.dataset.augmentation_draws import Purpose, mix_keys, uniforms

__all__ = ["SampledRows", "Sampler", "SamplerState", "SamplingOptions", "Shards"]


@dataclass(frozen=True)
class SamplingOptions:
    """How rows are drawn.

    Attributes:
        seed: of the order and of the copies.
        pool_groups: row groups that are open, and shuffled, together; at least 1. More mix better
            and need more memory: about 8 MB each with 32,768 rows.
        rank: number of this process among those that share an epoch, from 0.
        n_ranks: how many there are; all get equally many rows, up to `n_ranks - 1` are left over.
    """

    seed: int = 0
    pool_groups: int = 16
    rank: int = 0
    n_ranks: int = 1

    def __post_init__(self) -> None:
        if self.pool_groups < 1:
            raise ConfigError(f"sampling.pool_groups is {self.pool_groups}: expected at least 1")
        if not 0 <= self.rank < self.n_ranks:
            raise ConfigError(
                f"sampling.rank is {self.rank} of {self.n_ranks}: expected 0 to n_ranks - 1"
            )


@dataclass(frozen=True)
class SamplerState:
    """Where a run stands: what to save with a checkpoint.

    Attributes:
        epoch: from 0.
        position: rows of this rank's epoch that were drawn.
    """

    epoch: int = 0
    position: int = 0


@dataclass(frozen=True)
class Shards:
    """The Parquet files of a dataset and their row groups. Rows are numbered through all of them.

    Attributes:
        paths: files, by name.
        group_rows: rows of each row group, file by file.
        n_groups: row groups of each file.
    """

    paths: tuple[Path, ...]
    group_rows: tuple[int, ...]
    n_groups: tuple[int, ...]

    @classmethod
    def from_folder(cls, folder: Path) -> Shards:
        """Read the row counts of all Parquet files of a folder, not those of folders below.

        Raises:
            ConfigError: there is no such file, or one cannot be read.
        """
        return cls.from_paths(sorted(folder.glob("*.parquet")), what=f"folder {str(folder)!r}")

    @classmethod
    def from_paths(cls, paths: Sequence[Path], *, what: str = "the list of shards") -> Shards:
        """Read the row counts of files, which are kept in the order given.

        Raises:
            ConfigError: there is none, or one cannot be read.
        """
        if not paths:
            raise ConfigError(f"{what} has no Parquet file: expected the shards of a dataset")
        group_rows: list[int] = []
        n_groups: list[int] = []
        for path in paths:
            try:
                metadata = pq.read_metadata(path)
            except (OSError, pa.ArrowInvalid) as error:
                raise ConfigError(f"cannot read the shard {str(path)!r}: {error}") from error
            n_groups.append(metadata.num_row_groups)
            group_rows.extend(
                metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)
            )
        return cls(tuple(paths), tuple(group_rows), tuple(n_groups))

    @property
    def n_rows(self) -> int:
        """Rows of all files."""
        return sum(self.group_rows)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """int64 [groups + 1], number of the first row of each row group."""
        return np.concatenate(([0], np.cumsum(np.array(self.group_rows, dtype=np.int64))))

    @cached_property
    def _group_files(self) -> list[tuple[int, int]]:
        return [(file, group) for file, n in enumerate(self.n_groups) for group in range(n)]

    def read_group(self, group: int, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a row group by its number through all files."""
        file, inner = self._group_files[group]
        with pq.ParquetFile(self.paths[file]) as opened:
            return opened.read_row_group(inner, columns=None if columns is None else [*columns])


@dataclass(frozen=True, eq=False)
class SampledRows:
    """Some rows of an epoch, in order.

    Attributes:
        rows: int64 [n], row numbers.
        repeats: int64 [n], which copy of the row in this epoch, from 0.
        state: where the run stands after them.
    """

    rows: NDArray[np.int64]
    repeats: NDArray[np.int64]
    state: SamplerState


class Sampler:
    """Draw the rows of shards, epoch by epoch.

    Thread safety: it holds no state between calls.

    Raises:
        ConfigError: there are other than one weight a row, or a weight is no number ≥ 0.
    """

    def __init__(
        self,
        shards: Shards,
        *,
        weights: NDArray[np.float32] | None = None,
        options: SamplingOptions | None = None,
    ) -> None:
        if weights is not None:
            if len(weights) != shards.n_rows:
                raise ConfigError(
                    f"{len(weights)} weights for {shards.n_rows} rows: weigh the same shards"
                )
            if not (np.isfinite(weights).all() and (weights >= 0).all()):
                raise ConfigError("a weight is no number or below 0: expected copies an epoch")
        self.shards = shards
        self.options = options or SamplingOptions()
        self._weights = weights

    def _copies(self, group: int, epoch: int) -> NDArray[np.int64]:
        """Return how often each row of a group is in an epoch."""
        first, end = self.shards.starts[group : group + 2]
        if self._weights is None:
            return np.ones(end - first, dtype=np.int64)
        rows = np.arange(first, end, dtype=np.uint64)
        draws = uniforms(mix_keys(rows, self.options.seed, epoch), Purpose.COPIES)
        return np.floor(self._weights[first:end] + draws).astype(np.int64)

    def _pools(self, epoch: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield number and row groups of each pool of an epoch."""
        groups = np.arange(len(self.shards.group_rows), dtype=np.uint64)
        keys = mix_keys(groups, self.options.seed, epoch)
        order = np.argsort(uniforms(keys, Purpose.ORDER), kind="stable")
        size = self.options.pool_groups
        for number, first in enumerate(range(0, len(order), size)):
            yield number, order[first : first + size]

    def n_rows(self, epoch: int = 0) -> int:
        """Return how many rows, copies included, an epoch has for one rank."""
        groups = range(len(self.shards.group_rows))
        total = sum(int(self._copies(group, epoch).sum()) for group in groups)
        return total // self.options.n_ranks

    def pools(self, state: SamplerState | None = None) -> Iterator[SampledRows]:
        """Yield the rest of an epoch, a pool at a time.

        Rows that a state has behind it are passed over without being read.

        Raises:
            ConfigError: the position lies behind the end of the epoch.
        """
        state = state or SamplerState()
        epoch, rank, n_ranks = state.epoch, self.options.rank, self.options.n_ranks
        n_rows = self.n_rows(epoch)
        if not 0 <= state.position <= n_rows:
            raise ConfigError(
                f"position {state.position} of an epoch of {n_rows} rows: the state belongs to "
                "other shards, weights or options"
            )
        n_before = 0  # of all ranks
        for number, groups in self._pools(epoch):
            copies = [self._copies(int(group), epoch) for group in groups]
            n_pool = sum(int(counts.sum()) for counts in copies)
            mine = np.arange(n_before, n_before + n_pool)
            mine = np.flatnonzero(
                (mine % n_ranks == rank)
                & (mine // n_ranks >= state.position)
                & (mine // n_ranks < n_rows)
            )
            done = (n_before + n_pool - rank + n_ranks - 1) // n_ranks
            n_before += n_pool
            if not len(mine):
                continue
            rows = np.concatenate(
                [
                    np.repeat(np.arange(*self.shards.starts[group : group + 2]), counts)
                    for group, counts in zip(groups, copies, strict=True)
                ]
            )
            is_first = np.ones(len(rows), dtype=np.bool_)
            is_first[1:] = rows[1:] != rows[:-1]
            firsts = np.flatnonzero(is_first)
            repeats = np.arange(len(rows)) - firsts[np.cumsum(is_first) - 1]
            seed = [self.options.seed & 0xFFFFFFFF, epoch, number]
            order = np.random.default_rng(seed).permutation(len(rows))[mine]
            yield SampledRows(rows[order], repeats[order], SamplerState(epoch, min(done, n_rows)))

    def indices(self, batch_size: int, state: SamplerState | None = None) -> Iterator[SampledRows]:
        """Yield the rest of an epoch in batches; the last one may be smaller.

        Raises:
            ConfigError: as `pools`.
        """
        state = state or SamplerState()
        position = state.position
        waiting: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        n_waiting = 0
        for pool in self.pools(state):
            waiting.append((pool.rows, pool.repeats))
            n_waiting += len(pool.rows)
            if n_waiting < batch_size:
                continue
            rows = np.concatenate([part[0] for part in waiting])
            repeats = np.concatenate([part[1] for part in waiting])
            end = len(rows) - len(rows) % batch_size
            for first in range(0, end, batch_size):
                position += batch_size
                part = slice(first, first + batch_size)
                yield SampledRows(rows[part], repeats[part], SamplerState(state.epoch, position))
            waiting, n_waiting = [(rows[end:], repeats[end:])], len(rows) - end
        if n_waiting:
            yield SampledRows(
                np.concatenate([part[0] for part in waiting]),
                np.concatenate([part[1] for part in waiting]),
                SamplerState(state.epoch, position + n_waiting),
            )

    def batches(
        self,
        batch_size: int,
        state: SamplerState | None = None,
        *,
        columns: Sequence[str] | None = None,
    ) -> Iterator[tuple[pa.Table, SamplerState]]:
        """Yield the rest of an epoch as tables, each with the state after it.

        Tables have a further column `repeat`, which copy of its row in this epoch a row is.
        Batches do not reach over pools, so the last one of each pool may be smaller.

        Args:
            batch_size: rows of a table.
            state: where to go on.
            columns: columns to read; None reads all.

        Raises:
            ConfigError: as `pools`.
        """
        state = state or SamplerState()
        position = state.position
        for pool in self.pools(state):
            starts = self.shards.starts
            group_of = np.searchsorted(starts, pool.rows, side="right") - 1
            groups = np.unique(group_of)
            tables = [self.shards.read_group(int(group), columns=columns) for group in groups]
            sizes = np.array([len(table) for table in tables], dtype=np.int64)
            offsets = np.concatenate(([0], np.cumsum(sizes)))[:-1]
            slots = np.searchsorted(groups, group_of)
            local = pool.rows - starts[group_of] + offsets[slots]
            joined = pa.concat_tables(tables).combine_chunks()
            for first in range(0, len(local), batch_size):
                part = slice(first, first + batch_size)
                table = joined.take(pa.array(local[part]))
                position += len(table)
                yield (
                    table.append_column("repeat", pa.array(pool.repeats[part])),
                    SamplerState(state.epoch, position),
                )
