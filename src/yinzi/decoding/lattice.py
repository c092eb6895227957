"""Find all words that can be read along the paths of syllable graphs: the lattice.

Words come from the built-in lexicon and, where there is one, from the user's; see `walk`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinzi.decoding.user_words import with_user_words
from yinzi.decoding.walk import (
    Edges,
    LatticeOptions,
    Nodes,
    States,
    earliest_start,
    split_starts,
    walk,
)
from yinzi.lexicon import MAX_WORD_LENGTH, Lexicon, ragged_arange
from yinzi.pinyin import EdgeKind, SyllableGraph
from yinzi.user.table import UserTable

__all__ = ["Lattice", "LatticeOptions", "LiteralWords", "build_lattice"]


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
        word: int32, word id; for literals and short cuts the id the language model scores.
        trie_node: int64, the reading of the word; 0 for literals and short cuts.
        entry: int64, the lexicon entry; -1 for literals and short cuts.
        logprob: float32, natural log of penalties of the path and of the reading's share.
        is_literal: bool, nodes whose text passes through.
        literal_context: int32 [n_nodes, 2], the two words before the next one behind a literal or
            a short cut; `PREVIOUS` for the word before it.
        encoder_logprob: float32, natural log, what a neural model says of the word's hanzi at
            their places; 0 without one, and for literals.
        prior_logprob: float32, natural log of how frequent these hanzi are among all that their
            places can be, without any context; 0 without a neural model, and for literals.
        user_row: int32, the user's word, -1 for none. One that the lexicon does not have is a short
            cut over words that it has; see `yinzi.user.features`.
        inner_logprob: float32, natural log of what the language model says of all but the first
            word of a short cut; 0 for others.
        n_words: int8, words that a short cut stands for; 1 for others.
        offsets: int64 [n_graphs + 1].
        user: the user's words, None without any.
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
    user_row: NDArray[np.int32]
    inner_logprob: NDArray[np.float32]
    n_words: NDArray[np.int8]
    offsets: NDArray[np.int64]
    user: UserTable | None

    def head(self, n_nodes: int) -> Lattice:
        """Return the lattice of the first nodes."""
        columns = {name: array[:n_nodes] for name, array in self._columns().items()}
        return Lattice(**columns, offsets=self.offsets, user=self.user)

    def joined(self, later: Lattice) -> Lattice:
        """Return this lattice with the nodes of one that goes on behind it."""
        of_later = later._columns()
        columns = {
            name: np.concatenate((array, of_later[name])) for name, array in self._columns().items()
        }
        return Lattice(**columns, offsets=later.offsets, user=later.user)

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
        return Lattice(**kept, offsets=self.offsets, user=self.user)

    def _columns(self) -> dict[str, NDArray[Any]]:
        return {
            name: array for name, array in vars(self).items() if name not in ("offsets", "user")
        }

    @property
    def is_shortcut(self) -> NDArray[np.bool_]:
        """Bool [n_nodes], the user's words that the lexicon does not have."""
        return (self.user_row >= 0) & (self.entry < 0)

    def texts(self, nodes: NDArray[np.integer], lexicon: Lexicon) -> list[str]:
        """Return the hanzi of words; of literals anything."""
        # The word of a literal is a mark for the language model, not its text.
        is_word = self.entry[nodes] >= 0
        texts = lexicon.texts(np.where(is_word, self.word[nodes], 0))
        if self.user is not None:
            for at in np.flatnonzero(~is_word & (self.user_row[nodes] >= 0)).tolist():
                texts[at] = self.user.texts[self.user_row[nodes[at]]]
        return texts

    def spell(self, node: int, lexicon: Lexicon) -> tuple[str, ...]:
        """Return the syllables of a word."""
        if self.entry[node] < 0 and self.user is not None:
            return self.user.readings[int(self.user_row[node])]
        return lexicon.spell(int(self.trie_node[node]))

    def user_logprob(
        self,
        nodes: NDArray[np.integer],
        logprob: NDArray[np.float32],
        before: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """Return what the user's use of words adds, natural log; 0 for others.

        Args:
            nodes: [n].
            logprob: float32 [n, n_contexts], what the language model says of them, natural log.
            before: int32 [n, n_contexts], the word before each, -1 for any.
        """
        added = np.zeros(logprob.shape, dtype=np.float32)
        if self.user is not None:
            rows = self.user_row[nodes]
            at = np.flatnonzero(rows >= 0)
            added[at] = self.user.added_logprob(rows[at], logprob[at], before[at])
        return added


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
    user: UserTable | None = None,
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
        user: the user's words, None without any.
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
    edges = Edges(
        start[spelled], end[spelled], lo[spelled], hi[spelled], logprob[spelled], tone[spelled]
    )
    starts = np.unique(edges.start)
    longest = max(MAX_WORD_LENGTH, user.max_length if user is not None else 0)
    if only_start is not None:
        starts = starts[starts == only_start]
    elif first_position >= 0:
        starts = starts[starts >= earliest_start(edges, first_position + 1, longest)]
    first_edge = np.searchsorted(edges.start, np.arange(int(offsets[-1]) + 1))
    is_readable = np.ones(len(spelled), dtype=np.bool_)
    parts = []
    for part in split_starts(starts, edges, first_edge):
        reached = walk(
            part, edges, first_edge, trie=lexicon, options=options, best_below=best_below
        )
        low, high = (first_edge[part[0]], first_edge[part[-1] + 1]) if len(part) else (0, 0)
        is_readable[low:high] = _readable(edges, slice(low, high), reached, lexicon)
        max_crowd = options.max_words if best_below is None else options.long_max_words
        nodes = _expand(reached, lexicon, unigram_logprobs, options, max_crowd)
        parts.append(nodes.take(nodes.end > first_position))
    spelled_nodes = Nodes.join(parts)
    if user is not None:
        spelled_nodes = with_user_words(
            spelled_nodes,
            user,
            starts,
            edges,
            first_edge,
            lexicon=lexicon,
            options=options,
            first_position=first_position,
            only_exact=best_below is not None,
        )
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
    literal_nodes = Nodes(
        start[literal_edges].astype(np.int64),
        end[literal_edges].astype(np.int64),
        np.array([literal.word for literal in literals], dtype=np.int32),
        np.zeros(len(literals), np.int64),
        np.full(len(literals), -1, np.int64),
        logprob[literal_edges],
        np.full(len(literals), -1, np.int32),
    )
    contexts = np.array([literal.after for literal in literals], np.int32).reshape(-1, 2)
    return _assemble(spelled_nodes, literal_nodes, contexts, offsets, user)


def _readable(
    edges: Edges, part: slice, reached: Sequence[States], lexicon: Lexicon
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


def _expand(
    reached: Sequence[States],
    lexicon: Lexicon,
    unigram_logprobs: NDArray[np.float32],
    options: LatticeOptions,
    max_crowd: int,
) -> Nodes:
    """List the entries of the trie nodes; keep the likeliest `max_crowd` between two positions."""
    if not reached:
        empty = np.zeros(0, dtype=np.int64)
        return Nodes(
            empty,
            empty,
            empty.astype(np.int32),
            empty,
            empty,
            empty.astype(np.float32),
            empty.astype(np.int32),
        )
    states = States(
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
    user_row = np.full(len(entry), -1, dtype=np.int32)
    return Nodes(start, end, word, trie_node, entry, logprob, user_row)


def _assemble(
    spelled: Nodes,
    literals: Nodes,
    contexts: NDArray[np.int32],
    offsets: NDArray[np.int64],
    user: UserTable | None,
) -> Lattice:
    """Put spelled and literal nodes into one lattice, sorted by end."""
    n_spelled = len(spelled.start)
    end = np.concatenate((spelled.end, literals.end))
    # By end, then start: the order of equally likely words must not depend on the batch.
    order = np.lexsort((np.concatenate((spelled.start, literals.start)), end))
    literal_context = np.full((len(end), 2), -1, dtype=np.int32)
    literal_context[n_spelled:] = contexts
    inner_logprob = np.zeros(len(end), dtype=np.float32)
    n_words = np.ones(len(end), dtype=np.int8)
    if user is not None:
        shortcuts = np.flatnonzero((spelled.user_row >= 0) & (spelled.entry < 0))
        rows = spelled.user_row[shortcuts]
        literal_context[shortcuts] = user.features.after[rows]
        inner_logprob[shortcuts] = user.features.inner_logprob[rows]
        n_words[shortcuts] = user.features.n_parts[rows]
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
        np.concatenate((spelled.user_row, literals.user_row))[order],
        inner_logprob[order],
        n_words[order],
        offsets,
        user,
    )
