"""Feed a model from the shards of a dataset, batch by batch, from wherever a run stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final, Protocol

import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.sampling import Sampler, SamplerState
from yinzi_train.dataset.unlabelled_rows import drop_unlabelled

__all__ = ["COLUMNS", "BatchStream", "RowCollator", "RowStream"]

COLUMNS: Final[Sequence[str]] = (
    "id",
    "hanzi",
    "run_lengths",
    "syllables",
    "tones",
    "doubtful",
)
"""Columns of the dataset that training reads."""

_N_STATES: Final = 1000
"""States that are remembered: a loader may read so many batches ahead of the steps."""


class RowCollator(Protocol):
    """What makes arrays of rows, as `Collator` does."""

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next rows belong to."""
        ...

    def __call__(self, rows: pa.Table) -> dict[str, NDArray[Any]]:
        """Return the arrays of a batch."""
        ...


class RowStream(IterableDataset[dict[str, torch.Tensor]]):
    """Yield batches made from sampled rows, without end, epoch after epoch.

    Batch n is the same whether the stream began there or before. A subclass makes the batches.

    Args:
        sampler: draws the rows.
        columns: columns of the dataset to read.
        rows_per_batch: rows of a batch.

    Attributes:
        n_batches: batches yielded so far, those before the start included.
    """

    def __init__(self, sampler: Sampler, *, columns: Sequence[str], rows_per_batch: int) -> None:
        self._sampler = sampler
        self._columns = columns
        self._rows_per_batch = rows_per_batch
        self._start = SamplerState()
        self.n_batches = 0
        self._states: dict[int, SamplerState] = {0: SamplerState()}

    def usable(self, rows: pa.Table) -> pa.Table:
        """Return the rows that a batch can be made of; none of them, and there is no batch."""
        return rows

    def make_batch(self, rows: pa.Table, after: SamplerState) -> dict[str, NDArray[Any]] | None:
        """Return the arrays of a batch; None if there is nothing in these rows after all.

        Args:
            rows: at least one; the columns asked for, and `repeat`, which copy in this epoch it is.
            after: where the sampler stands behind them; different for every batch of a process.
        """
        raise NotImplementedError

    def state(self, n_batches: int) -> dict[str, int]:
        """Return what `restore` needs to go on behind the n-th batch, one of the last thousand."""
        return {"n_batches": n_batches, **asdict(self._states[n_batches])}

    def restore(self, state: dict[str, int]) -> None:
        """Go on where a state says; for the next iteration."""
        self.n_batches = state["n_batches"]
        self._start = SamplerState(state["epoch"], state["position"])
        self._states = {self.n_batches: self._start}

    def tables(self) -> Iterator[tuple[pa.Table, SamplerState]]:
        """Yield the rows of each batch, and where the sampler stands behind them."""
        state = self._start
        while True:
            is_empty = state.position == 0
            for table, after in self._sampler.batches(
                self._rows_per_batch, state, columns=self._columns
            ):
                rows = self.usable(table)
                if not len(rows):
                    continue
                is_empty = False
                self.n_batches += 1
                self._states[self.n_batches] = after
                self._states.pop(self.n_batches - _N_STATES, None)
                yield rows, after
            if is_empty:
                raise DatasetError(
                    f"epoch {state.epoch} has no row for process {self._sampler.options.rank}: "
                    "expected rows with a weight above 0; check the split and the weights"
                )
            state = SamplerState(state.epoch + 1)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        for rows, after in self.tables():
            arrays = self.make_batch(rows, after)
            if arrays is None:
                self._states.pop(self.n_batches)
                self.n_batches -= 1
                continue
            yield {name: torch.from_numpy(array) for name, array in arrays.items()}


class BatchStream(RowStream):
    """Yield packed batches of typed rows.

    Rows with a hanzi that has no reading (about one in 10,000) are passed over and counted.

    Attributes:
        n_unlabelled: rows passed over since the stream was made.
    """

    def __init__(
        self,
        sampler: Sampler,
        collator: RowCollator,
        pack: Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]],
        *,
        rows_per_batch: int,
    ) -> None:
        super().__init__(sampler, columns=COLUMNS, rows_per_batch=rows_per_batch)
        self._collator = collator
        self._pack = pack
        self.n_unlabelled = 0

    def usable(self, rows: pa.Table) -> pa.Table:
        """Return the labelled rows."""
        labelled, n_dropped = drop_unlabelled(rows)
        self.n_unlabelled += n_dropped
        return labelled

    def make_batch(self, rows: pa.Table, after: SamplerState) -> dict[str, NDArray[Any]]:
        """Return typed rows in lines."""
        self._collator.set_epoch(after.epoch)
        return self._pack(self._collator(rows))
