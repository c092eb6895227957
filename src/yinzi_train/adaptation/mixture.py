"""Fit how much the domain model counts beside the base, by expectation maximisation.

The mixture p = (1 - w) p_base + w p_domain is fitted on text that neither model was counted on
(Jelinek and Mercer 1980). There is one weight for each pair of orders that the contexts have in the
two models; pairs that the text hardly shows are pulled to the weight of all words together.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.language_model.adapted import N_ORDERS

__all__ = ["fit_mixture", "shifted_weights"]

_ROUNDS: Final = 50
_PRIOR_WORDS: Final = 20.0
_LEAST: Final = 1e-4


def fit_mixture(
    of_base: NDArray[np.float32], of_domain: NDArray[np.float32], orders: NDArray[np.int64]
) -> tuple[NDArray[np.float32], float]:
    """Return the weights that make a text most probable.

    >>> base, domain = np.log(np.float32([0.1, 0.1])), np.log(np.float32([0.4, 0.4]))
    >>> weights, gain = fit_mixture(base, domain, np.array([5, 5]))
    >>> bool(weights[1, 1] > 0.9), round(gain, 2)
    (True, 1.39)

    Args:
        of_base: float32 [n], natural log of each word after the words before it, by the base.
        of_domain: float32 [n], likewise by the domain model.
        orders: int64 [n], the pair of orders of the contexts; see
            `AdaptedLanguageModel.part_logprobs`.

    Returns:
        float32 [4, 4], weights by the orders in base and domain; and what a word gains on average
        over the base alone, natural log.

    Raises:
        ConfigError: there are no words.
    """
    if not len(of_base):
        raise ConfigError("no words to fit the weight of the domain model on: give more text")
    likelihood = np.exp(of_base.astype(np.float64)), np.exp(of_domain.astype(np.float64))
    overall = 0.5
    for _ in range(_ROUNDS):
        overall = float(np.mean(_posterior(*likelihood, np.full(len(of_base), overall))))
    overall = _clipped(np.array(overall))
    n_bins = N_ORDERS * N_ORDERS
    weights = np.full(n_bins, float(overall))
    counts = np.bincount(orders, minlength=n_bins)
    for _ in range(_ROUNDS):
        sums = np.bincount(
            orders, weights=_posterior(*likelihood, weights[orders]), minlength=n_bins
        )
        weights = _clipped((sums + _PRIOR_WORDS * overall) / (counts + _PRIOR_WORDS))
    base, domain = likelihood
    mixed = (1 - weights[orders]) * base + weights[orders] * domain
    gain = float(np.mean(np.log(mixed) - of_base))
    return weights.reshape(N_ORDERS, N_ORDERS).astype(np.float32), gain


def shifted_weights(weights: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
    """Return weights with their log odds moved; below 0 the domain model counts less.

    >>> shifted_weights(np.full((4, 4), 0.5, np.float32), -np.log(3))[0, 0].round(2)
    np.float32(0.25)
    """
    odds = np.log(weights / (1 - weights)) + shift
    return _clipped(1 / (1 + np.exp(-odds))).astype(np.float32)


def _posterior(
    base: NDArray[np.float64], domain: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the probability that each word came from the domain model."""
    part = weights * domain
    return part / np.maximum(part + (1 - weights) * base, 1e-300)


def _clipped(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(weights, _LEAST, 1 - _LEAST)
