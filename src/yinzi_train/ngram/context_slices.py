"""Walk through sorted n-grams in slices that never split a context.

Estimation and pruning need float64 working arrays. Over all trigrams at once these would take
several gigabytes; over slices of a few million n-grams they stay small. Sums over a context are
taken with `numpy.add.reduceat`, so a context must lie in one slice completely.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi_train.ngram.counts import KEY_BITS

__all__ = ["ContextSlice", "context_slices", "locate_rows"]

_LAST_WORD_BITS = np.uint64(KEY_BITS)


@dataclass(frozen=True)
class ContextSlice:
    """N-grams ``lo`` to ``hi`` of a sorted table; whole contexts only.

    Attributes:
        lo: first n-gram of the slice.
        hi: one past the last n-gram of the slice.
        starts: int64 [n_contexts], where each context begins, counted from ``lo``.
        sizes: int64 [n_contexts], number of n-grams of each context.
    """

    lo: int
    hi: int
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @property
    def rows(self) -> slice:
        """The slice, ready for indexing."""
        return slice(self.lo, self.hi)

    def spread(self, per_context: NDArray[np.float64]) -> NDArray[np.float64]:
        """Repeat one value per context for each of its n-grams."""
        return np.repeat(per_context, self.sizes)


def context_slices(keys: NDArray[np.uint64], *, length: int) -> Iterator[ContextSlice]:
    """Yield slices of about `length` n-grams; a longer context makes a longer slice.

    Args:
        keys: uint64 [n_ngrams], sorted packed keys; the context is all but the last word.
        length: n-grams per slice, at least 1.

    >>> keys = np.array([(1 << 21) + 3, (1 << 21) + 4, (2 << 21) + 3], dtype=np.uint64)
    >>> [(s.lo, s.hi, s.starts.tolist()) for s in context_slices(keys, length=1)]
    [(0, 2, [0]), (2, 3, [0])]
    """
    lo = 0
    while lo < len(keys):
        hi = min(lo + length, len(keys))
        if hi < len(keys):
            cut = int(np.searchsorted(keys, (keys[hi] >> _LAST_WORD_BITS) << _LAST_WORD_BITS))
            if cut <= lo:  # one context is longer than a slice: take all of it
                next_context = ((keys[lo] >> _LAST_WORD_BITS) + np.uint64(1)) << _LAST_WORD_BITS
                cut = int(np.searchsorted(keys, next_context))
            hi = cut
        contexts = keys[lo:hi] >> _LAST_WORD_BITS
        is_start = np.empty(hi - lo, dtype=bool)
        is_start[0] = True
        np.not_equal(contexts[1:], contexts[:-1], out=is_start[1:])
        starts = np.flatnonzero(is_start)
        sizes = np.diff(np.append(starts, hi - lo))
        yield ContextSlice(lo=lo, hi=hi, starts=starts, sizes=sizes)
        lo = hi


def locate_rows(
    table: NDArray[np.uint64], keys: NDArray[np.uint64], *, what: str
) -> NDArray[np.int64]:
    """Find the row of every key in a sorted table that must hold them all.

    Args:
        table: uint64 [n_rows], sorted, unique.
        keys: uint64 [n_keys], any order.
        what: names the keys in the error message.

    Raises:
        ConfigError: a key is not in the table.

    >>> locate_rows(np.array([3, 5], np.uint64), np.array([5, 3], np.uint64), what="x").tolist()
    [1, 0]
    """
    if np.all(keys[1:] >= keys[:-1]):
        rows = np.searchsorted(table, keys)
    else:  # sorting first is several times faster than jumping about in a large table
        by_key = np.argsort(keys)
        rows = np.empty(len(keys), dtype=np.int64)
        rows[by_key] = np.searchsorted(table, keys[by_key])
    n_missing = len(keys)
    if len(table):
        n_missing = int(np.count_nonzero(np.take(table, rows, mode="clip") != keys))
    if n_missing:
        raise ConfigError(
            f"{n_missing} {what} are not among the {len(table)} bigrams: "
            "counts and models must hold the first two and the last two words of every trigram; "
            "count again without dropping n-grams"
        )
    return rows
