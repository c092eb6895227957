"""Measure how much of what a core can do a training step does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from yinzi_train.model import ConversionModel
from yinzi_train.model.encoder import ConversionEncoder

__all__ = ["StepCost", "count_step", "layer_speed", "matmul_peak", "train_steps"]

PEAK_SHAPE: Final = (8192, 384, 1536)
"""Rows, inner and outer size of the product that the peak is measured on: a feed-forward part of a
batch. Larger ones reach the same."""


@dataclass(frozen=True)
class StepCost:
    """What forward and backward pass of one batch take.

    Attributes:
        n_targets: hanzi learnt from.
        n_places: places of the batch, blanks included.
        flops: multiplications and additions in matrix products; not those of the fused layers of
            LSTM and GRU, which torch does not count.
    """

    n_targets: int
    n_places: int
    flops: int


def matmul_peak(
    shape: Sequence[int] = PEAK_SHAPE,
    *,
    dtype: torch.dtype = torch.bfloat16,
    seconds: float = 1.0,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return how many operations a second a matrix product does, on the threads that torch has.

    The fastest of many repeats counts, as other programs can only make it slower.

    Args:
        shape: rows, inner and outer size.
        dtype: of both matrices.
        seconds: how long to measure.
        clock: seconds, rising.
    """
    n_rows, n_inner, n_outer = shape
    left, right = (
        torch.randn(n_rows, n_inner, dtype=dtype),
        torch.randn(n_outer, n_inner, dtype=dtype),
    )
    torch.nn.functional.linear(left, right)
    best, end = float("inf"), clock() + seconds
    while clock() < end:
        begin = clock()
        torch.nn.functional.linear(left, right)
        best = min(best, clock() - begin)
    return 2.0 * n_rows * n_inner * n_outer / max(best, 1e-12)


def count_step(model: ConversionModel, batch: Mapping[str, Tensor]) -> StepCost:
    """Count the operations of the matrix products of one batch, forward and backward."""
    counter = FlopCounterMode(display=False)
    with counter, torch.autocast("cpu", torch.bfloat16):
        output = model(**batch)
        output.loss.backward()
    model.zero_grad()
    return StepCost(int(output.n_targets), batch["input_ids"].numel(), counter.get_total_flops())


def train_steps(
    model: ConversionModel,
    batches: Sequence[Mapping[str, Tensor]],
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the seconds that forward and backward pass of some batches take, without the step."""
    begin = clock()
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(**batch).loss
        loss.backward()
        model.zero_grad()
    return clock() - begin


def layer_speed(
    model: ConversionEncoder,
    segments: Tensor,
    *,
    repeats: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return how many operations a second the Transformer layers do, forward and backward.

    Embedding, n-grams, output layer and loss are left out, and the fastest of some repeats counts.

    Args:
        model: its layers are run on random vectors.
        segments: int64 [batch, length], of a batch.
        repeats: at least 1.
        clock: seconds, rising.
    """
    shape = (*segments.shape, model.config.hidden_size)
    hidden = torch.randn(shape, dtype=torch.bfloat16, requires_grad=True)
    gradient = torch.randn(shape, dtype=torch.bfloat16)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            found = model.run_layers(hidden, segments)
        found.backward(gradient)
        model.zero_grad()

    with FlopCounterMode(display=False) as counter:
        step()
    best = float("inf")
    for _ in range(repeats):
        begin = clock()
        step()
        best = min(best, clock() - begin)
    return float(counter.get_total_flops()) / max(best, 1e-12)
