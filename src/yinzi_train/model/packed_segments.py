"""Say of packed lines what a Transformer must be told: places inside segments, and who sees whom.

Lines hold several segments side by side (see `yinzi_train.training.packing`). A model that is given
positions that count from the start of each segment, and a mask of its own for each line, computes
for each segment what it would compute for it alone, and no place is lost to blanks.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["additive_mask", "later_places", "positions_of", "same_segment", "shifted"]


def positions_of(segments: Tensor) -> Tensor:
    """Return int64 [lines, length], the index of each place in its segment; 0 for blanks.

    >>> positions_of(torch.tensor([[4, 4, 7, 7, 7, -1, -1]])).tolist()
    [[0, 1, 0, 1, 2, 0, 0]]
    """
    places = torch.arange(segments.shape[1], device=segments.device).expand_as(segments)
    is_first = torch.ones_like(segments, dtype=torch.bool)
    is_first[:, 1:] = segments[:, 1:] != segments[:, :-1]
    firsts = torch.cummax(torch.where(is_first, places, 0), dim=1).values
    return torch.where(segments >= 0, places - firsts, 0)


def same_segment(segments: Tensor, *, is_causal: bool = False) -> Tensor:
    """Return bool [lines, 1, length, length]: which places (last axis) a place sees.

    >>> same_segment(torch.tensor([[4, 4, 7]]), is_causal=True)[0, 0].int().tolist()
    [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    """
    seen = segments[:, :, None] == segments[:, None, :]
    return (seen.tril() if is_causal else seen)[:, None]


def additive_mask(seen: Tensor, *, dtype: torch.dtype) -> Tensor:
    """Return a mask that is added to attention scores: 0 where seen, very low elsewhere.

    >>> additive_mask(torch.tensor([True, False]), dtype=torch.float32)[0].item()
    0.0
    """
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(
        ~seen, torch.finfo(dtype).min
    )


def shifted(values: Tensor, segments: Tensor, start: Tensor) -> Tensor:
    """Return at each place the value of the place before, `start` at first places of segments.

    Args:
        values: float [lines, length, size].
        segments: int64 [lines, length].
        start: float [size].
    """
    before = torch.nn.functional.pad(values[:, :-1], (0, 0, 1, 0))
    is_first = positions_of(segments) == 0
    return torch.where(is_first[..., None], start.to(values.dtype), before)


def later_places(values: Tensor, segments: Tensor, n_later: int) -> Tensor:
    """Return at each place its value and those of places after it: [lines, length, (n + 1) × size].

    Places of other segments are zero.
    """
    parts = [values]
    length = values.shape[1]
    for distance in range(1, n_later + 1):
        kept = max(length - distance, 0)
        after = torch.nn.functional.pad(values[:, length - kept :], (0, 0, 0, length - kept))
        is_same = torch.zeros_like(segments, dtype=torch.bool)
        is_same[:, :kept] = segments[:, :kept] == segments[:, length - kept :]
        parts.append(after * is_same[..., None].to(after.dtype))
    return torch.cat(parts, dim=-1)
