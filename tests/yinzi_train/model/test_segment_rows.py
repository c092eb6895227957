from __future__ import annotations

import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from yinzi_train.model.segment_rows import SegmentRows


@st.composite
def segment_lines(draw: st.DrawFn) -> Tensor:
    """Draw lines of segments with blanks between; numbers are used again in other lines."""
    lines = []
    for _ in range(draw(st.integers(1, 5))):
        line: list[int] = []
        for number in range(draw(st.integers(0, 4))):
            line += [number] * draw(st.integers(0, 40)) + [-1] * draw(st.integers(0, 2))
        lines.append(line)
    length = max(map(len, lines))
    return torch.tensor([line + [-1] * (length - len(line)) for line in lines]).view(len(lines), -1)


def segments_of(segments: Tensor) -> list[list[int]]:
    """Return the places of each segment, numbered through all lines."""
    length = segments.shape[1]
    return [
        [line * length + column for column in (segments[line] == number).nonzero()[:, 0].tolist()]
        for line in range(len(segments))
        for number in segments[line].unique().tolist()
        if number >= 0
    ]


@settings(deadline=None, max_examples=60)
@example(torch.full((1, 1), -1))
@given(segment_lines())
def test_rows_hold_each_segment_whole(segments: Tensor) -> None:
    rows = SegmentRows(segments.long())
    places = torch.arange(1.0, segments.numel() + 1)[:, None]
    items = rows.from_lines(places)
    assert sorted(rows.sizes, reverse=True) == rows.sizes
    columns: list[list[int]] = [[] for _ in range(rows.sizes[0] if rows.sizes else 0)]
    for part in items[:, 0].split(rows.sizes):
        for row, value in enumerate(part.tolist()):
            columns[row].append(int(value))
    found = sorted([value - 1 for value in row if value] for row in columns)
    wanted = segments_of(segments)
    assert [row for row in found if row] == sorted(wanted)
    assert all(0 not in row[: sum(map(bool, row))] for row in columns)  # blanks stand behind

    expected = torch.where(segments.reshape(-1) >= 0, places[:, 0], 0)
    assert torch.equal(rows.to_lines(items)[:, 0], expected)
    turned = rows.to_lines(rows.turned(items))[:, 0]
    before = rows.to_lines(rows.previous(places))[:, 0]
    for segment in wanted:
        assert turned[segment].tolist() == [place + 1 for place in reversed(segment)]
        assert before[segment].tolist() == [0, *(place + 1 for place in segment[:-1])]
    if wanted:
        groups = list(rows.groups(items))
        assert torch.equal(rows.from_groups(groups), items)
        for group, lengths in zip(groups, rows.lengths, strict=True):
            is_place = torch.arange(group.shape[1]) < lengths[:, None]
            assert torch.equal(group[..., 0] > 0, is_place)


@settings(deadline=None, max_examples=20)
@given(segment_lines())
def test_gradients_go_back_where_values_came_from(segments: Tensor) -> None:
    rows = SegmentRows(segments.long())
    values = torch.randn(segments.numel(), 1, dtype=torch.double, requires_grad=True)
    for moved in (
        rows.from_lines(values),
        rows.previous(values),
        rows.to_lines(rows.turned(rows.from_lines(values))),
    ):
        outside = torch.randn_like(moved)
        (grad,) = torch.autograd.grad(moved, values, outside)
        # What is linear has the inner product of its gradient with its input as value.
        torch.testing.assert_close((grad * values).sum(), (moved * outside).sum())
        is_read = moved.detach().unique()
        assert set(values[grad != 0].tolist()) <= set(is_read.tolist())
