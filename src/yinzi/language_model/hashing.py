"""Hash n-grams of word ids to uint64, whole arrays at a time.

An n-gram's ids are packed into one key of at most 63 bits (21 bits an id, first word highest), the
key is multiplied by an odd number that depends on the seed, and the product is mixed. Every step
can be undone, so two n-grams of one order never share a hash. The product is a sum over the words,
`key * m = w1 * (m << 42) + w2 * (m << 21) + w3 * m`: a column of words and a row of contexts are
each multiplied once, and only their sums are as many as there are pairs.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["KEY_BITS", "MAX_IDS", "Multipliers", "mix"]

KEY_BITS: Final = 21
"""Bits of one word id in a key."""

MAX_IDS: Final = 1 << KEY_BITS
"""Number of word ids, border marks included, that keys have room for."""

_UINT64_MASK: Final = (1 << 64) - 1
_MIX_MULTIPLIER: Final = np.uint64(0xFF51AFD7ED558CCD)  # MurmurHash3's finaliser
_HALF: Final = np.uint64(32)


class Multipliers:
    """Multiply word ids by what their place in the n-gram asks for.

    Attributes:
        seed: number ≥ 0 that the multiplier is drawn from.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        odd = _split_mix(seed) | 1
        self._by_distance = tuple(
            np.uint64((odd << (KEY_BITS * distance)) & _UINT64_MASK) for distance in range(3)
        )

    def part(self, ids: NDArray[Any], distance: int) -> NDArray[np.uint64]:
        """Give what the words at one place add to the hash, as a new array.

        Args:
            ids: word ids, at least 1-D; what -1 gives is of no use, but is no error.
            distance: places between the word and the n-gram's last word, 0 to 2.

        >>> from yinzi.language_model.hashing import Multipliers
        >>> multipliers = Multipliers(seed=1)
        >>> both = multipliers.part(np.array([1]), 1) + multipliers.part(np.array([5]), 0)
        >>> key = (1 << 21) + 5
        >>> bool(both == multipliers.part(np.array([key]), 0))
        True
        """
        part = ids.astype(np.uint64)
        part *= self._by_distance[distance]
        return part


def mix(sums: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit of the summed parts over the hash, in place; also give its upper halves.

    >>> sums = np.array([0, 1], dtype=np.uint64)
    >>> upper = mix(sums)
    >>> sums.tolist()
    [0, 18397679291040277274]
    >>> bool(upper[1] == sums[1] >> 32)
    True
    """
    upper: NDArray[np.uint64] = sums >> _HALF
    sums ^= upper
    sums *= _MIX_MULTIPLIER
    np.right_shift(sums, _HALF, out=upper)
    sums ^= upper
    return upper


def _split_mix(seed: int) -> int:
    """Turn a small seed into 64 random bits (Steele, Lea, Flood 2014, "SplitMix")."""
    state = (seed + 1) * 0x9E3779B97F4A7C15 & _UINT64_MASK
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & _UINT64_MASK
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB & _UINT64_MASK
    return state ^ (state >> 31)
