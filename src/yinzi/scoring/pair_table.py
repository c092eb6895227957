"""Number the pairs of syllable and hanzi: what a neural model chooses from.

Pairs are sorted by syllable, likely ones first, so the hanzi that a syllable or a prefix of one can
stand for are one range of pair ids: a softmax restricted to readable hanzi is a softmax over a
slice of the output layer, without a mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.pinyin import SYLLABLES

__all__ = ["CODE_BITS", "CODE_MASK", "PairTable", "pair_keys"]

CODE_BITS: Final = 21
CODE_MASK: Final = (1 << CODE_BITS) - 1
"""A key of a pair is its syllable id above the bits of a code point."""


@dataclass(frozen=True, eq=False)
class PairTable:
    """Pairs of syllable and hanzi, by id.

    >>> codes = np.array([ord(char) for char in "把吧白"])
    >>> pairs = PairTable(np.array([5, 5, 7]), codes, np.array([30, 10, 5]))
    >>> pairs.starts[5:8].tolist(), pairs.ids(np.array([5, 7]), pairs.hanzi[1:]).tolist()
    ([0, 2, 2], [1, 2])

    Attributes:
        syllables: int16 [n_pairs], rising.
        hanzi: uint32 [n_pairs], code points.
        counts: [n_pairs], occurrences in the text that the pairs were taken from.
    """

    syllables: NDArray[np.int16]
    hanzi: NDArray[np.uint32]
    counts: NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.hanzi)

    @cached_property
    def starts(self) -> NDArray[np.int32]:
        """int32 [n_syllables + 1]: syllable s has pairs starts[s] up to starts[s + 1].

        A range of syllables lo to hi has pairs starts[lo] up to starts[hi].
        """
        return np.searchsorted(self.syllables, np.arange(len(SYLLABLES) + 1)).astype(np.int32)

    @cached_property
    def log_counts(self) -> NDArray[np.float64]:
        """float64 [n_pairs], natural log of each count and one."""
        logs: NDArray[np.float64] = np.log(self.counts + 1.0)
        return logs

    @cached_property
    def _cumulative(self) -> NDArray[np.float64]:
        """float64 [n_pairs + 1], counts and one of all pairs before each, added up."""
        return np.concatenate(([0.0], np.cumsum(self.counts + 1.0)))

    def slice_log_counts(
        self, low: NDArray[np.integer], high: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Return the natural log of how often the pairs of slices occur together; 0 for empty ones.

        `log_counts` less this is the logprob of a pair in its slice without any context.
        """
        sums = self._cumulative[high] - self._cumulative[low]
        logs: NDArray[np.float64] = np.log(np.where(sums > 0, sums, 1.0))
        return logs

    @cached_property
    def _sorted_keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        keys = pair_keys(self.syllables, self.hanzi)
        order = np.argsort(keys)
        return keys[order], order

    def ids(self, syllables: NDArray[np.integer], codes: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the pair ids of syllables and hanzi; -1 for a pair that is not known."""
        keys, ids = self._sorted_keys
        if not len(keys):
            return np.full(len(codes), -1, dtype=np.int64)
        wanted = pair_keys(syllables, codes)
        slots = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[slots] == wanted, ids[slots], -1)

    def texts(self) -> list[str]:
        """Return the hanzi of each pair."""
        return [chr(code) for code in self.hanzi]


def pair_keys(syllables: NDArray[np.integer], codes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return int64 keys of pairs, which sort by syllable, then by code point."""
    return (syllables.astype(np.int64) << CODE_BITS) | codes.astype(np.int64)
