"""Hold what a search needs to know of its hypotheses' last two words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Contexts", "twins"]


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
        twins: int16, how many hypotheses back in its row the first one stands that ends in the same
            word, so that both share what depends on that word alone; 0 for the first one, and
            wherever nobody has looked. Rows that hold others than 0 are to be taken whole.
    """

    backoffs: NDArray[np.float32]
    bigram_parts: NDArray[np.uint64]
    trigram_parts: NDArray[np.uint64]
    orders: NDArray[np.uint8]
    last_rows: NDArray[np.int32]
    skip_rows: NDArray[np.int32]
    twins: NDArray[np.int16]

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
            twins=np.zeros(shape, dtype=np.int16),
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
            self.twins[index],
        )

    def __setitem__(self, index: Any, contexts: Contexts) -> None:
        """Assign into all arrays alike, in place."""
        self.backoffs[index] = contexts.backoffs
        self.bigram_parts[index] = contexts.bigram_parts
        self.trigram_parts[index] = contexts.trigram_parts
        self.orders[index] = contexts.orders
        self.last_rows[index] = contexts.last_rows
        self.skip_rows[index] = contexts.skip_rows
        self.twins[index] = contexts.twins

    def reshape(self, *shape: int) -> Contexts:
        """Reshape all arrays alike."""
        return Contexts(
            self.backoffs.reshape(shape),
            self.bigram_parts.reshape(shape),
            self.trigram_parts.reshape(shape),
            self.orders.reshape(shape),
            self.last_rows.reshape(shape),
            self.skip_rows.reshape(shape),
            self.twins.reshape(shape),
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
            np.broadcast_to(self.twins, shape),
        )


def twins(rows: NDArray[Any]) -> NDArray[np.intp]:
    """Tell how many places before each value the same one comes first in its row.

    Args:
        rows: [n_rows, n_values].

    Returns:
        [n_rows, n_values]; 0 for the first of its kind.

    >>> twins(np.array([[7, 3, 7, 7], [1, 1, 2, 2]])).tolist()
    [[0, 0, 2, 3], [0, 1, 0, 1]]
    """
    if not rows.size:
        return np.zeros(rows.shape, dtype=np.intp)
    n_rows, width = rows.shape
    place = np.arange(rows.size)
    order = np.argsort(rows, axis=1, kind="stable")
    order += place[::width, None]  # places in the flat array from here on
    order = order.reshape(-1)
    in_order = rows.reshape(-1).take(order)
    is_new = np.empty(rows.size, dtype=np.bool_)
    np.not_equal(in_order[1:], in_order[:-1], out=is_new[1:])
    is_new[::width] = True
    group = np.maximum.accumulate(np.where(is_new, place, 0))
    first = np.empty_like(order)
    first[order] = order.take(group)
    back: NDArray[np.intp] = (place - first).reshape(n_rows, width)
    return back
