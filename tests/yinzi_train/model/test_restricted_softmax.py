from __future__ import annotations

import pytest
import torch
from torch import Tensor

from yinzi_train.model import restricted_softmax
from yinzi_train.model.restricted_softmax import (
    restricted_cross_entropy,
    restricted_logprobs,
    restricted_top_k,
)

SIZE = 5
STARTS = [0, 3, 4, 9, 10, 17, 30]
"""Slices of syllables; ranges of them are the slices of prefixes, which overlap."""


def naive_logprobs(
    hidden: Tensor, weight: Tensor, bias: Tensor, low: Tensor, high: Tensor
) -> Tensor:
    """The softmax over all pairs, with all but the slice masked: [n, n_pairs]."""
    pairs = torch.arange(len(weight))
    is_outside = (pairs < low[:, None]) | (pairs >= high[:, None])
    return torch.log_softmax((hidden @ weight.t() + bias).masked_fill(is_outside, -torch.inf), 1)


def sample(seed: int, n: int = 200) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    ends = torch.sort(
        torch.stack([torch.randperm(len(STARTS))[:2] for _ in range(n)]), dim=1
    ).values
    low, high = torch.tensor(STARTS)[ends].unbind(1)
    return {
        "hidden": torch.randn(n, SIZE, dtype=torch.float32),
        "weight": torch.randn(STARTS[-1], SIZE),
        "bias": torch.randn(STARTS[-1]),
        "low": low,
        "high": high,
        "targets": low + (torch.rand(n) * (high - low)).long(),
        "place_weights": torch.rand(n),
    }


@pytest.fixture(params=[8, 256], ids=["many chunks", "one chunk"])
def _chunk_pairs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restricted_softmax, "_CHUNK_PAIRS", request.param)


@pytest.mark.usefixtures("_chunk_pairs")
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_loss_and_gradients_are_those_of_a_masked_softmax(seed: int, smoothing: float) -> None:
    given = sample(seed)
    learnt = [given[name].requires_grad_() for name in ("hidden", "weight", "bias")]
    loss, n_right = restricted_cross_entropy(**given, label_smoothing=smoothing)
    grads = torch.autograd.grad(3 * loss, learnt)

    logprobs = naive_logprobs(*learnt, given["low"], given["high"])
    at_target = logprobs.gather(1, given["targets"][:, None])[:, 0]
    mean = logprobs.masked_fill(logprobs.isinf(), 0).sum(1) / (given["high"] - given["low"])
    losses = -(1 - smoothing) * at_target - smoothing * mean
    expected = (losses * given["place_weights"]).sum()
    torch.testing.assert_close(loss, expected)
    assert int(n_right) == int((logprobs.argmax(1) == given["targets"]).sum())
    for grad, wanted in zip(grads, torch.autograd.grad(3 * expected, learnt), strict=True):
        torch.testing.assert_close(grad, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("_chunk_pairs")
def test_logprobs_are_those_of_a_masked_softmax() -> None:
    given = sample(7)
    given["high"][::9] = given["low"][::9]  # places of literals
    del given["targets"], given["place_weights"]
    found, starts = restricted_logprobs(**given)
    expected = naive_logprobs(**given)
    for place, (low, high) in enumerate(zip(given["low"], given["high"], strict=True)):
        mine = found[starts[place] : starts[place + 1]]
        torch.testing.assert_close(mine, expected[place, low:high])


@pytest.mark.usefixtures("_chunk_pairs")
def test_top_k_are_the_likeliest_of_the_slice() -> None:
    given = sample(8)
    given["high"][::9] = given["low"][::9]
    del given["targets"], given["place_weights"]
    ids, values = restricted_top_k(**given, k=4)
    expected = naive_logprobs(**given)
    for place, (low, high) in enumerate(
        zip(given["low"].tolist(), given["high"].tolist(), strict=True)
    ):
        n = min(4, high - low)
        assert ids[place, n:].tolist() == [-1] * (4 - n)
        assert values[place, n:].isinf().all()
        top = expected[place, low:high].topk(n)
        assert ids[place, :n].tolist() == (top.indices + low).tolist()
        torch.testing.assert_close(values[place, :n], top.values)


def test_no_places_cost_nothing() -> None:
    given = {
        name: values[:0] if len(values) == 200 else values for name, values in sample(1).items()
    }
    given["weight"].requires_grad_()
    loss, n_right = restricted_cross_entropy(**given)
    loss.backward()
    assert (float(loss.detach()), int(n_right)) == (0.0, 0)
    assert not given["weight"].grad.any()
