"""The divergence against its definition, and what the correction is for: the size of a text."""

from __future__ import annotations

import math

import numpy as np
import pytest

from yinzi_train.shift.divergence import compare_counts, jensen_shannon


def naive_divergence(first: list[float], second: list[float]) -> float:
    """Entropy of the mean less the mean of the entropies."""

    def entropy(values: list[float]) -> float:
        return -sum(value * math.log2(value) for value in values if value)

    middle = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    return entropy(middle) - (entropy(first) + entropy(second)) / 2


def test_divergence_is_as_defined() -> None:
    generator = np.random.default_rng(3)
    for _ in range(20):
        first, second = generator.dirichlet(np.full(30, 0.3), size=2)
        expected = naive_divergence(first.tolist(), second.tolist())
        assert jensen_shannon(first, second) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [30, 300, 3000])
def test_sample_of_the_distribution_itself_is_at_zero(n: int) -> None:
    zipf = 1 / np.arange(1, 2001)
    zipf /= zipf.sum()
    draws = [np.random.default_rng(100 + seed).multinomial(n, zipf) for seed in range(60)]
    found = [compare_counts(draw, zipf, seed=seed) for seed, draw in enumerate(draws)]
    assert min(one.raw for one in found) > 0.02
    values = [one.corrected for one in found]
    assert abs(np.mean(values)) < 4 * np.std(values) / len(values) ** 0.5


def test_correction_makes_sizes_comparable() -> None:
    zipf = 1 / np.arange(1, 2001)
    zipf /= zipf.sum()
    other = np.roll(zipf, 3)
    raw, corrected = [], []
    for n in (200, 20_000):
        draws = [np.random.default_rng(seed).multinomial(n, other) for seed in range(5)]
        found = [compare_counts(draw, zipf) for draw in draws]
        raw.append(np.mean([one.raw for one in found]))
        corrected.append(np.mean([one.corrected for one in found]))
    assert abs(corrected[0] - corrected[1]) < abs(raw[0] - raw[1]) / 2


def test_nothing_shared_is_one() -> None:
    found = compare_counts(np.array([0, 0, 9]), np.array([0.5, 0.5, 0.0]))
    assert (found.raw, found.corrected) == (1.0, 1.0)
