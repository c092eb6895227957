"""Hold what a search needs to know of its hypotheses' last two words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Contexts"]


@dataclass(frozen=True)
class Contexts:
    """What two words of context add to the scores of all words after them.

    Depends on the contexts only, so that a beam search works it out once a hypothesis and not once
    a hypothesis and following word. All arrays have one shape, [n_rows, n_hypotheses] for
    `LanguageModel.logprobs_after`.

    Attributes:
        backoffs: float32, backoff weights of the last word and of both words, summed.
        bigram_parts: uint64, the last word's part of bigram hashes.
        trigram_parts: uint64, both words' part of trigram hashes.
        orders: uint8, longest n-grams that may start here: 1, 2 (the last word starts bigrams) or
            3 (both words are a stored context).
        last_rows: int32, row of the last word's vectors; see `WordVectors`.
        skip_rows: int32, row of those of the word before it.
    """

    backoffs: NDArray[np.float32]
    bigram_parts: NDArray[np.uint64]
    trigram_parts: NDArray[np.uint64]
    orders: NDArray[np.uint8]
    last_rows: NDArray[np.int32]
    skip_rows: NDArray[np.int32]

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Contexts:
        """Make room for contexts; until assigned they are of order 0, which no n-gram follows.

        >>> Contexts.empty((3, 20)).backoffs.shape
        (3, 20)
        """
        return cls(
            backoffs=np.zeros(shape, dtype=np.float32),
            bigram_parts=np.zeros(shape, dtype=np.uint64),
            trigram_parts=np.zeros(shape, dtype=np.uint64),
            orders=np.zeros(shape, dtype=np.uint8),
            last_rows=np.zeros(shape, dtype=np.int32),
            skip_rows=np.zeros(shape, dtype=np.int32),
        )

    def __getitem__(self, index: Any) -> Contexts:
        """Index all arrays alike."""
        return Contexts(
            self.backoffs[index],
            self.bigram_parts[index],
            self.trigram_parts[index],
            self.orders[index],
            self.last_rows[index],
            self.skip_rows[index],
        )

    def __setitem__(self, index: Any, contexts: Contexts) -> None:
        """Assign into all arrays alike, in place."""
        self.backoffs[index] = contexts.backoffs
        self.bigram_parts[index] = contexts.bigram_parts
        self.trigram_parts[index] = contexts.trigram_parts
        self.orders[index] = contexts.orders
        self.last_rows[index] = contexts.last_rows
        self.skip_rows[index] = contexts.skip_rows

    def reshape(self, *shape: int) -> Contexts:
        """Reshape all arrays alike."""
        return Contexts(
            self.backoffs.reshape(shape),
            self.bigram_parts.reshape(shape),
            self.trigram_parts.reshape(shape),
            self.orders.reshape(shape),
            self.last_rows.reshape(shape),
            self.skip_rows.reshape(shape),
        )

    def broadcast_to(self, shape: tuple[int, ...]) -> Contexts:
        """Broadcast all arrays alike, without a copy."""
        return Contexts(
            np.broadcast_to(self.backoffs, shape),
            np.broadcast_to(self.bigram_parts, shape),
            np.broadcast_to(self.trigram_parts, shape),
            np.broadcast_to(self.orders, shape),
            np.broadcast_to(self.last_rows, shape),
            np.broadcast_to(self.skip_rows, shape),
        )
