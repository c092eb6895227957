"""Feed a model from the shards of a dataset, batch by batch, from wherever a run stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from yinzi_train.dataset.collator import Collator
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.sampling import Sampler, SamplerState
from yinzi_train.dataset.unlabelled_rows import drop_unlabelled

__all__ = ["COLUMNS", "BatchStream"]

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


class BatchStream(IterableDataset[dict[str, torch.Tensor]]):
    """Yield packed batches without end, epoch after epoch.

    Batch n is the same whether the stream began there or before. Rows with a hanzi that has no
    reading (about one in 10,000) are passed over and counted.

    Attributes:
        n_batches: batches yielded so far, those before the start included.
        n_unlabelled: rows passed over since the stream was made.
    """

    def __init__(
        self,
        sampler: Sampler,
        collator: Collator,
        pack: Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]],
        *,
        rows_per_batch: int,
    ) -> None:
        self._sampler = sampler
        self._collator = collator
        self._pack = pack
        self._rows_per_batch = rows_per_batch
        self._start = SamplerState()
        self.n_batches = 0
        self.n_unlabelled = 0
        self._states: dict[int, SamplerState] = {0: SamplerState()}

    def state(self, n_batches: int) -> dict[str, int]:
        """Return what `restore` needs to go on behind the n-th batch, one of the last thousand."""
        return {"n_batches": n_batches, **asdict(self._states[n_batches])}

    def restore(self, state: dict[str, int]) -> None:
        """Go on where a state says; for the next iteration."""
        self.n_batches = state["n_batches"]
        self._start = SamplerState(state["epoch"], state["position"])
        self._states = {self.n_batches: self._start}

    def tables(self) -> Iterator[tuple[pa.Table, int]]:
        """Yield the labelled rows of each batch, and their epoch."""
        state = self._start
        while True:
            is_empty = state.position == 0
            for table, after in self._sampler.batches(self._rows_per_batch, state, columns=COLUMNS):
                labelled, n_dropped = drop_unlabelled(table)
                self.n_unlabelled += n_dropped
                if not len(labelled):
                    continue
                is_empty = False
                self.n_batches += 1
                self._states[self.n_batches] = after
                self._states.pop(self.n_batches - _N_STATES, None)
                yield labelled, state.epoch
            if is_empty:
                raise DatasetError(
                    f"epoch {state.epoch} has no row for process {self._sampler.options.rank}: "
                    "expected labelled rows with a weight above 0; check the split and the weights"
                )
            state = SamplerState(state.epoch + 1)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        for table, epoch in self.tables():
            self._collator.set_epoch(epoch)
            packed = self._pack(self._collator(table))
            yield {name: torch.from_numpy(array) for name, array in packed.items()}
