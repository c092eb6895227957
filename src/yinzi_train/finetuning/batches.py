"""Make the batches of fine-tuning: with targets for annotation, and with rows of a replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from yinzi_train.dataset.collator import IGNORED, Collator
from yinzi_train.training.stream import BatchStream

__all__ = ["AnnotatingCollator", "MixedStream", "join_arrays"]

Arrays = dict[str, NDArray[Any]]


class RowCollator(Protocol):
    """What makes arrays of rows."""

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next rows belong to."""
        ...

    def __call__(self, rows: pa.Table) -> Arrays:
        """Return the arrays of a batch."""
        ...


class AnnotatingCollator:
    """A collator that also tells the tone of each hanzi.

    Adds `target_tones`, int64 [batch, length]: tone less 1, `IGNORED` where there is none or where
    the label is doubtful. `target_syllables` are `IGNORED` in these places too.
    """

    def __init__(self, collator: Collator) -> None:
        self._collator = collator

    def set_epoch(self, epoch: int) -> None:
        """See `Collator`."""
        self._collator.set_epoch(epoch)

    def __call__(self, rows: pa.Table) -> Arrays:
        """Return the arrays of a batch; rows have the columns of `BatchStream`."""
        arrays = self._collator(rows)
        tones = rows.column("tones").to_pylist()
        doubtful = rows.column("doubtful").to_pylist()
        known = np.full((len(rows), max(map(len, tones), default=0) + 1), 0, dtype=np.int64)
        for row, (own, uncertain) in enumerate(zip(tones, doubtful, strict=True)):
            known[row, : len(own)] = own
            known[row, list(uncertain or ())] = 0
        positions = arrays["positions"]
        found = np.take_along_axis(known, np.maximum(positions, 0), axis=1)
        is_known = (positions >= 0) & (found > 0)
        arrays["target_tones"] = np.where(is_known, found - 1, IGNORED)
        arrays["target_syllables"] = np.where(is_known, arrays["target_syllables"], IGNORED)
        return arrays


class MixedStream(BatchStream):
    """Batches of two streams: rows of a dataset, and some of the one that is not to be forgotten.

    The rows of both are typed each in their own epoch and laid into lines together. `state` tells
    where both stand.
    """

    def __init__(
        self,
        own: BatchStream,
        replayed: BatchStream,
        collator: RowCollator,
        pack: Callable[[Arrays], Arrays],
    ) -> None:
        self._own = own
        self._replayed = replayed
        self._both = collator
        self._pack_both = pack

    @property
    def n_batches(self) -> int:  # type: ignore[override] # read from the streams
        """Batches yielded so far, those before the start included."""
        return self._own.n_batches

    def state(self, n_batches: int) -> dict[str, int]:
        """Return what `restore` needs to go on behind the n-th batch."""
        replayed = self._replayed.state(n_batches)
        return {
            **self._own.state(n_batches),
            **{f"replay_{name}": value for name, value in replayed.items()},
        }

    def restore(self, state: dict[str, int]) -> None:
        """Go on where a state says; for the next iteration."""
        prefix = "replay_"
        own = {name: value for name, value in state.items() if not name.startswith(prefix)}
        self._own.restore(own)
        self._replayed.restore({name: state[f"{prefix}{name}"] for name in own})

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        for parts in zip(self._own.tables(), self._replayed.tables(), strict=True):
            arrays = []
            for table, epoch in parts:
                self._both.set_epoch(epoch)
                arrays.append(self._both(table))
            packed = self._pack_both(join_arrays(arrays))
            yield {name: torch.from_numpy(array) for name, array in packed.items()}


def join_arrays(parts: Sequence[Mapping[str, NDArray[Any]]]) -> Arrays:
    """Put the lines of batches of a collator under one another; shorter lines are filled up.

    What fills them lies in no segment, so `pack_inputs` leaves it out.

    >>> one, other = {"segments": np.array([[0]])}, {"segments": np.array([[0, 0]])}
    >>> join_arrays([one, other])["segments"].tolist()
    [[0, -1], [0, 0]]
    """
    width = max(part["segments"].shape[1] for part in parts)
    joined: Arrays = {}
    for name in parts[0]:
        filled = []
        for part in parts:
            missing = width - part[name].shape[1]
            fill = -1 if name == "segments" else 0
            filled.append(np.pad(part[name], ((0, 0), (0, missing)), constant_values=fill))
        joined[name] = np.concatenate(filled)
    return joined
