"""Compute the three discounts of modified Kneser-Ney smoothing from counts of counts."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from yinzi.errors import ConfigError

__all__ = ["modified_discounts"]

logger = logging.getLogger(__name__)

_MIN_DISCOUNT = 1e-6
"""With less, a context seen often leaves nothing for the words not seen after it."""


def modified_discounts(
    counts_of_counts: Sequence[int],
    *,
    order: int,
    fallback: tuple[float, float, float] | None = None,
) -> tuple[float, float, float]:
    """Compute the discounts for counts 1, 2 and 3 or more (Chen and Goodman 1998, equation 26).

    Args:
        counts_of_counts: how many n-grams have the (adjusted) count 1, 2, 3 and 4.
        order: 1 to 3, for messages.
        fallback: used, with a warning, where the counts of counts give no valid discounts.

    Raises:
        ConfigError: no valid discounts and no fallback.

    >>> modified_discounts([100, 40, 20, 12], order=2)
    (0.5555555555555556, 1.1666666666666665, 1.6666666666666665)
    """
    n1, n2, n3, n4 = counts_of_counts
    if n1 and n2 and n3:
        y = n1 / (n1 + 2 * n2)
        d1, d2, d3 = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3
        if all(_MIN_DISCOUNT <= d <= j for j, d in enumerate((d1, d2, d3), start=1)):
            return d1, d2, d3
    if fallback is None:
        raise ConfigError(
            f"no valid discounts for order {order}: {n1}, {n2}, {n3} and {n4} n-grams have the "
            "counts 1, 2, 3 and 4; the corpus is tiny, artificial or was cut before counting; "
            "give a larger one or set discount_fallback=(0.5, 1.0, 1.5)"
        )
    logger.warning("order %d: counts of counts give no discounts, using %s", order, fallback)
    return fallback
