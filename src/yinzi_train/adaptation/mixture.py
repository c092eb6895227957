"""Fit how much the domain model counts beside the base, by expectation maximisation.

The mixture p = (1 - w) p_base + w p_domain is fitted on text that neither model was counted on
(Jelinek and Mercer 1980). There is one weight for each pair of orders that the contexts have in the
two models. Text of the domain alone would give the domain model most of the weight everywhere;
general text is fitted together with it, so that the domain model keeps its weight only where its
contexts tell that the text is of the domain.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.language_model import AdaptedLanguageModel
from yinzi.language_model.adapted import N_ORDERS
from yinzi_train.adaptation.domain_model import SegmentedText

__all__ = ["WordLogprobs", "fit_mixture", "guarded_weights", "word_logprobs"]

_ROUNDS: Final = 60
_PRIOR_WORDS: Final = 5.0
_PRIOR_WEIGHT: Final = 0.2
_LEAST: Final = 1e-4
_GUARDED_SHIFTS: Final = np.array(
    [[0, 0, 0, 0], [0, 0, 0, 0], [0, -3.0, -2.9, 0], [0, -3.0, -2.6, -1.8]], dtype=np.float64
)
"""What general text that counts three times changes in the log odds, read off the fits on one
medical text: weights fall only where the base has seen what comes before (the last two rows)."""


class WordLogprobs(NamedTuple):
    """What both models say of the words of a text; all arrays [n_words].

    Attributes:
        of_base: float32, natural log of each word after the words before it.
        of_domain: float32, likewise.
        orders: int64, the pair of orders of the contexts; see `AdaptedLanguageModel.part_logprobs`.
    """

    of_base: NDArray[np.float32]
    of_domain: NDArray[np.float32]
    orders: NDArray[np.int64]


def word_logprobs(model: AdaptedLanguageModel, text: SegmentedText) -> WordLogprobs:
    """Score a text with both models of a mixture."""
    return WordLogprobs(*model.part_logprobs(*text.trigrams(n_words=model.n_words)))


def fit_mixture(
    domain: WordLogprobs, general: WordLogprobs | None = None, *, general_weight: float = 0.0
) -> NDArray[np.float32]:
    """Return the weights that make the texts most probable.

    >>> base, better = np.log(np.float32([0.1, 0.1])), np.log(np.float32([0.4, 0.4]))
    >>> weights = fit_mixture(WordLogprobs(base, better, np.array([5, 5])))
    >>> bool(weights[1, 1] > 0.3 > weights[3, 3])
    True

    Args:
        domain: words of the domain.
        general: words of general text, None for none.
        general_weight: what all the general text counts, against all that of the domain; 0 or more.

    Returns:
        float32 [4, 4], weights of the domain model by the orders in base and domain.

    Raises:
        ConfigError: there are no words.
    """
    n_domain = len(domain.orders)
    if not n_domain:
        raise ConfigError("no words to fit the weight of the domain model on: give more text")
    columns = [domain] if general is None or not len(general.orders) else [domain, general]
    base = np.exp(np.concatenate([part.of_base for part in columns]).astype(np.float64))
    other = np.exp(np.concatenate([part.of_domain for part in columns]).astype(np.float64))
    orders = np.concatenate([part.orders for part in columns])
    counts_as = np.ones(len(orders))
    if len(columns) > 1:
        counts_as[n_domain:] = general_weight * n_domain / (len(orders) - n_domain)
    n_bins = N_ORDERS * N_ORDERS
    weights = np.full(n_bins, _PRIOR_WEIGHT)
    totals = np.bincount(orders, weights=counts_as, minlength=n_bins)
    for _ in range(_ROUNDS):
        part = weights[orders] * other
        posterior = part / np.maximum(part + (1 - weights[orders]) * base, 1e-300)
        sums = np.bincount(orders, weights=counts_as * posterior, minlength=n_bins)
        weights = (sums + _PRIOR_WORDS * _PRIOR_WEIGHT) / (totals + _PRIOR_WORDS)
        weights = np.clip(weights, _LEAST, 1 - _LEAST)
    return weights.reshape(N_ORDERS, N_ORDERS).astype(np.float32)


def guarded_weights(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return weights that were fitted without general text, lowered where that usually does.

    >>> guarded_weights(np.full((4, 4), 0.5, np.float32))[3, 1] < 0.1
    np.True_
    """
    odds = np.log(weights / (1 - weights)) + _GUARDED_SHIFTS
    lowered: NDArray[np.float32] = np.clip(1 / (1 + np.exp(-odds)), _LEAST, 1 - _LEAST).astype(
        np.float32
    )
    return lowered
