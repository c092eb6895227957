"""Put 95 % intervals on metrics, and on the difference of two systems on the same rows.

Percentile bootstrap over rows (Efron and Tibshirani 1993, chapter 13). Rows are resampled as a
count per row, so all metrics of all resamples are one matrix product; 1,000 resamples of 4,500
rows take about 0.1 s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinzi.evaluation.errors import EvaluationError
from yinzi.evaluation.outcomes import METRICS, Outcomes

__all__ = ["Estimate", "PairedComparison", "compare_outcomes", "estimate_metrics"]

_MAX_CELLS = 4_000_000  # counts held at a time: 32 MB


@dataclass(frozen=True)
class Estimate:
    """Hold a value and its 95 % interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Give the three numbers rounded to 1e-5, for JSON."""
        names = ("value", "low", "high")
        return {name: round(getattr(self, name), 5) for name in names}


@dataclass(frozen=True)
class PairedComparison:
    """Hold how one system differs from another on the same rows."""

    n_better: int  # rows right at rank 1 here and not there
    n_worse: int  # rows right at rank 1 there and not here
    p_value: float  # exact two-sided sign test (McNemar) of better against worse
    differences: dict[str, Estimate]  # per metric, this one minus the other

    def to_dict(self) -> dict[str, object]:
        """Give plain values for JSON."""
        return {
            "n_better": self.n_better,
            "n_worse": self.n_worse,
            "p_value": self.p_value,
            "differences": {name: e.to_dict() for name, e in self.differences.items()},
        }


def estimate_metrics(
    outcomes: Outcomes, *, n_resamples: int = 1000, seed: int = 0
) -> dict[str, Estimate]:
    """Give every metric of `METRICS` with its interval. The same seed gives the same interval.

    Raises:
        EvaluationError: there are no rows.
    """
    _check_not_empty(outcomes)
    totals = outcomes.totals()
    samples = _ratios(_resampled_sums(totals, n_resamples=n_resamples, seed=seed), len(outcomes))
    return _estimates(_ratios(totals.sum(axis=0, keepdims=True), len(outcomes))[0], samples)


def compare_outcomes(
    outcomes: Outcomes, other: Outcomes, *, n_resamples: int = 1000, seed: int = 0
) -> PairedComparison:
    """Compare two systems on the same rows; positive differences favour the first.

    Both are resampled with the same rows, so the interval is that of the difference: much narrower
    than two intervals side by side suggest.

    Raises:
        EvaluationError: there are no rows, or the two do not have the same rows in the same order.
    """
    _check_not_empty(outcomes)
    if outcomes.ids != other.ids or not np.array_equal(outcomes.n_hanzi, other.n_hanzi):
        raise EvaluationError(
            f"the two results are not of the same rows ({len(outcomes)} and {len(other)} rows); "
            "evaluate both on the same set with the same limit"
        )
    n_rows = len(outcomes)
    totals = np.concatenate([outcomes.totals(), other.totals()], axis=1)  # [n_rows, 8]
    sums = _resampled_sums(totals, n_resamples=n_resamples, seed=seed)
    samples = _ratios(sums[:, :4], n_rows) - _ratios(sums[:, 4:], n_rows)
    sums = totals.sum(axis=0, keepdims=True)
    values = (_ratios(sums[:, :4], n_rows) - _ratios(sums[:, 4:], n_rows))[0]
    n_better = int(((outcomes.ranks == 0) & (other.ranks != 0)).sum())
    n_worse = int(((outcomes.ranks != 0) & (other.ranks == 0)).sum())
    return PairedComparison(
        n_better, n_worse, _sign_test(n_better, n_worse), _estimates(values, samples)
    )


def _check_not_empty(outcomes: Outcomes) -> None:
    if not len(outcomes):
        raise EvaluationError("no rows to evaluate; expected at least one")


def _resampled_sums(
    totals: NDArray[np.float64], *, n_resamples: int, seed: int
) -> NDArray[np.float64]:
    """Give float64 [n_resamples, n_columns]: column sums over rows drawn with replacement."""
    return np.concatenate(
        [weights @ totals for weights in _row_counts(len(totals), n_resamples, seed)], axis=0
    )


def _row_counts(n_rows: int, n_resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield float64 [some resamples, n_rows]: how often each row is drawn."""
    generator = np.random.default_rng(seed)
    step = max(1, _MAX_CELLS // n_rows)
    for first in range(0, n_resamples, step):
        n_here = min(step, n_resamples - first)
        drawn = generator.integers(0, n_rows, size=(n_here, n_rows))
        drawn += np.arange(n_here)[:, None] * n_rows  # a range of its own for each resample
        counts = np.bincount(drawn.ravel(), minlength=n_here * n_rows)
        yield counts.reshape(n_here, n_rows).astype(np.float64)


def _ratios(sums: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    """Give float64 [n, 3], the columns of `METRICS`, from sums [n, 4] of `Outcomes.totals`."""
    return np.stack([sums[:, 0] / n_rows, sums[:, 1] / n_rows, sums[:, 2] / sums[:, 3]], axis=1)


def _estimates(values: NDArray[np.float64], samples: NDArray[np.float64]) -> dict[str, Estimate]:
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    return {
        name: Estimate(float(values[i]), float(low[i]), float(high[i]))
        for i, name in enumerate(METRICS)
    }


def _sign_test(n_better: int, n_worse: int) -> float:
    n_rows = n_better + n_worse
    tail = sum(math.comb(n_rows, k) for k in range(min(n_better, n_worse) + 1))
    return float(min(1.0, 2 * tail / 2**n_rows))
