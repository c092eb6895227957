"""Draw random numbers that depend on a seed, a row and a position, and on nothing else.

A generator with a state gives a row other numbers when rows before it change, or when several
workers share the work. Here a number is a hash of (seed, epoch, row id, repeat, purpose, position),
computed for whole arrays (the finaliser of SplitMix64: Steele, Lea and Flood 2014, Fast Splittable
Pseudorandom Number Generators, section 4). One draw costs about 15 ns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import IntEnum
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError

__all__ = ["Purpose", "check_rate", "hash_ids", "mix_keys", "pick", "uniforms"]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_MASK: Final = (1 << 64) - 1


class Purpose(IntEnum):
    """What a number is drawn for; each purpose has numbers of its own. Values never change."""

    ACCENT_ROW = 1
    ACCENT_PROFILE = 2
    ACCENT_SYLLABLE = 3
    ABBREVIATION_ROW = 4
    ABBREVIATION_SYLLABLE = 5
    ABBREVIATION_FORM = 6
    ABBREVIATION_LENGTH = 7
    TAIL = 8
    TONES_ROW = 9
    TONE = 10
    BORDERS_ROW = 11
    TYPING_ERROR = 12
    TYPING_KIND = 13
    TYPING_LETTER = 14
    TYPING_KEY = 15
    WORD_ROW = 16
    WORD_PLACE = 17
    WORD_CHOICE = 18
    NUMBER_ROW = 19
    NUMBER_PLACE = 20
    NUMBER_CHOICE = 21
    WINDOW = 22
    CONTEXT_ROW = 23
    CONTEXT_PLACE = 24
    COPIES = 25
    ORDER = 26
    CONTEXT_BREAK = 27
    WHOLE_ROW = 28
    LIST_ROW = 29
    LIST_FORM = 30
    LIST_CONTEXT = 31
    LIST_KEPT = 32


def _finalize(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble an array that the caller does not need any more, in place."""
    values ^= values >> np.uint64(30)
    values *= _FIRST
    values ^= values >> np.uint64(27)
    values *= _SECOND
    values ^= values >> np.uint64(31)
    return values


def hash_ids(ids: Iterable[str]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each row id; it never changes between versions and machines."""
    digests = b"".join([blake2b(text.encode(), digest_size=8).digest() for text in ids])
    hashes: NDArray[np.uint64] = np.frombuffer(digests, dtype="<u8").astype(np.uint64)
    return hashes


def mix_keys(keys: NDArray[np.uint64], *numbers: int | NDArray[np.integer]) -> NDArray[np.uint64]:
    """Return keys that also depend on further numbers: seed, epoch, repeat.

    >>> keys = hash_ids(["a", "b"])
    >>> bool((mix_keys(keys, 1, 0) != mix_keys(keys, 0, 1)).all())
    True
    """
    mixed: NDArray[np.uint64] = keys.copy()
    for number in numbers:
        if isinstance(number, np.ndarray):
            term = number.astype(np.uint64)
        else:
            term = np.full(1, number & _MASK, dtype=np.uint64)
        mixed = _finalize((mixed ^ _finalize(term + _GOLDEN)) * _GOLDEN)
    return mixed


def uniforms(
    keys: NDArray[np.uint64],
    purpose: Purpose,
    positions: NDArray[np.integer] | None = None,
) -> NDArray[np.float64]:
    """Draw one number in [0, 1) for each key, or for each pair of key and position.

    >>> uniforms(hash_ids(["a", "b"]), Purpose.TONE).round(3).tolist()
    [0.622, 0.374]
    """
    scrambled = _finalize(keys + np.uint64((int(purpose) * int(_GOLDEN)) & _MASK))
    if positions is not None:
        scrambled += (positions.astype(np.uint64) + np.uint64(1)) * _GOLDEN
        scrambled = _finalize(scrambled)
    draws: NDArray[np.float64] = (scrambled >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return draws


def pick(draws: NDArray[np.float64], weights: Sequence[float]) -> NDArray[np.int64]:
    """Turn draws into indices of weights, each as likely as its share of their sum.

    >>> pick(np.array([0.0, 0.49, 0.5, 0.99]), [1.0, 0.0, 1.0]).tolist()
    [0, 0, 2, 2]
    """
    cumulative = np.cumsum(np.asarray(weights, dtype=np.float64))
    chosen = np.searchsorted(cumulative, draws * cumulative[-1], side="right")
    last = int(np.flatnonzero(weights)[-1])
    indices: NDArray[np.int64] = np.minimum(chosen, last).astype(np.int64)
    return indices


def check_rate(key: str, value: float, *, upper: float = 1.0) -> None:
    """Check a probability that a setting gives.

    Raises:
        ConfigError: it is no number from 0 to the upper limit.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not 0 <= value <= upper:
        raise ConfigError(f"{key} is {value!r}: expected a number from 0 to {upper:g}")
