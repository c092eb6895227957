"""Walk along the edges of syllable graphs and down a trie of words at the same time.

The walk starts at every position of every graph at once and goes down the trie one edge at a time,
so one line of 10 syllables and a batch of 500 lines take the same eight numpy rounds. Full,
initial-only and incomplete syllables are alike: each is a range of syllable ids, and the children
of a trie node in such a range are one slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from yinzi.lexicon import MAX_WORD_LENGTH, ragged_arange

__all__ = [
    "Edges",
    "LatticeOptions",
    "Nodes",
    "States",
    "SyllableTrie",
    "earliest_start",
    "split_starts",
    "walk",
]

_SYLLABLES_AT_ONCE: Final = 5_000
"""Syllables that start at the positions walked from at once: bounds memory, not the result."""


@dataclass(frozen=True)
class LatticeOptions:
    """What enters the lattice.

    Attributes:
        max_words: likeliest words kept between two positions by unigram probability and penalties;
            at least 1.
        tone_logprob: penalty ≤ 0, natural log, for each hanzi whose tone is not the typed one.
        max_states: trie nodes kept a round for one start position, the cheapest first; bounds the
            work on long abbreviated input.
        unreadable_logprob: penalty ≤ 0, natural log, for letters that no word of the lexicon can be
            read from, such as a syllable without hanzi: they pass through.
        long_logprob: in long input, abbreviated readings are followed only to words of at least
            this unigram probability, natural log,
        long_max_words: and at most so many of them are kept between two positions.
    """

    max_words: int = 48
    tone_logprob: float = -4.0
    max_states: int = 4000
    unreadable_logprob: float = -30.0
    long_logprob: float = -11.0
    long_max_words: int = 12


class SyllableTrie(Protocol):
    """Words as a trie over syllables: the built-in lexicon, or a user's."""

    def children(
        self,
        nodes: NDArray[np.int64],
        syllable_lo: NDArray[np.integer],
        syllable_hi: NDArray[np.integer],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the slice of children in a half-open range of syllables, for many nodes."""


@dataclass(frozen=True)
class Edges:
    """Spelled edges of all graphs, sorted by start."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    logprob: NDArray[np.float32]
    tone: NDArray[np.int64]


@dataclass(frozen=True)
class Nodes:
    """Nodes of the lattice before they are sorted; fields as in `Lattice`, -1 for no user word."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    word: NDArray[np.int32]
    trie_node: NDArray[np.int64]
    entry: NDArray[np.int64]
    logprob: NDArray[np.float32]
    user_row: NDArray[np.int32]

    def take(self, at: NDArray[np.bool_]) -> Nodes:
        """Return some of the nodes."""
        return Nodes(*(array[at] for array in vars(self).values()))

    @classmethod
    def join(cls, parts: Sequence[Nodes]) -> Nodes:
        """Return nodes one part after the other."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


@dataclass(frozen=True)
class States:
    """Places of the walk: a trie node reached from `start` to `end`; tones three bits each."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    trie_node: NDArray[np.int64]
    logprob: NDArray[np.float32]
    tones: NDArray[np.int64]
    is_exact: NDArray[np.bool_]

    def take(self, at: NDArray[np.integer] | NDArray[np.bool_]) -> States:
        """Return some of the states, or some several times."""
        return States(
            self.start[at],
            self.end[at],
            self.trie_node[at],
            self.logprob[at],
            self.tones[at],
            self.is_exact[at],
        )


def split_starts(
    starts: NDArray[np.int64], edges: Edges, first_edge: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """Cut the start positions into parts of bounded work; no word depends on two of them."""
    before = np.concatenate(([0], np.cumsum(edges.hi - edges.lo)))
    part = before[first_edge[starts]] // _SYLLABLES_AT_ONCE
    return np.split(starts, np.flatnonzero(np.diff(part)) + 1)


def walk(
    starts: NDArray[np.int64],
    edges: Edges,
    first_edge: NDArray[np.int64],
    *,
    trie: SyllableTrie,
    options: LatticeOptions,
    best_below: NDArray[np.float32] | None,
    max_length: int = MAX_WORD_LENGTH,
    only_exact: bool = False,
) -> list[States]:
    """Go down the trie from the start positions, one edge a round.

    Args:
        starts: positions, rising.
        edges: of all graphs.
        first_edge: int64 [n_positions], first edge that starts at each position or behind it.
        trie: words.
        options: limits.
        best_below: float32 [n_nodes], likeliest word below each trie node, natural log, for long
            input; see `LatticeOptions.long_logprob`.
        max_length: syllables of the longest word.
        only_exact: follow full syllables only.
    """
    n_starts = len(starts)
    states = States(
        starts.astype(np.int64),
        starts.astype(np.int64),
        np.zeros(n_starts, np.int64),
        np.zeros(n_starts, np.float32),
        np.zeros(n_starts, np.int64),
        np.ones(n_starts, np.bool_),
    )
    reached: list[States] = []
    for depth in range(max_length):
        edge_lo = first_edge[states.end]
        edge_index, owner = ragged_arange(edge_lo, first_edge[states.end + 1] - edge_lo)
        if not len(edge_index):
            break
        first, last = trie.children(
            states.trie_node[owner], edges.lo[edge_index], edges.hi[edge_index]
        )
        child, link = ragged_arange(first, last - first)
        owner, edge_index = owner[link], edge_index[link]
        states = States(
            states.start[owner],
            edges.end[edge_index],
            child,
            states.logprob[owner] + edges.logprob[edge_index],
            states.tones[owner] | (edges.tone[edge_index] << (3 * depth)),
            states.is_exact[owner] & (edges.hi[edge_index] - edges.lo[edge_index] == 1),
        )
        if best_below is not None:
            is_likely = best_below[states.trie_node] >= options.long_logprob
            states = states.take(states.is_exact | is_likely)
        if only_exact:
            states = states.take(states.is_exact)
        if len(states.start) > options.max_states:
            states = states.take(_cheapest(states, options.max_states))
        reached.append(states)
    return reached


def _cheapest(states: States, max_states: int) -> NDArray[np.int64]:
    """Choose the cheapest states of each start position; what others start is no matter."""
    order = np.lexsort((-states.logprob, states.start))
    start = states.start[order]
    rank = np.arange(len(order)) - np.searchsorted(start, start)
    return np.sort(order[rank < max_states])


def earliest_start(edges: Edges, first_position: int, max_length: int) -> int:
    """Return how far back a word can start that ends behind a position."""
    position = first_position
    for _ in range(max_length):
        crossing = edges.start[(edges.end >= position) & (edges.start < position)]
        if not len(crossing):
            break
        position = int(crossing.min())
    return position
