"""Compute a softmax over the readable hanzi of each place alone, and its loss.

Pairs of one syllable are neighbours in the output layer, so the hanzi that can be read as a
syllable or a prefix are one slice of its rows. Places are sorted by slice, neighbouring slices are
joined into chunks of a few hundred pairs, and each chunk is one matrix product. Against the full
softmax over 8,000 pairs this is a thirtieth of the arithmetic; the loss and its gradient come out
of the same pass, so that nothing as large as places × pairs is ever kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "restricted_cross_entropy",
    "restricted_divergence",
    "restricted_logprobs",
    "restricted_top_k",
]

_CHUNK_PAIRS = 256
"""Pairs that neighbouring slices are joined up to; 128 to 512 are equally fast."""


@dataclass(frozen=True)
class _Chunk:
    """Places whose slices lie close together.

    Attributes:
        places: int64 [n], indices of the places.
        low: first pair of the chunk.
        high: pair behind the last one.
        is_outside: bool [n, high - low], pairs that the place cannot have; None if all have all.
    """

    places: Tensor
    low: int
    high: int
    is_outside: Tensor | None


def _chunks(low: Tensor, high: Tensor) -> Iterator[_Chunk]:
    """Group places by their slices of pairs; places with an empty slice are left out."""
    width = high - low
    is_wide = width > _CHUNK_PAIRS
    n_pairs = int(high.max()) + 1 if len(high) else 1
    key = (is_wide.long() * n_pairs + low) * n_pairs + high
    is_empty = width <= 0
    order = torch.argsort(torch.where(is_empty, -1, key), stable=True)[int(is_empty.sum()) :]
    keys, counts = torch.unique_consecutive(key[order], return_counts=True)
    ends = torch.cumsum(counts, 0).tolist()
    group_low = ((keys // n_pairs) % n_pairs).tolist()
    group_high = (keys % n_pairs).tolist()
    first_group, first_place = 0, 0
    n_groups = len(ends)
    for group in range(n_groups):
        is_last = group + 1 == n_groups
        if not is_last:
            chunk_low = group_low[first_group]
            if chunk_low <= group_low[group + 1] and (
                group_high[group + 1] - chunk_low <= _CHUNK_PAIRS
            ):
                continue
        chunk_low = group_low[first_group]
        chunk_high = max(group_high[first_group : group + 1])
        places = order[first_place : ends[group]]
        is_outside = None
        if group > first_group:
            columns = torch.arange(chunk_low, chunk_high)
            is_outside = (columns < low[places, None]) | (columns >= high[places, None])
        yield _Chunk(places, chunk_low, chunk_high, is_outside)
        first_group, first_place = group + 1, ends[group]


def _chunk_logprobs(chunk: _Chunk, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return float32 [n, high - low], natural log; -inf outside the slice of a place."""
    rows = weight[chunk.low : chunk.high]
    logits = torch.addmm(bias[chunk.low : chunk.high], hidden, rows.t()).float()
    if chunk.is_outside is not None:
        logits.masked_fill_(chunk.is_outside, -torch.inf)
    return torch.log_softmax(logits, dim=-1)


class _RestrictedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - autograd functions have positional arguments alone
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        low: Tensor,
        high: Tensor,
        targets: Tensor,
        place_weights: Tensor,
        label_smoothing: float,
    ) -> tuple[Tensor, Tensor]:
        grad_hidden = torch.zeros_like(hidden)
        grad_weight = torch.zeros_like(weight)
        grad_bias = torch.zeros_like(bias)
        loss = hidden.new_zeros((), dtype=torch.float32)
        n_right = torch.zeros((), dtype=torch.int64)
        for chunk in _chunks(low, high):
            mine = hidden[chunk.places]
            logprobs = _chunk_logprobs(chunk, mine, weight, bias)
            column = (targets[chunk.places] - chunk.low)[:, None]
            factor = place_weights[chunk.places][:, None]
            at_target = logprobs.gather(1, column)
            n_right += (logprobs.amax(1, keepdim=True) <= at_target).sum()
            grad = logprobs.exp()
            share = 1.0
            if label_smoothing:
                share = 1.0 - label_smoothing
                widths = (high - low)[chunk.places][:, None]
                inside = torch.isfinite(logprobs)
                spread = label_smoothing / widths
                loss -= (factor * spread * logprobs.masked_fill(~inside, 0.0)).sum()
                grad -= spread * inside
            loss -= share * (factor * at_target).sum()
            grad.scatter_add_(1, column, torch.full_like(at_target, -share))
            grad *= factor
            grad_hidden[chunk.places] = grad @ weight[chunk.low : chunk.high]
            grad_weight[chunk.low : chunk.high] += grad.t() @ mine
            grad_bias[chunk.low : chunk.high] += grad.sum(0)
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        ctx.mark_non_differentiable(n_right)
        return loss, n_right

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor, grad_right: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        return (
            grad_hidden * grad_loss,
            grad_weight * grad_loss,
            grad_bias * grad_loss,
            *(None,) * 5,
        )


def restricted_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    low: Tensor,
    high: Tensor,
    targets: Tensor,
    place_weights: Tensor,
    label_smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Return the summed loss, natural log, and how many targets are the likeliest of their slice.

    Args:
        hidden: float [n, size].
        weight: float [n_pairs, size], the output layer.
        bias: float [n_pairs].
        low: int64 [n], first pair that the place can be.
        high: int64 [n], pair behind the last one; above `low`.
        targets: int64 [n], pair ids, each inside its slice.
        place_weights: float [n], factor of each place in the loss.
        label_smoothing: share of the target spread over the slice, 0 to 1.
    """
    # Chunks differ in size from batch to batch, and oneDNN compiles a bfloat16 product for each
    # size that it meets, which doubles the time of a step. Products of float32 need no such step.
    with torch.autocast(hidden.device.type, enabled=False):
        result: tuple[Tensor, Tensor] = _RestrictedCrossEntropy.apply(
            hidden.float(), weight, bias, low, high, targets, place_weights, label_smoothing
        )
    return result


@torch.no_grad()
def restricted_logprobs(
    hidden: Tensor, weight: Tensor, bias: Tensor, *, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the logprobs of the slices, one after another, and where each place's begin.

    Returns:
        float32 [sum of high - low], natural log; int64 [n + 1], start of each place.
    """
    starts = torch.cat((torch.zeros(1, dtype=torch.int64), torch.cumsum(high - low, 0)))
    result = torch.empty(int(starts[-1]))
    for chunk in _chunks(low, high):
        logprobs = _chunk_logprobs(chunk, hidden[chunk.places].float(), weight, bias)
        inside = torch.isfinite(logprobs) if chunk.is_outside is None else ~chunk.is_outside
        row, column = inside.nonzero(as_tuple=True)
        place = chunk.places[row]
        result[starts[place] + column + chunk.low - low[place]] = logprobs[inside]
    return result, starts


@torch.no_grad()
def restricted_top_k(
    hidden: Tensor, weight: Tensor, bias: Tensor, *, low: Tensor, high: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """Return the k likeliest pairs of each place and their logprobs, the best first.

    Returns:
        int64 [n, k], pair ids, -1 where a slice has fewer; float32 [n, k], natural log.
    """
    ids = torch.full((len(hidden), k), -1, dtype=torch.int64)
    values = torch.full((len(hidden), k), -torch.inf)
    for chunk in _chunks(low, high):
        logprobs = _chunk_logprobs(chunk, hidden[chunk.places].float(), weight, bias)
        top = logprobs.topk(min(k, logprobs.shape[1]), dim=1)
        found = torch.where(torch.isfinite(top.values), top.indices + chunk.low, -1)
        ids[chunk.places, : found.shape[1]] = found
        values[chunk.places, : found.shape[1]] = top.values
    return ids, values


class _RestrictedDivergence(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - autograd functions have positional arguments alone
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        taught: tuple[Tensor, Tensor, Tensor],
        low: Tensor,
        high: Tensor,
        temperature: float,
    ) -> Tensor:
        grads = torch.zeros_like(hidden), torch.zeros_like(weight), torch.zeros_like(bias)
        total = hidden.new_zeros(())
        for chunk in _chunks(low, high):
            mine, rows = hidden[chunk.places], slice(chunk.low, chunk.high)
            found = _chunk_logprobs(chunk, mine / temperature, weight, bias / temperature)
            wanted = _chunk_logprobs(
                chunk, taught[0][chunk.places] / temperature, taught[1], taught[2] / temperature
            )
            share = wanted.exp()
            total += (share * (wanted - found).masked_fill(share == 0, 0.0)).sum()
            grad = (found.exp() - share) / temperature
            grads[0][chunk.places] = grad @ weight[rows]
            grads[1][rows] += grad.t() @ mine
            grads[2][rows] += grad.sum(0)
        ctx.save_for_backward(*grads)
        return total

    @staticmethod
    def backward(ctx: Any, grad_total: Tensor) -> tuple[Tensor | None, ...]:
        return (*(grad * grad_total for grad in ctx.saved_tensors), *(None,) * 4)


def restricted_divergence(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    taught: tuple[Tensor, Tensor, Tensor],
    low: Tensor,
    high: Tensor,
    temperature: float = 1.0,
) -> Tensor:
    """Return the summed Kullback-Leibler divergence of a model from a teacher, natural log.

    Args:
        hidden: float [n, size].
        weight: float [n_pairs, size], the output layer.
        bias: float [n_pairs].
        taught: the same three of the teacher, which has the same pairs; no gradient flows there.
        low: int64 [n], first pair that the place can be.
        high: int64 [n], pair behind the last one; above `low`.
        temperature: logits of both are divided by it.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        parts = [part.detach().float() for part in taught]
        result: Tensor = _RestrictedDivergence.apply(
            hidden.float(), weight, bias, (parts[0], parts[1], parts[2]), low, high, temperature
        )
    return result
