"""Hold n-gram counts as sorted packed keys, the form they are merged, saved and read in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["KEY_BITS", "NgramCounts", "pack_bigrams", "pack_trigrams", "unpack"]

KEY_BITS: Final = 21
"""Bits of one word id inside a packed key; three of them fit into 63 bits."""


def pack_bigrams(first: NDArray[np.integer], second: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Pack word id pairs into keys that sort like the pairs.

    >>> int(pack_bigrams(np.array([1]), np.array([2]))[0]) == (1 << 21) + 2
    True
    """
    keys: NDArray[np.uint64] = first.astype(np.uint64) << np.uint64(KEY_BITS)
    keys |= second.astype(np.uint64)
    return keys


def pack_trigrams(
    first: NDArray[np.integer], second: NDArray[np.integer], third: NDArray[np.integer]
) -> NDArray[np.uint64]:
    """Pack word id triples into keys that sort like the triples."""
    keys = pack_bigrams(first, second)
    keys <<= np.uint64(KEY_BITS)
    keys |= third.astype(np.uint64)
    return keys


def unpack(keys: NDArray[np.uint64], order: int) -> NDArray[np.int32]:
    """Unpack keys into int32 [n_keys, order], context first.

    >>> unpack(pack_bigrams(np.array([5]), np.array([7])), 2).tolist()
    [[5, 7]]
    """
    mask = np.uint64((1 << KEY_BITS) - 1)
    columns = [
        ((keys >> np.uint64(KEY_BITS * (order - 1 - i))) & mask).astype(np.int32)
        for i in range(order)
    ]
    return np.stack(columns, axis=1)


@dataclass
class NgramCounts:
    """Counts of words, word pairs and word triples inside sentences ``<s> w ... w </s>``.

    `count` is the raw number of occurrences; `weighted` adds up domain weight times occurrences.
    Trigrams have at most one sentence start: there is no ``(<s>, <s>, w)``.

    Attributes:
        n_words: vocabulary size without the border marks; their ids are n_words and n_words + 1.
        unigram_count: uint32 [n_words + 2].
        unigram_weighted: float64 [n_words + 2].
        bigram_keys: uint64 [n_bigrams], sorted, unique (`pack_bigrams`).
        bigram_count: uint32 [n_bigrams].
        bigram_weighted: float64 [n_bigrams].
        trigram_keys: uint64 [n_trigrams], sorted, unique (`pack_trigrams`).
        trigram_count: uint32 [n_trigrams].
        trigram_weighted: float64 [n_trigrams].
    """

    n_words: int
    unigram_count: NDArray[np.uint32]
    unigram_weighted: NDArray[np.float64]
    bigram_keys: NDArray[np.uint64]
    bigram_count: NDArray[np.uint32]
    bigram_weighted: NDArray[np.float64]
    trigram_keys: NDArray[np.uint64]
    trigram_count: NDArray[np.uint32]
    trigram_weighted: NDArray[np.float64]

    @property
    def bos_id(self) -> int:
        """Id of the sentence start."""
        return self.n_words

    @property
    def eos_id(self) -> int:
        """Id of the sentence end."""
        return self.n_words + 1
