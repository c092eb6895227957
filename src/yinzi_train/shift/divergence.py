"""Compare distributions of words and syllables, and tell what of it is only the sample's size.

A few hundred sentences hold few of the words there are, so that any short text looks different from
the training text, a short piece of the training text too. What such a piece of the same size gives
on average is taken off: 0 means "no more different than the training text from itself", 1 means
that nothing is shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Divergence", "compare_counts", "jensen_shannon"]

_N_DRAWS: Final = 16


@dataclass(frozen=True)
class Divergence:
    """How far counts are from a distribution.

    Attributes:
        raw: Jensen–Shannon divergence, base 2, 0 to 1.
        of_same_size: what samples of the distribution itself with as many counts give, on average.
        corrected: the part of the way from there to 1; slightly below 0 where a text is less
            different than most samples.
    """

    raw: float
    of_same_size: float
    corrected: float


def jensen_shannon(
    first: Sequence[float] | NDArray[np.floating], second: Sequence[float] | NDArray[np.floating]
) -> float:
    """Return the Jensen–Shannon divergence of two distributions, base 2 (Lin 1991).

    >>> jensen_shannon([1, 0], [0, 1]), jensen_shannon([0.5, 0.5], [0.5, 0.5])
    (1.0, 0.0)
    >>> round(jensen_shannon([0.5, 0.5], [1, 0]), 4)
    0.3113

    Args:
        first: probabilities, adding up to 1.
        second: as many.
    """
    p, q = np.asarray(first, np.float64), np.asarray(second, np.float64)
    middle = (p + q) / 2
    return float((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2)


def compare_counts(
    counts: NDArray[np.integer], distribution: NDArray[np.float64], *, seed: int = 0
) -> Divergence:
    """Compare counts with a distribution, and with samples of it that have the same size.

    >>> even = np.full(4, 0.25)
    >>> far = compare_counts(np.array([8, 0, 0, 0]), even)
    >>> round(far.raw, 3), far.corrected > 0.4
    (0.549, True)

    Args:
        counts: [n], at least one above 0.
        distribution: float64 [n], adding up to 1.
        seed: of the samples.
    """
    n = int(counts.sum())
    raw = jensen_shannon(counts / n, distribution)
    draws = np.random.default_rng(seed).multinomial(n, distribution, size=_N_DRAWS)
    chance = float(np.mean([jensen_shannon(draw / n, distribution) for draw in draws]))
    return Divergence(raw, chance, (raw - chance) / (1 - chance))


def _relative_entropy(p: NDArray[np.float64], q: NDArray[np.float64]) -> np.float64:
    """Return the Kullback–Leibler divergence in bits; q must not be 0 where p is not."""
    at = p > 0
    total: np.float64 = (p[at] * np.log2(p[at] / q[at])).sum()
    return total
