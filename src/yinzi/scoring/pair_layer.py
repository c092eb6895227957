"""Compute the distribution over the readable hanzi of each place from its hidden vector.

The output layer has a row for each pair of syllable and hanzi, and what a place can be is one slice
of these rows (see `PairTable`): 18 rows of 7,361 on average, 400 for an initial. It is kept out of
the ONNX graph because a graph would compute all rows, or gather each slice anew. Here places are
sorted by slice, and each slice that occurs is one small matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["PairLayer"]

_PRODUCT_SIZE: Final = 1 << 17
"""Multiplications of one product at most: OpenBLAS would start threads for larger ones."""


@dataclass(frozen=True, eq=False)
class PairLayer:
    """The output layer: logits are ``scales * (weight @ hidden) + bias``.

    >>> layer = PairLayer(
    ...     np.array([[1], [-1], [2]], dtype=np.int8),
    ...     np.ones(3, dtype=np.float32),
    ...     np.zeros(3, dtype=np.float32),
    ... )
    >>> hidden = np.array([[0.0], [1.0]], dtype=np.float32)
    >>> logprobs, starts = layer.logprobs(hidden, np.array([0, 2]), np.array([2, 3]))
    >>> np.exp(logprobs).round(3).tolist(), starts.tolist()
    ([0.5, 0.5, 1.0], [0, 2, 3])

    Attributes:
        weight: int8 or float32 [n_pairs, size].
        scales: float32 [n_pairs], factor of each row.
        bias: float32 [n_pairs].
    """

    weight: NDArray[np.int8] | NDArray[np.float32]
    scales: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logprobs(
        self, hidden: NDArray[np.float32], low: NDArray[np.int64], high: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the logprobs of the slices, one after another, and where each place's begin.

        Args:
            hidden: float32 [n_places, size].
            low: int64 [n_places], first pair of each slice.
            high: int64 [n_places], pair behind the last one; ``low`` for an empty slice.

        Returns:
            float32 [sum of high - low], natural log, each slice sums to 1 in probability;
            int64 [n_places + 1], start of each slice.
        """
        width = high - low
        starts = np.concatenate(([0], np.cumsum(width)))
        order = np.argsort(low * (len(self.bias) + 1) + high, kind="stable")
        order = order[width[order] > 0]
        if not len(order):
            return np.zeros(0, dtype=np.float32), starts
        low, high, width = low[order], high[order], width[order]
        ends = np.cumsum(width)
        begins = ends - width
        logits = self._logits(hidden[order], low, high, ends)
        logits -= np.repeat(np.maximum.reduceat(logits, begins), width)
        logits -= np.repeat(np.log(np.add.reduceat(np.exp(logits), begins)), width)
        result = np.empty_like(logits)
        result[np.arange(len(logits)) + np.repeat(starts[order] - begins, width)] = logits
        return result, starts

    def _logits(
        self,
        hidden: NDArray[np.float32],
        low: NDArray[np.int64],
        high: NDArray[np.int64],
        ends: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Return float32 [ends[-1]], the logits of places that are sorted by slice."""
        is_first = np.concatenate(([True], (low[1:] != low[:-1]) | (high[1:] != high[:-1])))
        firsts = np.append(np.flatnonzero(is_first), len(low)).tolist()
        first_pairs, last_pairs = low.tolist(), high.tolist()
        offsets = np.concatenate(([0], ends)).tolist()
        logits = np.empty(offsets[-1], dtype=np.float32)
        bias, scales, size = self.bias, self.scales, hidden.shape[1]
        for group, first in enumerate(firsts[:-1]):
            pairs = slice(first_pairs[first], last_pairs[first])
            n_wide = pairs.stop - pairs.start
            # Kept as int8: 2 MB instead of 9, and a slice is widened in microseconds.
            rows = self.weight[pairs].astype(np.float32).T
            step = max(1, _PRODUCT_SIZE // (n_wide * size))
            for at in range(first, firsts[group + 1], step):
                end = min(at + step, firsts[group + 1])
                part = logits[offsets[at] : offsets[end]].reshape(end - at, n_wide)
                np.matmul(hidden[at:end], rows, out=part)
                part *= scales[pairs]
                part += bias[pairs]
        return logits
