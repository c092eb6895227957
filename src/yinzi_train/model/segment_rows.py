"""Lay packed segments out as rows for recurrent layers, and put the results back.

A recurrent layer would carry its state from one segment of a line into the next. So every segment
becomes a row of its own, from its first place on, and long rows come first: at each step the rows
that still go on are the first ones. Blanks stand behind all rows only, where no state that matters
passes, so nothing is masked; a layer that runs backward is given the rows reversed. Attention needs
whole rows, which are taken in groups of about one length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

__all__ = ["SegmentRows"]

_ROW_MULTIPLE = 16
"""Rows of a step are filled up to a multiple: oneDNN compiles a product for each new size."""


@dataclass(frozen=True)
class _Moves:
    """Where each item of a target comes from, and where each item of the source goes.

    Attributes:
        index: int64 [n_target], item of the source; anything at the blanks.
        blanks: int64, items of the target that are zero.
        inverse: int64 [n_source], item of the target; anything at the blanks.
        inverse_blanks: int64, items of the source that no target has.
    """

    index: Tensor
    blanks: Tensor
    inverse: Tensor
    inverse_blanks: Tensor

    def reversed(self) -> _Moves:
        return _Moves(self.inverse, self.inverse_blanks, self.index, self.blanks)


class _Move(torch.autograd.Function):
    """Pick rows; as each has one target at most, the gradient is picked instead of added up."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, moves: _Moves) -> Tensor:
        ctx.moves = moves
        return _picked(source, moves.index, moves.blanks)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        moves = ctx.moves
        return _picked(grad, moves.inverse, moves.inverse_blanks), None


def _picked(source: Tensor, index: Tensor, blanks: Tensor) -> Tensor:
    if not len(source):
        return source.new_zeros(len(index), source.shape[1])
    return source.index_select(0, index).index_fill_(0, blanks, 0.0)


def _move(source: Tensor, moves: _Moves) -> Tensor:
    moved: Tensor = _Move.apply(source, moves)
    return moved


class SegmentRows:
    """The segments of a batch as rows, the longest first.

    Arrays of items are [n_items, size]: step after step, in each the rows that have a place there.

    >>> rows = SegmentRows(torch.tensor([[4, 4, 4, -1, 7, 7, -1, -1]]))
    >>> places = torch.arange(8.0)[:, None]
    >>> items = rows.from_lines(places)
    >>> rows.sizes, rows.previous(places)[:33:16, 0].tolist()
    ([16, 16, 16], [0.0, 0.0, 1.0])
    >>> rows.to_lines(items)[:, 0].tolist()
    [0.0, 1.0, 2.0, 0.0, 4.0, 5.0, 0.0, 0.0]
    >>> rows.to_lines(rows.turned(items))[:, 0].tolist()
    [2.0, 1.0, 0.0, 0.0, 5.0, 4.0, 0.0, 0.0]
    >>> [group.shape for group in rows.groups(items)]
    [torch.Size([16, 4, 1])]

    Attributes:
        sizes: rows of each step, blank ones included; they do not rise.
        is_first: bool [n_items], first places of rows.
    """

    def __init__(self, segments: Tensor) -> None:
        """Find the segments: int64 [lines, length], equal numbers in a line; -1 for no segment."""
        self._device = segments.device
        flat = segments.reshape(-1)
        inside = (flat >= 0).nonzero()[:, 0]
        n_numbers = int(flat.max()) + 1 if len(inside) else 1
        key = (inside // max(segments.shape[1], 1)) * n_numbers + flat[inside]
        order = torch.argsort(key, stable=True)
        places = inside[order]  # segment after segment
        _, lengths = torch.unique_consecutive(key[order], return_counts=True)
        starts = torch.cumsum(lengths, 0) - lengths
        by_length = torch.argsort(lengths, descending=True, stable=True)
        self._lengths, starts = lengths[by_length], starts[by_length]
        n_steps = int(self._lengths[0]) if len(lengths) else 0
        n_rows = (self._lengths > self._range(n_steps)[:, None]).sum(1)  # [n_steps]
        n_rows = _up_to(n_rows, _ROW_MULTIPLE)
        self.sizes: list[int] = n_rows.tolist()
        self._offsets = torch.cumsum(n_rows, 0) - n_rows
        self._n_items = sum(self.sizes)
        step = torch.repeat_interleave(self._range(n_steps), n_rows)
        items = self._range(self._n_items)
        row = items - self._offsets[step]
        valid = row < len(lengths)
        row = torch.where(valid, row, 0)
        valid &= step < self._lengths[row]
        self.is_first = step == 0
        at = torch.where(valid, starts[row] + step, 0)
        self._from_lines = _moves(places[at], valid, len(flat))
        before = places[(at - 1).clamp(min=0)]
        self._previous = _moves(before, valid & ~self.is_first, len(flat))
        last = torch.where(valid, self._lengths[row] - 1 - step, 0)
        turned = torch.where(valid, self._offsets[last] + row, items)
        self._turned = _Moves(turned, items[:0], turned, items[:0])

    def from_lines(self, values: Tensor) -> Tensor:
        """Return the values [lines × length, size] of all places as items; blanks are zero."""
        return _move(values, self._from_lines)

    def previous(self, values: Tensor) -> Tensor:
        """Return at each place the value of the place before it; zero at first places."""
        return _move(values, self._previous)

    def to_lines(self, items: Tensor) -> Tensor:
        """Return items as [lines × length, size]; places of no segment are zero."""
        return _move(items, self._from_lines.reversed())

    def turned(self, items: Tensor) -> Tensor:
        """Return items with the places of each row in reverse order, blanks still at the end."""
        return _move(items, self._turned)

    def groups(self, items: Tensor) -> Iterator[Tensor]:
        """Yield rows of about one length: [rows, length, size]; blanks are zero."""
        grouped = _move(items, self._groups[1])
        sizes = [n_rows * length for n_rows, length in self._groups[0]]
        for part, shape in zip(grouped.split(sizes), self._groups[0], strict=True):
            yield part.view(*shape, items.shape[1])

    def from_groups(self, groups: Sequence[Tensor]) -> Tensor:
        """Return groups as items again."""
        flat = [group.reshape(-1, group.shape[2]) for group in groups]
        return _move(torch.cat(flat), self._groups[1].reversed())

    @cached_property
    def lengths(self) -> list[Tensor]:
        """For each group int64 [n_rows], places of its rows; 0 for blank rows."""
        lengths = []
        for first, n_rows in self._parts:
            padded = self._lengths.new_zeros(int(_up_to(torch.tensor(n_rows), _ROW_MULTIPLE)))
            padded[:n_rows] = self._lengths[first : first + n_rows]
            lengths.append(padded)
        return lengths

    @cached_property
    def _parts(self) -> list[tuple[int, int]]:
        """First row and number of rows of each group."""
        _, counts = torch.unique_consecutive(_group_length(self._lengths), return_counts=True)
        return list(zip((torch.cumsum(counts, 0) - counts).tolist(), counts.tolist(), strict=True))

    @cached_property
    def _groups(self) -> tuple[list[tuple[int, int]], _Moves]:
        """Rows and length of each group, and where their items come from."""
        shapes, grids, valid = [], [self._range(0)], [self._range(0).bool()]
        for (first, _), lengths in zip(self._parts, self.lengths, strict=True):
            step = self._range(int(_group_length(lengths[0])))
            is_valid = step < lengths[:, None]  # [rows, length]
            row = first + self._range(len(lengths))[:, None]
            offsets = self._offsets[step.clamp(max=len(self.sizes) - 1)]
            grids.append(torch.where(is_valid, offsets + row, 0).reshape(-1))
            valid.append(is_valid.reshape(-1))
            shapes.append((len(lengths), len(step)))
        return shapes, _moves(torch.cat(grids), torch.cat(valid), self._n_items)

    def _range(self, end: int) -> Tensor:
        return torch.arange(end, device=self._device)


def _up_to(numbers: Tensor, multiple: Tensor | int) -> Tensor:
    """Return the numbers rounded up to a multiple."""
    return -(-numbers // multiple) * multiple


def _group_length(lengths: Tensor) -> Tensor:
    """Return how long the group of a row is."""
    step = torch.where(lengths <= 16, 4, torch.where(lengths <= 32, 8, 32))
    return _up_to(lengths, step)


def _moves(index: Tensor, valid: Tensor, n_source: int) -> _Moves:
    """Return the moves to items that are valid; the others are blank."""
    inverse = torch.full((n_source,), -1, dtype=torch.int64, device=index.device)
    items = valid.nonzero()[:, 0]
    inverse[index[items]] = items
    return _Moves(
        torch.where(valid, index, 0),
        (~valid).nonzero()[:, 0],
        inverse.clamp(min=0),
        (inverse < 0).nonzero()[:, 0],
    )
