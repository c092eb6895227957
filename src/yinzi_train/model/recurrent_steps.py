"""Run LSTM and GRU layers over rows of many lengths, forward and backward.

The equations and parameters are those of `torch.nn.LSTM` and `torch.nn.GRU`, which stay as holders
of the parameters and as the reference in the tests. What differs is the order of the work: rows are
sorted by length, so each step is one product over the rows that still go on, and what needs no
order (derivatives of the gates, the gradient of the weights) is computed for all steps at once
instead of being added up step by step. Measured on one core, bfloat16, forward and backward: a GRU
layer takes 0.6 of the time of torch's over dense groups of rows, an LSTM layer 0.93 of torch's
fused one; over a `PackedSequence` torch takes six times as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["run_recurrent"]


def run_recurrent(layer: nn.LSTM | nn.GRU, items: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the states of a layer with one direction: float [n_items, hidden size].

    Args:
        layer: its parameters; one level, one direction.
        items: float [n_items, size], step after step; in each, row after row.
        sizes: rows of each step, never more than in the one before; the first ones go on.
    """
    if not len(items):
        return items.new_zeros(0, layer.hidden_size)
    of_input, of_state, input_bias, state_bias = layer.parameters()
    if isinstance(layer, nn.LSTM):
        gates = nn.functional.linear(items, of_input, input_bias + state_bias)
        states: Tensor = _LstmSteps.apply(gates, of_state, tuple(sizes))
    else:
        gates = nn.functional.linear(items, of_input, input_bias)
        states = _GruSteps.apply(gates, of_state, state_bias, tuple(sizes))
    return states


def _slices(sizes: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Yield the items of each step, and those of the step before that go on; none at first."""
    start, before = 0, slice(0, 0)
    for n_rows in sizes:
        yield slice(start, start + n_rows), slice(before.start, before.start + n_rows)
        before = slice(start, start + n_rows)
        start += n_rows


def _states_before(states: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the states that all steps but the first began with."""
    later = list(_slices(sizes))[1:]
    return torch.cat([states[:0], *(states[before] for _, before in later)])


class _LstmSteps(torch.autograd.Function):
    """Gates in torch's order: input, forget, cell, output."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, sizes: tuple[int, ...]) -> Tensor:
        size = weight.shape[1]
        transposed = weight.to(gates.dtype).t()
        gates = gates.clone()  # becomes what the gates let through
        states, cells, squashed = (gates.new_empty(len(gates), size) for _ in range(3))
        for now, before in _slices(sizes):
            mine = gates[now]
            if now.start:
                mine.addmm_(states[before], transposed)
            let_in, forget, new, let_out = mine.split(size, dim=1)
            mine[:, : 2 * size].sigmoid_()
            new.tanh_()
            let_out.sigmoid_()
            torch.mul(let_in, new, out=cells[now])
            if now.start:
                cells[now].addcmul_(forget, cells[before])
            torch.tanh(cells[now], out=squashed[now])
            torch.mul(let_out, squashed[now], out=states[now])
        ctx.sizes = sizes
        ctx.save_for_backward(gates, states, cells, squashed, weight)
        return states

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        gates, states, cells, squashed, weight = ctx.saved_tensors
        size = weight.shape[1]
        own_weight = weight.to(gates.dtype)
        let_in, forget, new, let_out = gates.split(size, dim=1)
        # Derivatives that need nothing of the steps behind.
        cell_of_state = let_out * (1 - squashed * squashed)
        n_first = ctx.sizes[0]
        factors = torch.empty_like(gates)
        of_let_in, of_forget, of_new, of_let_out = factors.split(size, dim=1)
        torch.mul(new, let_in * (1 - let_in), out=of_let_in)
        torch.mul(forget, 1 - forget, out=of_forget)
        of_forget[:n_first] = 0  # nothing was there to forget
        of_forget[n_first:].mul_(_states_before(cells, ctx.sizes))
        torch.mul(let_in, 1 - new * new, out=of_new)
        torch.mul(squashed, let_out * (1 - let_out), out=of_let_out)
        grad_gates = factors
        grad_states = grad.clone(memory_format=torch.contiguous_format)
        grad_cells = torch.zeros_like(grad_states)
        for now, before in reversed(list(_slices(ctx.sizes))):
            of_state = grad_states[now]
            of_cell = grad_cells[now].addcmul_(of_state, cell_of_state[now])
            mine = grad_gates[now].view(-1, 4, size)
            mine[:, :3].mul_(of_cell[:, None])
            mine[:, 3].mul_(of_state)
            if now.start:
                grad_states[before].addmm_(grad_gates[now], own_weight)
                torch.mul(of_cell, forget[now], out=grad_cells[before])
        grad_weight = grad_gates[n_first:].t() @ _states_before(states, ctx.sizes)
        return grad_gates, grad_weight.to(weight.dtype), None


class _GruSteps(torch.autograd.Function):
    """Gates in torch's order: reset, update, new."""

    @staticmethod
    def forward(
        ctx: Any, gates: Tensor, weight: Tensor, bias: Tensor, sizes: tuple[int, ...]
    ) -> Tensor:
        size = weight.shape[1]
        transposed, own_bias = weight.to(gates.dtype).t(), bias.to(gates.dtype)
        gates = gates.clone()  # becomes what the gates let through
        states, recalled = (gates.new_empty(len(gates), size) for _ in range(2))
        for now, before in _slices(sizes):
            mine, new = gates[now], gates[now][:, 2 * size :]
            if now.start:
                heard = torch.addmm(own_bias, states[before], transposed)
            else:
                heard = own_bias.expand_as(mine)
            mine[:, : 2 * size].add_(heard[:, : 2 * size]).sigmoid_()
            recalled[now] = heard[:, 2 * size :]
            reset, update = mine[:, :size], mine[:, size : 2 * size]
            new.addcmul_(reset, recalled[now]).tanh_()
            if now.start:
                torch.lerp(new, states[before], update, out=states[now])
            else:
                torch.addcmul(new, new, update, value=-1, out=states[now])
        ctx.sizes = sizes
        ctx.save_for_backward(gates, states, recalled, weight, bias)
        return states

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        gates, states, recalled, weight, bias = ctx.saved_tensors
        size = weight.shape[1]
        own_weight = weight.to(gates.dtype)
        reset, update, new = gates.split(size, dim=1)
        n_first = ctx.sizes[0]
        states_before = _states_before(states, ctx.sizes)
        # Derivatives that need nothing of the steps behind; of what is heard from the state.
        by_new = (1 - update) * (1 - new * new)
        factors = torch.empty_like(gates)
        of_reset, of_update, of_heard = factors.split(size, dim=1)
        torch.mul(by_new * recalled, reset * (1 - reset), out=of_reset)
        torch.mul(by_new, reset, out=of_heard)
        of_update.copy_(new).neg_()
        of_update[n_first:].add_(states_before)
        of_update.mul_(update * (1 - update))
        grad_heard = factors
        grad_states = grad.clone(memory_format=torch.contiguous_format)
        for now, before in reversed(list(_slices(ctx.sizes))):
            of_state = grad_states[now]
            grad_heard[now].view(-1, 3, size).mul_(of_state[:, None])
            if now.start:
                grad_states[before].addmm_(grad_heard[now], own_weight)
                grad_states[before].addcmul_(of_state, update[now])
        grad_gates = torch.cat((grad_heard[:, : 2 * size], by_new * grad_states), dim=1)
        grad_weight = grad_heard[n_first:].t() @ states_before
        return (
            grad_gates,
            grad_weight.to(weight.dtype),
            grad_heard.sum(0, dtype=bias.dtype),
            None,
        )
