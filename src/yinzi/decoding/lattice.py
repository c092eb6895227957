"""Find all words that can be read along the paths of syllable graphs: the lattice.

The walk starts at every position of every graph at once and goes down the lexicon's trie one edge
at a time, so one line of 10 syllables and a batch of 500 lines take the same eight numpy rounds.
Full, initial-only and incomplete syllables are alike: each is a range of syllable ids, and the
children of a trie node in such a range are one slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.lexicon import MAX_WORD_LENGTH, Lexicon, ragged_arange
from yinzi.pinyin import EdgeKind, SyllableGraph

__all__ = ["Lattice", "LatticeOptions", "LiteralWords", "build_lattice"]

_SYLLABLES_AT_ONCE: Final = 8_000
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


@dataclass(frozen=True)
class LiteralWords:
    """What a literal is to the language model.

    Attributes:
        word: id scored after the words before it: its first word, or the sentence end.
        after: the two ids that are the context behind it.
    """

    word: int
    after: tuple[int, int]


@dataclass
class Lattice:
    """Words between positions of a batch of graphs; all arrays [n_nodes] unless said.

    Positions are numbered through the batch: those of graph i start at ``offsets[i]``.

    Attributes:
        start: int64, position where the node's letters start.
        end: int64, position where they end; nodes are sorted by it.
        word: int32, word id; for literals the id the language model scores.
        trie_node: int64, the reading of the word; 0 for literals.
        entry: int64, the lexicon entry; -1 for literals.
        logprob: float32, natural log of penalties of the path and of the reading's share.
        is_literal: bool, nodes whose text passes through.
        literal_context: int32 [n_nodes, 2], the two words before the next one behind a literal.
        encoder_logprob: float32, natural log, what a neural model says of the word's hanzi at
            their places; 0 without one, and for literals.
        prior_logprob: float32, natural log of how frequent these hanzi are among all that their
            places can be, without any context; 0 without a neural model, and for literals.
        offsets: int64 [n_graphs + 1].
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    word: NDArray[np.int32]
    trie_node: NDArray[np.int64]
    entry: NDArray[np.int64]
    logprob: NDArray[np.float32]
    is_literal: NDArray[np.bool_]
    literal_context: NDArray[np.int32]
    encoder_logprob: NDArray[np.float32]
    prior_logprob: NDArray[np.float32]
    offsets: NDArray[np.int64]

    def head(self, n_nodes: int) -> Lattice:
        """Return the lattice of the first nodes."""
        columns = {name: array[:n_nodes] for name, array in self._columns().items()}
        return Lattice(**columns, offsets=self.offsets)

    def joined(self, later: Lattice) -> Lattice:
        """Return this lattice with the nodes of one that goes on behind it."""
        of_later = later._columns()
        columns = {
            name: np.concatenate((array, of_later[name])) for name, array in self._columns().items()
        }
        return Lattice(**columns, offsets=later.offsets)

    def scored(
        self,
        encoder_logprob: NDArray[np.float32],
        prior_logprob: NDArray[np.float32],
        is_kept: NDArray[np.bool_],
    ) -> Lattice:
        """Return the lattice of some of the nodes, with the scores of a neural model."""
        columns = {
            **self._columns(),
            "encoder_logprob": encoder_logprob,
            "prior_logprob": prior_logprob,
        }
        kept = {name: array[is_kept] for name, array in columns.items()}
        return Lattice(**kept, offsets=self.offsets)

    def _columns(self) -> dict[str, NDArray[Any]]:
        return {name: array for name, array in vars(self).items() if name != "offsets"}


def build_lattice(
    graphs: Sequence[SyllableGraph],
    lexicon: Lexicon,
    unigram_logprobs: NDArray[np.float32],
    *,
    options: LatticeOptions,
    literal_words: Sequence[dict[tuple[int, int], LiteralWords]],
    unreadable: LiteralWords,
    first_position: int = -1,
    only_start: int | None = None,
    best_below: NDArray[np.float32] | None = None,
) -> Lattice:
    """Build the lattice of some graphs.

    Args:
        graphs: at least one.
        lexicon: words and readings.
        unigram_logprobs: float32 [n_words or more], natural log; ranks words before the search.
        options: limits and penalties.
        literal_words: for each graph, the words of each literal edge by where it starts and ends.
        unreadable: what letters that no word can be read from are to the language model.
        first_position: nodes that end at or before this position are left out; for one graph that
            grows while it is typed.
        only_start: leave out words that start elsewhere; for one graph.
        best_below: for long input, `Lexicon.best_below` of the unigrams.
    """
    offsets = np.concatenate(([0], np.cumsum([graph.n + 1 for graph in graphs])))
    arrays = [graph.arrays() for graph in graphs]
    start = np.concatenate([a.start + o for a, o in zip(arrays, offsets, strict=False)])
    end = np.concatenate([a.end + o for a, o in zip(arrays, offsets, strict=False)])
    kind = np.concatenate([a.kind for a in arrays])
    lo = np.concatenate([a.syllable_lo for a in arrays]).astype(np.int64)
    hi = np.concatenate([a.syllable_hi for a in arrays]).astype(np.int64)
    logprob = np.concatenate([a.logprob for a in arrays])
    tone = np.concatenate([a.tone for a in arrays]).astype(np.int64)

    is_literal = kind == EdgeKind.LITERAL
    literal_edges = np.flatnonzero(is_literal & (end > first_position))
    spelled = np.flatnonzero(~is_literal)
    spelled = spelled[np.argsort(start[spelled], kind="stable")]
    edges = _Edges(
        start[spelled], end[spelled], lo[spelled], hi[spelled], logprob[spelled], tone[spelled]
    )
    starts = np.unique(edges.start)
    if only_start is not None:
        starts = starts[starts == only_start]
    elif first_position >= 0:
        starts = starts[starts >= _earliest_start(edges, first_position + 1)]
    first_edge = np.searchsorted(edges.start, np.arange(int(offsets[-1]) + 1))
    is_readable = np.ones(len(spelled), dtype=np.bool_)
    parts = []
    for part in _split(starts, edges, first_edge):
        reached = _walk(
            part, edges, first_edge, lexicon=lexicon, options=options, best_below=best_below
        )
        low, high = (first_edge[part[0]], first_edge[part[-1] + 1]) if len(part) else (0, 0)
        is_readable[low:high] = _readable(edges, slice(low, high), reached, lexicon)
        max_crowd = options.max_words if best_below is None else options.long_max_words
        nodes = _expand(reached, lexicon, unigram_logprobs, options, max_crowd)
        parts.append(nodes.take(nodes.end > first_position))
    spelled_nodes = _Nodes.join(parts)
    words_of = {
        (first + int(offset), last + int(offset)): words
        for offset, by_span in zip(offsets, literal_words, strict=False)
        for (first, last), words in by_span.items()
    }
    literals = [
        words_of[first, last]
        for first, last in zip(
            start[literal_edges].tolist(), end[literal_edges].tolist(), strict=True
        )
    ]
    if not is_readable.all():
        missing = np.flatnonzero(~is_readable & (edges.end > first_position))
        logprob[spelled[missing]] += np.float32(options.unreadable_logprob)
        literal_edges = np.concatenate((literal_edges, spelled[missing]))
        literals += [unreadable] * len(missing)
    literal_nodes = _Nodes(
        start[literal_edges].astype(np.int64),
        end[literal_edges].astype(np.int64),
        np.array([literal.word for literal in literals], dtype=np.int32),
        np.zeros(len(literals), np.int64),
        np.full(len(literals), -1, np.int64),
        logprob[literal_edges],
    )
    contexts = np.array([literal.after for literal in literals], np.int32).reshape(-1, 2)
    return _assemble(spelled_nodes, literal_nodes, contexts, offsets)


@dataclass(frozen=True)
class _Edges:
    """Spelled edges of all graphs, sorted by start."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    logprob: NDArray[np.float32]
    tone: NDArray[np.int64]


@dataclass(frozen=True)
class _Nodes:
    """Nodes of the lattice before they are sorted; fields as in `Lattice`."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    word: NDArray[np.int32]
    trie_node: NDArray[np.int64]
    entry: NDArray[np.int64]
    logprob: NDArray[np.float32]

    def take(self, at: NDArray[np.bool_]) -> _Nodes:
        return _Nodes(*(array[at] for array in vars(self).values()))

    @classmethod
    def join(cls, parts: Sequence[_Nodes]) -> _Nodes:
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


@dataclass(frozen=True)
class _States:
    """Places of the walk: a trie node reached from `start` to `end`; tones three bits each."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    trie_node: NDArray[np.int64]
    logprob: NDArray[np.float32]
    tones: NDArray[np.int64]
    is_exact: NDArray[np.bool_]

    def take(self, at: NDArray[np.integer] | NDArray[np.bool_]) -> _States:
        return _States(
            self.start[at],
            self.end[at],
            self.trie_node[at],
            self.logprob[at],
            self.tones[at],
            self.is_exact[at],
        )


def _split(
    starts: NDArray[np.int64], edges: _Edges, first_edge: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """Cut the start positions into parts of bounded work; no word depends on two of them."""
    before = np.concatenate(([0], np.cumsum(edges.hi - edges.lo)))
    part = before[first_edge[starts]] // _SYLLABLES_AT_ONCE
    return np.split(starts, np.flatnonzero(np.diff(part)) + 1)


def _walk(
    starts: NDArray[np.int64],
    edges: _Edges,
    first_edge: NDArray[np.int64],
    *,
    lexicon: Lexicon,
    options: LatticeOptions,
    best_below: NDArray[np.float32] | None,
) -> list[_States]:
    """Go down the trie from the start positions, one edge a round."""
    n_starts = len(starts)
    states = _States(
        starts.astype(np.int64),
        starts.astype(np.int64),
        np.zeros(n_starts, np.int64),
        np.zeros(n_starts, np.float32),
        np.zeros(n_starts, np.int64),
        np.ones(n_starts, np.bool_),
    )
    reached: list[_States] = []
    for depth in range(MAX_WORD_LENGTH):
        edge_lo = first_edge[states.end]
        edge_index, owner = ragged_arange(edge_lo, first_edge[states.end + 1] - edge_lo)
        if not len(edge_index):
            break
        first, last = lexicon.children(
            states.trie_node[owner], edges.lo[edge_index], edges.hi[edge_index]
        )
        child, link = ragged_arange(first, last - first)
        owner, edge_index = owner[link], edge_index[link]
        states = _States(
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
        if len(states.start) > options.max_states:
            states = states.take(_cheapest(states, options.max_states))
        reached.append(states)
    return reached


def _readable(
    edges: _Edges, part: slice, reached: Sequence[_States], lexicon: Lexicon
) -> NDArray[np.bool_]:
    """Tell from which edges of a part some word of one hanzi can be read.

    An edge without one may be a dead end, and with it the whole line.
    """
    # Edges are sorted by start, and by end within: the keys are in order.
    width = int(edges.end.max(initial=0)) + 1
    keys = edges.start[part] * width + edges.end[part]
    is_found = np.zeros(len(keys), dtype=np.bool_)
    if reached:
        states = reached[0]
        first = lexicon.node_entry[states.trie_node]
        has_words = lexicon.node_entry[states.trie_node + 1] > first
        found = states.start[has_words] * width + states.end[has_words]
        is_found[np.searchsorted(keys, found)] = True
    return is_found[np.searchsorted(keys, keys)]


def _cheapest(states: _States, max_states: int) -> NDArray[np.int64]:
    """Choose the cheapest states of each start position; what others start is no matter."""
    order = np.lexsort((-states.logprob, states.start))
    start = states.start[order]
    rank = np.arange(len(order)) - np.searchsorted(start, start)
    return np.sort(order[rank < max_states])


def _earliest_start(edges: _Edges, first_position: int) -> int:
    """Return how far back a word can start that ends behind a position."""
    position = first_position
    for _ in range(MAX_WORD_LENGTH):
        crossing = edges.start[(edges.end >= position) & (edges.start < position)]
        if not len(crossing):
            break
        position = int(crossing.min())
    return position


def _expand(
    reached: Sequence[_States],
    lexicon: Lexicon,
    unigram_logprobs: NDArray[np.float32],
    options: LatticeOptions,
    max_crowd: int,
) -> _Nodes:
    """List the entries of the trie nodes; keep the likeliest `max_crowd` between two positions."""
    if not reached:
        empty = np.zeros(0, dtype=np.int64)
        return _Nodes(empty, empty, empty.astype(np.int32), empty, empty, empty.astype(np.float32))
    states = _States(
        *(np.concatenate(parts) for parts in zip(*(vars(s).values() for s in reached), strict=True))
    )
    first = lexicon.node_entry[states.trie_node].astype(np.int64)
    counts = lexicon.node_entry[states.trie_node + 1] - first
    untoned = states.tones == 0
    most = np.where(states.is_exact, options.max_words, max_crowd)
    counts = np.where(untoned, np.minimum(counts, most), counts)
    entry, owner = ragged_arange(first, counts)
    logprob = states.logprob[owner] + lexicon.entry_logprob[entry]
    tones = states.tones[owner]
    toned = np.flatnonzero(tones)
    if len(toned):
        differences = lexicon.count_tone_differences(entry[toned], tones[toned])
        logprob[toned] += np.float32(options.tone_logprob) * differences
    # Groups of one exact, untoned reading are short already and in order.
    crowded = np.flatnonzero(~(states.is_exact & untoned)[owner])
    if len(crowded):
        rank = logprob[crowded] + unigram_logprobs[lexicon.entry_word[entry[crowded]]]
        owners = owner[crowded]
        group = states.start[owners] * (int(states.end.max()) + 1) + states.end[owners]
        order = np.lexsort((-rank, group))
        sorted_group = group[order]
        first_of_group = np.searchsorted(sorted_group, sorted_group)
        kept = order[np.arange(len(order)) - first_of_group < max_crowd]
        keep = np.ones(len(entry), dtype=np.bool_)
        keep[crowded] = False
        keep[crowded[kept]] = True
        entry, owner, logprob = entry[keep], owner[keep], logprob[keep]
    word = lexicon.entry_word[entry]
    start, end, trie_node = states.start[owner], states.end[owner], states.trie_node[owner]
    return _Nodes(start, end, word, trie_node, entry, logprob)


def _assemble(
    spelled: _Nodes, literals: _Nodes, contexts: NDArray[np.int32], offsets: NDArray[np.int64]
) -> Lattice:
    """Put spelled and literal nodes into one lattice, sorted by end."""
    n_spelled = len(spelled.start)
    end = np.concatenate((spelled.end, literals.end))
    # By end, then start: the order of equally likely words must not depend on the batch.
    order = np.lexsort((np.concatenate((spelled.start, literals.start)), end))
    literal_context = np.full((len(end), 2), -1, dtype=np.int32)
    literal_context[n_spelled:] = contexts
    return Lattice(
        np.concatenate((spelled.start, literals.start))[order],
        end[order],
        np.concatenate((spelled.word, literals.word))[order],
        np.concatenate((spelled.trie_node, literals.trie_node))[order],
        np.concatenate((spelled.entry, literals.entry))[order],
        np.concatenate((spelled.logprob, literals.logprob))[order],
        order >= n_spelled,
        literal_context[order],
        np.zeros(len(order), dtype=np.float32),
        np.zeros(len(order), dtype=np.float32),
        offsets,
    )
