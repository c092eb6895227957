from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from yinzi_train.model.recurrent_steps import run_recurrent


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("sizes", [[4, 4, 3, 1], [1], [2, 2], [5, 1, 1, 1, 1]])
def test_layers_are_those_of_torch(kind: type[nn.LSTM | nn.GRU], sizes: list[int]) -> None:
    torch.manual_seed(len(sizes))
    layer = kind(6, 5).double()
    items = torch.randn(sum(sizes), 6, dtype=torch.double, requires_grad=True)
    found = run_recurrent(layer, items, sizes)
    expected = layer(PackedSequence(items, torch.tensor(sizes)))[0].data
    torch.testing.assert_close(found, expected)
    outside = torch.randn_like(found)
    learnt = [items, *layer.parameters()]
    grads = torch.autograd.grad(found, learnt, outside)
    for grad, wanted in zip(grads, torch.autograd.grad(expected, learnt, outside), strict=True):
        torch.testing.assert_close(grad, wanted)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_bfloat16_is_near_float32(kind: type[nn.LSTM | nn.GRU]) -> None:
    torch.manual_seed(0)
    layer = kind(16, 16)
    items = torch.randn(40, 16, requires_grad=True)
    sizes = [8] * 5
    exact = run_recurrent(layer, items, sizes)
    with torch.autocast("cpu", torch.bfloat16):
        rough = run_recurrent(layer, items, sizes)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, rtol=0.1, atol=0.02)
    grads = [torch.autograd.grad(y.float().sum(), layer.weight_hh_l0)[0] for y in (rough, exact)]
    assert grads[0].dtype == torch.float32
    assert float((grads[0] - grads[1]).norm() / grads[1].norm()) < 0.05


def test_no_items_are_no_states() -> None:
    assert run_recurrent(nn.GRU(4, 3), torch.zeros(0, 4), []).shape == (0, 3)
