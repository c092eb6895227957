"""The regression: what it recovers, what it leaves out, and when its interval is wide."""

from __future__ import annotations

import numpy as np
import pytest

from yinzi_train.shift.regression import (
    FEATURES,
    AccuracyModel,
    fit_accuracy,
    leave_one_out,
    spearman,
)

N = len(FEATURES)
NO_COVARIANCE = np.zeros((N, N))


def made_up(n_sets: int = 25, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    table = generator.normal(size=(n_sets, N))
    logits = 2 - table[:, 0] + 0.3 * table[:, 1] + noise * generator.normal(size=n_sets)
    return table, logits, np.ones(n_sets)


def test_fit_recovers_a_linear_relation() -> None:
    table, logits, weights = made_up(200)
    model = fit_accuracy(table, logits, weights, NO_COVARIANCE)
    expected = [model.logit_of(row) for row in table]
    assert np.abs(np.array(expected) - logits).max() < 0.05
    assert model.residual < 0.05


def test_set_left_out_has_no_part_in_what_is_expected_of_it() -> None:
    table, logits, weights = made_up(noise=0.2)
    expected = leave_one_out(table, logits, weights)
    changed = logits.copy()
    changed[3] += 100
    assert leave_one_out(table, changed, weights)[3] == pytest.approx(expected[3])
    alone = fit_accuracy(
        np.delete(table, 3, axis=0), np.delete(logits, 3), np.ones(24), NO_COVARIANCE
    )
    assert alone.logit_of(table[3]) == pytest.approx(expected[3])


def test_interval_holds_about_what_it_says() -> None:
    table, logits, weights = made_up(425, noise=0.3)
    model = fit_accuracy(table[:25], logits[:25], weights[:25], NO_COVARIANCE)
    inside = []
    for row, logit in zip(table[25:], logits[25:], strict=True):
        estimate = model.predict(row, covariance=NO_COVARIANCE, n_sentences=1000)
        inside.append(estimate.low <= 1 / (1 + np.exp(-logit)) <= estimate.high)
    assert 0.9 <= np.mean(inside) <= 1


def test_interval_grows_far_from_the_sets_and_for_short_texts() -> None:
    table, logits, weights = made_up(noise=0.1)
    model = fit_accuracy(table, logits, weights, np.eye(N) * 0.5)

    def width(row: np.ndarray, n_sentences: int) -> float:
        found = model.predict(row, covariance=NO_COVARIANCE, n_sentences=n_sentences)
        logits = [np.log(value / (1 - value)) for value in (found.low, found.high)]
        return float(logits[1] - logits[0])

    middle = table.mean(axis=0)
    assert width(middle, 10) > 1.5 * width(middle, 1000)
    assert width(middle + 5, 1000) > 1.5 * width(middle, 1000)


def test_model_survives_json() -> None:
    model = fit_accuracy(*made_up(noise=0.1), np.eye(N))
    assert AccuracyModel.from_dict(model.to_dict()) == model


def test_spearman_is_the_correlation_of_ranks() -> None:
    assert spearman([1, 2, 3], [1, 4, 9]) == 1.0
    assert spearman([5, 5, 5], [1, 2, 3]) == 0.0
    # Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: by hand 4.5 / sqrt(4.5 * 5).
    assert spearman([0, 1, 1, 2], [1, 3, 2, 9]) == pytest.approx(4.5 / np.sqrt(4.5 * 5))
