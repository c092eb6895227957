"""Expect accuracy from measures: ridge regression on the logit, with honest intervals.

Some 27 sets are all there is to fit on, so there are five features and a ridge. What a prediction
is off by on sets that it has not seen (leave one out) is the width of its interval; a text unlike
all sets of the fit, and a text too short to measure it well, get a wider one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.evaluation.bootstrap import Estimate
from yinzi_train.shift.run_counts import COLUMNS, RunCounts

__all__ = [
    "FEATURES",
    "AccuracyModel",
    "features",
    "fit_accuracy",
    "leave_one_out",
    "logit",
    "sampling_covariance",
    "spearman",
]

FEATURES: Final = (
    "bits_per_hanzi",
    "log_homophone_hanzi",
    "log_single_hanzi",
    "log_rare_hanzi",
    "log_miu_length",
)
RIDGE: Final = 1.0
_SHARE_FLOOR: Final = 0.01
"""Added to shares before the logarithm is taken, so that none is -inf."""
_N_RESAMPLES: Final = 200

_Floats = NDArray[np.float64]


def features(totals: _Floats) -> _Floats:
    """Return the features of texts.

    Args:
        totals: float64 [..., len(COLUMNS)], sums over the runs of each text.

    Returns:
        float64 [..., len(FEATURES)].
    """
    column = {name: totals[..., at] for at, name in enumerate(COLUMNS)}
    hanzi = column["hanzi"]
    bits = -column["logprob"] / math.log(2) / np.maximum(column["known_hanzi"], 1)
    logs = [
        np.log(column[name] / hanzi + _SHARE_FLOOR)
        for name in ("homophone_hanzi", "single_hanzi", "rare_hanzi")
    ]
    return np.stack([bits, *logs, np.log(hanzi / column["runs"])], axis=-1)


def sampling_covariance(counts: RunCounts, *, seed: int = 0) -> _Floats:
    """Return how much features of other sentences of the same kind would vary.

    Bootstrap over sentences. One sentence says nothing of others: the result is 0.

    Returns:
        float64 [n_features, n_features].
    """
    sums = counts.by_sentence()
    n = len(sums)
    generator = np.random.default_rng(seed)
    drawn = np.empty((_N_RESAMPLES, len(FEATURES)))
    for at in range(_N_RESAMPLES):
        drawn[at] = features(generator.multinomial(n, np.full(n, 1 / n)) @ sums)
    covariance: _Floats = np.cov(drawn, rowvar=False)
    return covariance


def logit(share: float, n: float) -> float:
    """Return the logit of a share of n, kept finite by half an observation on each side.

    >>> round(logit(0.9, 1000), 2), round(logit(1.0, 200), 2)
    (2.19, 5.99)
    """
    right = share * n
    return math.log((right + 0.5) / (n - right + 0.5))


@dataclass(frozen=True)
class AccuracyModel:
    """A fitted regression of the logit of an accuracy.

    Attributes:
        means: of the features over the sets of the fit.
        scales: standard deviations of them.
        coefficients: of the standardised features.
        intercept: mean logit.
        inverse: [n_features, n_features], inverse of their products plus the ridge: how little the
            fit knows in each direction.
        residual: root mean square of what it is off by on sets left out, in logits.
        n_sets: sets of the fit.
        sentence_covariance: [n_features, n_features], of the features of one sentence, on average;
            what is assumed of texts too short to tell.
    """

    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    inverse: tuple[tuple[float, ...], ...]
    residual: float
    n_sets: int
    sentence_covariance: tuple[tuple[float, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AccuracyModel:
        """Read what `to_dict` gave."""
        plain: dict[str, Any] = {
            name: tuple(map(tuple, value)) if _is_matrix(value) else _plain(value)
            for name, value in values.items()
        }
        return cls(**plain)

    def logit_of(self, found: _Floats) -> float:
        """Return the expected logit."""
        return float(self._standardised(found) @ np.array(self.coefficients) + self.intercept)

    def predict(self, found: _Floats, *, covariance: _Floats, n_sentences: int) -> Estimate:
        """Return the expected accuracy with its 95 % interval.

        Args:
            found: float64 [n_features].
            covariance: of `found`, see `sampling_covariance`.
            n_sentences: sentences of the text.
        """
        point = self._standardised(found)
        slopes = np.array(self.coefficients) / np.array(self.scales)
        of_text = slopes @ covariance @ slopes
        of_mean = slopes @ np.array(self.sentence_covariance) @ slopes / n_sentences
        leverage = point @ np.array(self.inverse) @ point
        variance = self.residual**2 * (1 + leverage) + max(of_text, of_mean)
        half = _t_quantile(self.n_sets - 2) * math.sqrt(variance)
        middle = self.logit_of(found)
        return Estimate(_sigmoid(middle), _sigmoid(middle - half), _sigmoid(middle + half))

    def _standardised(self, found: _Floats) -> _Floats:
        return (found - np.array(self.means)) / np.array(self.scales)


def fit_accuracy(
    table: _Floats, logits: _Floats, weights: _Floats, sentence_covariance: _Floats
) -> AccuracyModel:
    """Fit a regression and measure what it is off by on sets left out.

    Args:
        table: float64 [n_sets, n_features].
        logits: float64 [n_sets], of the measured accuracy.
        weights: float64 [n_sets], how much each set counts; the mean should be 1.
        sentence_covariance: see `AccuracyModel`.
    """
    means, scales, coefficients, intercept, inverse = _ridge(table, logits, weights)
    errors = leave_one_out(table, logits, weights) - logits
    return AccuracyModel(
        tuple(means.tolist()),
        tuple(scales.tolist()),
        tuple(coefficients.tolist()),
        intercept,
        tuple(map(tuple, inverse.tolist())),
        float(np.sqrt(np.average(errors**2, weights=weights))),
        len(logits),
        tuple(map(tuple, sentence_covariance.tolist())),
    )


def leave_one_out(table: _Floats, logits: _Floats, weights: _Floats) -> _Floats:
    """Return for each set what is expected of it by a fit on all the others, in logits."""
    expected = np.empty(len(logits))
    for at in range(len(logits)):
        kept = np.arange(len(logits)) != at
        means, scales, coefficients, intercept, _ = _ridge(table[kept], logits[kept], weights[kept])
        expected[at] = (table[at] - means) / scales @ coefficients + intercept
    return expected


def spearman(first: Sequence[float] | _Floats, second: Sequence[float] | _Floats) -> float:
    """Return Spearman's rank correlation; equal values share their mean rank.

    >>> round(spearman([1, 2, 3, 4], [10, 30, 20, 40]), 2), spearman([1, 2, 2], [3, 1, 1])
    (0.8, -1.0)
    """
    ranks = [_mean_ranks(np.asarray(values, np.float64)) for values in (first, second)]
    if any(np.ptp(one) == 0 for one in ranks):
        return 0.0
    return round(float(np.corrcoef(ranks[0], ranks[1])[0, 1]), 12)


def _mean_ranks(values: _Floats) -> _Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: _Floats = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def _ridge(
    table: _Floats, logits: _Floats, weights: _Floats
) -> tuple[_Floats, _Floats, _Floats, float, _Floats]:
    """Return means, scales, coefficients, intercept and the inverse matrix."""
    means = np.average(table, axis=0, weights=weights)
    scales = np.sqrt(np.average((table - means) ** 2, axis=0, weights=weights))
    scales = np.maximum(scales, 1e-6)
    points = (table - means) / scales
    intercept = float(np.average(logits, weights=weights))
    products = points.T @ (points * weights[:, None]) + RIDGE * np.eye(table.shape[1])
    inverse = np.linalg.inv(products)
    return (
        means,
        scales,
        inverse @ (points.T @ (weights * (logits - intercept))),
        intercept,
        inverse,
    )


def _t_quantile(n_free: int) -> float:
    """Return the 97.5 % quantile of Student's t (Abramowitz and Stegun 26.7.5).

    >>> round(_t_quantile(25), 2), round(_t_quantile(1000), 2)
    (2.06, 1.96)
    """
    z = 1.959964
    n_free = max(n_free, 3)
    return (
        z
        + (z**3 + z) / (4 * n_free)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n_free**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n_free**3)
    )


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, value))))


def _is_matrix(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], (list, tuple))


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else value
