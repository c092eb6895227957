"""Number the syllable n-grams around each place: rows of a hashed embedding table.

An n-gram is hashed with its order, so each (order, n-gram) has one row of one table; different ones
may share a row, and the model learns to live with that (Svenstrup et al. 2017, arXiv 1709.03933,
with one hash instead of several). Ids are given at the first place of the n-gram; a model shifts
them to all places that it covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_NGRAM", "ngram_ids"]

NO_NGRAM: Final = 0
"""Row for places where no n-gram starts: it would reach over the end or over a break."""

_MULTIPLIERS: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)


def ngram_ids(
    input_ids: NDArray[np.integer],
    segments: NDArray[np.integer],
    *,
    orders: Sequence[int],
    n_rows: int,
) -> NDArray[np.int64]:
    """Return the table rows of the n-grams that start at each place.

    Args:
        input_ids: int [batch, length], ids of the `InputVocabulary`.
        segments: int [batch, length]; n-grams stay inside one segment; places below 0 are in none.
        orders: lengths of the n-grams, each at least 2.
        n_rows: rows of the table, above 1; row `NO_NGRAM` stands for no n-gram.

    Returns:
        int64 [batch, length, orders].

    >>> ids = np.array([[3, 4, 3, 4, 9]])
    >>> rows = ngram_ids(ids, np.zeros_like(ids), orders=(2, 3), n_rows=1000)
    >>> bool(rows[0, 0, 0] == rows[0, 2, 0]), rows[0, 4].tolist(), rows.shape
    (True, [0, 0], (1, 5, 2))
    """
    n_lines, length = input_ids.shape
    result = np.full((n_lines, length, len(orders)), NO_NGRAM, dtype=np.int64)
    values = input_ids.astype(np.uint64)
    multiplier, mixer = (np.uint64(value) for value in _MULTIPLIERS)
    state = values.copy()
    for order in range(2, max(orders, default=1) + 1):
        n_places = length - order + 1
        if n_places < 1:
            break
        state = state[:, :n_places] * multiplier + values[:, order - 1 :] + np.uint64(order)
        if order in orders:
            mixed = (state ^ (state >> np.uint64(29))) * mixer
            rows = (mixed >> np.uint64(32)) % np.uint64(n_rows - 1) + np.uint64(1)
            first = segments[:, :n_places]
            is_whole = (first == segments[:, order - 1 :]) & (first >= 0)
            result[:, :n_places, orders.index(order)] = np.where(is_whole, rows, NO_NGRAM)
    return result
