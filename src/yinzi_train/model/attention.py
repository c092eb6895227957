"""Look at the places of a source: additive and scaled dot-product attention, and that of layers.

Additive attention compares a query and a key by a small network, ``v · tanh(query + key)``
(Bahdanau et al. 2015, arXiv 1409.0473, appendix A.1.2); scaled dot-product attention by their
product over the square root of the width (Vaswani et al. 2017, arXiv 1706.03762, section 3.2.1).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = [
    "MASKED",
    "AdditiveAttention",
    "DotAttention",
    "RelativeBias",
    "attend",
    "join_heads",
    "split_heads",
]

MASKED = -1e4
"""Added to scores of places that are not to be seen; finite, so that empty rows stay finite."""


class AdditiveAttention(nn.Module):
    """Additive attention; `query` and `key` are applied to states before, each once."""

    def __init__(self, size: int, attention_size: int) -> None:
        super().__init__()
        self.key = nn.Linear(size, attention_size, bias=False)
        self.query = nn.Linear(size, attention_size)
        self.value = nn.Linear(attention_size, 1, bias=False)

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Return weights: float [rows, target, source], each target sums to 1.

        Args:
            queries: float [rows, target, attention_size].
            keys: float [rows, source, attention_size].
            mask: float [rows, 1, source], added to the scores.
        """
        mixed = torch.tanh(queries[:, :, None] + keys[:, None])
        scores = self.value(mixed)[..., 0]  # [rows, target, source]
        return torch.softmax(scores.float() + mask, dim=-1).to(keys.dtype)


class DotAttention(nn.Module):
    """Scaled dot-product attention with one head; `query` and `key` are applied before."""

    def __init__(self, size: int, attention_size: int) -> None:
        super().__init__()
        self.key = nn.Linear(size, attention_size, bias=False)
        self.query = nn.Linear(size, attention_size, bias=False)
        self.scale = attention_size**-0.5

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Return weights: float [rows, target, source]; see `AdditiveAttention.forward`."""
        scores = torch.bmm(queries, keys.transpose(1, 2))
        return torch.softmax(scores.float() * self.scale + mask, dim=-1).to(keys.dtype)


class RelativeBias(nn.Module):
    """A bias for each head and each distance between places, clipped at the farthest.

    Raffel et al. 2020, arXiv 1910.10683, section 2.1, clipped instead of in buckets.
    """

    def __init__(self, n_heads: int, max_distance: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_heads, 2 * max_distance + 1))
        self.max_distance = max_distance

    def forward(self, targets: Tensor, sources: Tensor) -> Tensor:
        """Return float [heads, n_targets, n_sources] of places, int64 [n] each."""
        farthest = self.max_distance
        distance = (sources[None] - targets[:, None]).clamp(-farthest, farthest) + farthest
        return self.weight[:, distance]


def split_heads(values: Tensor, n_heads: int) -> Tensor:
    """Return [lines × heads, length, size / heads] of [lines, length, size]."""
    n_lines, length, size = values.shape
    split = values.view(n_lines, length, n_heads, size // n_heads)
    return split.transpose(1, 2).reshape(n_lines * n_heads, length, size // n_heads)


def join_heads(values: Tensor, n_heads: int) -> Tensor:
    """Return [lines, length, size] of [lines × heads, length, size / heads]."""
    n_lines, length, head_size = len(values) // n_heads, values.shape[1], values.shape[2]
    joined = values.view(n_lines, n_heads, length, head_size).transpose(1, 2)
    return joined.reshape(n_lines, length, n_heads * head_size)


def attend(query: Tensor, key: Tensor, bias: Tensor) -> Tensor:
    """Return weights of heads: float [lines × heads, target, source], each target sums to 1."""
    scores = torch.baddbmm(bias, query, key.transpose(1, 2), alpha=query.shape[-1] ** -0.5)
    return torch.softmax(scores, dim=-1).to(key.dtype)
