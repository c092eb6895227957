"""Lay packed segments out as prompts with answers: start, what is typed, then the hanzi chosen.

A segment of n places, the first c of them given as hanzi, becomes 1 + n + (n - c) places; segments
stay side by side in their line.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from yinzi_train.model.packed_segments import positions_of

__all__ = ["PromptLayout", "n_given"]

_MULTIPLE = 8
"""Lines are filled up to a multiple: few lengths occur, and each is prepared once."""


def n_given(is_given: Tensor) -> Tensor:
    """Return int64 [lines], places up to the last one that is given; one segment a line.

    >>> n_given(torch.tensor([[True, True, False], [False, False, False]])).tolist()
    [2, 0]
    """
    places = torch.arange(1, is_given.shape[1] + 1, device=is_given.device)
    found: Tensor = (is_given * places).amax(dim=1)
    return found


class PromptLayout:
    """Where the places of packed lines stand in lines of prompts and answers.

    >>> segments = torch.tensor([[5, 5, 5, 8, -1]])
    >>> layout = PromptLayout(segments, torch.tensor([[True, False, False, False, False]]))
    >>> layout.segments.tolist()
    [[0, 0, 0, 0, 0, 0, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1]]
    >>> layout.positions[0, :9].tolist()
    [0, 1, 1, 2, 1, 2, 0, 0, 0]

    Attributes:
        segments: int64 [lines, width], -1 for blanks.
        positions: int64 [lines, width]; syllables stand where their hanzi is chosen.
    """

    def __init__(self, segments: Tensor, is_given: Tensor) -> None:
        """Lay out; segments: int64 [lines, length]; is_given: bool, hanzi of left contexts."""
        n_lines, length = segments.shape
        device = segments.device
        place = positions_of(segments).reshape(-1)
        is_inside = segments.reshape(-1) >= 0
        # Lines begin with a first place, and each blank is a group of its own, without a place.
        group = torch.cumsum(place == 0, 0) - 1
        n_groups = int(group[-1]) + 1 if len(group) else 0
        zeros = torch.zeros(n_groups, dtype=torch.int64, device=device)
        size = zeros.scatter_reduce(0, group, (place + 1) * is_inside, "amax")
        context = zeros.scatter_reduce(
            0, group, (place + 1) * (is_given.reshape(-1) & is_inside), "amax"
        )
        width_of = torch.where(size > 0, 1 + 2 * size - context, 0)
        line_of = zeros.scatter_reduce(
            0, group, torch.arange(len(place), device=device) // max(length, 1), "amax"
        )
        ends = torch.cumsum(width_of, 0)
        used = zeros.new_zeros(n_lines).index_add_(0, line_of, width_of)
        width = -(-max(int(used.max()) if n_lines else 0, 1) // _MULTIPLE) * _MULTIPLE
        before_line = torch.cumsum(used, 0) - used
        # First slot of each group, in lines laid end to end.
        first = ends - width_of - before_line[line_of] + line_of * width
        is_answer = is_inside & (place >= context[group])
        prompt_slot = (first[group] + 1 + place)[is_inside]
        answer_slot = (first[group] + 1 + size[group] + place - context[group])[is_answer]
        self._n_places = n_lines * length
        places = torch.arange(self._n_places, device=device)
        # Items to pick from: inputs, answers, the start, a blank.
        picked = torch.full((n_lines * width,), 2 * self._n_places + 1, device=device)
        flat_segments = torch.full_like(picked, -1)
        flat_positions = torch.zeros_like(picked)
        picked[prompt_slot] = places[is_inside]
        picked[answer_slot] = places[is_answer] + self._n_places
        picked[first[size > 0]] = 2 * self._n_places
        flat_segments[prompt_slot] = group[is_inside]
        flat_segments[answer_slot] = group[is_answer]
        flat_segments[first[size > 0]] = torch.arange(n_groups, device=device)[size > 0]
        flat_positions[prompt_slot] = (place + (place < context[group]).long())[is_inside]
        flat_positions[answer_slot] = place[is_answer]
        self._picked = picked
        self.segments = flat_segments.view(n_lines, width)
        self.positions = flat_positions.view(n_lines, width)
        self._answer_of = torch.full((self._n_places,), n_lines * width, device=device)
        self._answer_of[is_answer] = answer_slot
        self._shape = n_lines, length

    def lay_out(self, inputs: Tensor, answers: Tensor, start: Tensor) -> Tensor:
        """Return float [lines, width, size]; blanks are zero.

        Args:
            inputs: float [lines, length, size], what is typed or given.
            answers: float [lines, length, size], what a place reads when its hanzi is chosen.
            start: float [size].
        """
        size = inputs.shape[-1]
        items = torch.cat(
            (inputs.reshape(-1, size), answers.reshape(-1, size), start[None], start[None] * 0)
        )
        return items[self._picked].view(*self.segments.shape, size)

    def answers(self, hidden: Tensor) -> Tensor:
        """Return float [lines, length, size], what was made of answers; zero for given places."""
        flat = nn.functional.pad(hidden.reshape(-1, hidden.shape[-1]), (0, 0, 0, 1))
        return flat[self._answer_of].view(*self._shape, -1)
