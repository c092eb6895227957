from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from yinzi.scoring.pair_layer import PairLayer

N_PAIRS, SIZE = 60, 8
RNG = np.random.default_rng(0)
LAYER = PairLayer(
    RNG.integers(-127, 128, (N_PAIRS, SIZE)).astype(np.int8),
    RNG.uniform(0.01, 0.05, N_PAIRS).astype(np.float32),
    RNG.normal(size=N_PAIRS).astype(np.float32),
)
SLICES = st.lists(
    st.tuples(st.integers(0, N_PAIRS), st.integers(0, N_PAIRS)).map(sorted),
    max_size=30,
)


def naive_logprobs(hidden: NDArray[np.float32], low: int, high: int) -> NDArray[np.float64]:
    weight = LAYER.weight[low:high].astype(np.float64) * LAYER.scales[low:high, None]
    logits = weight @ hidden + LAYER.bias[low:high]
    return logits - np.log(np.exp(logits).sum())


@given(SLICES)
@settings(max_examples=40, deadline=None)
def test_slices_match_a_softmax_of_each_place(slices: list[list[int]]) -> None:
    bounds = np.array(slices, dtype=np.int64).reshape(-1, 2)
    hidden = np.random.default_rng(len(slices)).normal(size=(len(slices), SIZE))
    logprobs, starts = LAYER.logprobs(hidden.astype(np.float32), bounds[:, 0], bounds[:, 1])
    assert starts.tolist() == [0, *np.cumsum(bounds[:, 1] - bounds[:, 0]).tolist()]
    for place, (low, high) in enumerate(slices):
        expected = naive_logprobs(hidden[place].astype(np.float32), low, high) if low < high else []
        np.testing.assert_allclose(logprobs[starts[place] : starts[place + 1]], expected, atol=1e-5)


def test_many_places_of_one_slice_are_cut_into_several_products() -> None:
    n_places = 5000
    hidden = np.random.default_rng(1).normal(size=(n_places, SIZE)).astype(np.float32)
    low, high = np.zeros(n_places, dtype=np.int64), np.full(n_places, N_PAIRS)
    logprobs, _ = LAYER.logprobs(hidden, low, high)
    rows = logprobs.reshape(n_places, N_PAIRS)
    np.testing.assert_allclose(np.exp(rows.astype(np.float64)).sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(rows[-1], naive_logprobs(hidden[-1], 0, N_PAIRS), atol=1e-5)


@pytest.mark.parametrize("factor", [1e4, -1e4])
def test_large_logits_stay_finite(factor: float) -> None:
    hidden = np.full((1, SIZE), factor, dtype=np.float32)
    logprobs, _ = LAYER.logprobs(hidden, np.array([0]), np.array([N_PAIRS]))
    assert np.isfinite(logprobs).all()
    assert np.exp(logprobs).sum() == pytest.approx(1, abs=1e-5)
