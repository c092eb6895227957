"""Bring the scores of a neural model into the lattice: one number for each word of it.

The model reads syllables, not letters, so it is asked about paths through the syllable graph. A
line with one path worth considering (most segmented pinyin) is asked as it is. For others a narrow
search by the language model alone proposes paths; each further one has to hold an edge that those
before it lack. A word
of the lattice gets the sum of the logprobs of its hanzi at its places of the first path that it
lies on. Words on none of the paths leave the lattice, and so do words that are hopeless beside
another one between the same positions: with that, the search costs less than without a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinzi.decoding.beam import BeamOptions
from yinzi.decoding.fusion_options import FusionOptions
from yinzi.decoding.lattice import Lattice
from yinzi.decoding.word_pairs import NO_HANZI, WordPairs
from yinzi.lexicon import Lexicon, ragged_arange
from yinzi.pinyin import EdgeKind, SyllableGraph, syllable_id
from yinzi.pinyin.graph import GraphArrays
from yinzi.scoring import ScoredInputs, Scorer, ScorerInput

__all__ = [
    "PathEdges",
    "PathScores",
    "path_of_nodes",
    "settled_path",
]


@dataclass(frozen=True, eq=False)
class PathEdges:
    """One way through the graph of a line, edge by edge; all [n_edges].

    Attributes:
        start: int64, position in the line.
        end: int64.
        syllable_lo: int64, -1 for a literal.
        syllable_hi: int64, -1 for a literal.
        tone: int64, 0 for none.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    syllable_lo: NDArray[np.int64]
    syllable_hi: NDArray[np.int64]
    tone: NDArray[np.int64]


def settled_path(graph: SyllableGraph, is_whole: NDArray[np.bool_]) -> PathEdges | None:
    """Return the one path of a graph that need not be searched for, None if there may be others.

    A graph falls into blocks at the positions that no edge reaches over; with borders between the
    syllables, each is a block. A block is settled if it has one edge, or one edge over all of it
    whose syllable is never meant as several.

    >>> from yinzi.pinyin import SYLLABLES
    >>> is_whole = np.ones(len(SYLLABLES), dtype=np.bool_)
    >>> path = settled_path(SyllableGraph.from_text("ni hao"), is_whole)
    >>> [SYLLABLES[i] for i in path.syllable_lo]
    ['ni', 'hao']
    >>> settled_path(SyllableGraph.from_text("fangan"), is_whole) is None
    True

    Args:
        graph: of a line; an empty one has no path.
        is_whole: bool [n_syllables], syllables that are never meant as several; see
            `whole_syllables`.
    """
    arrays = graph.arrays()
    n_edges = len(arrays.start)
    if not n_edges:
        return None
    if np.array_equal(arrays.start[1:], arrays.end[:-1]):
        return _edges(graph, np.arange(n_edges))
    steps = np.zeros(graph.n + 2, dtype=np.int64)
    np.add.at(steps, arrays.start + 1, 1)
    np.add.at(steps, arrays.end, -1)
    is_cut = np.cumsum(steps) == 0
    is_spanning = is_cut[arrays.start] & is_cut[arrays.end]
    spanning = np.flatnonzero(is_spanning)
    starts = arrays.start[spanning]
    if not np.array_equal(starts[1:], arrays.end[spanning[:-1]]):  # a block without one, or more
        return None
    if not len(spanning) or starts[0] != graph.start or arrays.end[spanning[-1]] != graph.n:
        return None
    inner = np.flatnonzero(~is_spanning)
    divided = spanning[np.searchsorted(starts, arrays.start[inner], side="right") - 1]
    is_full = arrays.kind[divided] == EdgeKind.FULL  # not a typing error that joins two syllables
    if not (is_full & is_whole[arrays.syllable_lo[divided]]).all():
        return None
    return _edges(graph, spanning)


def path_of_nodes(
    graph: SyllableGraph, lattice: Lattice, nodes: Sequence[int], *, offset: int, lexicon: Lexicon
) -> PathEdges:
    """Return the edges that some words of a line, one after the other, were read along.

    A word may be read along several edges between two positions; the likeliest are taken.

    Args:
        graph: of the line.
        lattice: of its batch.
        nodes: from the start of the line to its end.
        offset: first position of the line in the lattice.
        lexicon: that of the lattice.
    """
    arrays = graph.arrays()
    edges = _by_start(arrays)
    chosen: list[int] = []
    for node in nodes:
        start, end = int(lattice.start[node]) - offset, int(lattice.end[node]) - offset
        if lattice.is_literal[node]:
            between = np.flatnonzero((arrays.start == start) & (arrays.end == end))
            chosen.append(int(between[0]))
        else:
            syllables = [syllable_id(text) for text in lattice.spell(node, lexicon)]
            chosen += _read_along(edges, start, end, syllables)
    return _edges(graph, np.array(chosen, dtype=np.int64))


_EdgesByStart = dict[int, list[tuple[int, int, int, float, int]]]
"""Ends, ranges of syllables, logprobs and indices of the edges that start at a position."""


def _by_start(arrays: GraphArrays) -> _EdgesByStart:
    found: _EdgesByStart = {}
    columns = (arrays.start, arrays.end, arrays.syllable_lo, arrays.syllable_hi, arrays.logprob)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for index, (start, end, low, high, logprob) in enumerate(rows):
        found.setdefault(start, []).append((end, low, high, logprob, index))
    return found


def _read_along(
    edges: _EdgesByStart, start: int, end: int, syllables: Sequence[int]
) -> Sequence[int]:
    """Return the likeliest edges from one position to another that can be read as syllables."""
    ways: dict[int, tuple[float, tuple[int, ...]]] = {start: (0.0, ())}
    for syllable in syllables:
        further: dict[int, tuple[float, tuple[int, ...]]] = {}
        for position, (logprob, way) in ways.items():
            for reached, low, high, of_edge, index in edges.get(position, ()):
                total = logprob + of_edge
                if low <= syllable < high and (
                    reached not in further or total > further[reached][0]
                ):
                    further[reached] = (total, (*way, index))
        ways = further
    return ways[end][1]


def _edges(graph: SyllableGraph, at: NDArray[np.int64]) -> PathEdges:
    arrays = graph.arrays()
    return PathEdges(
        *(
            column[at].astype(np.int64)
            for column in (
                arrays.start,
                arrays.end,
                arrays.syllable_lo,
                arrays.syllable_hi,
                arrays.tone,
            )
        )
    )


@dataclass(frozen=True, eq=False)
class PathScores:
    """What a model says of the hanzi along paths through the graphs of a batch.

    Attributes:
        paths: for each line, ways through its graph; earlier ones go first.
        first_asked: int64 [n_lines + 1], number of the first way of each line among all.
        scored: the model's answer, way by way.
        log_counts: float32 [n_pairs], natural log of how frequent each pair is.
        log_totals: float32 [n_places], the same of all pairs of a place together.
        is_full: bool [n_places], the place is one full syllable.
    """

    paths: Sequence[Sequence[PathEdges]]
    first_asked: NDArray[np.int64]
    scored: ScoredInputs
    log_counts: NDArray[np.float32]
    log_totals: NDArray[np.float32]
    is_full: NDArray[np.bool_]

    @classmethod
    def ask(
        cls,
        paths: Sequence[Sequence[PathEdges]],
        contexts: Sequence[NDArray[np.int64]],
        scorer: Scorer,
    ) -> PathScores | None:
        """Ask a model about all paths together; None if there is none.

        Args:
            paths: for each line, ways through its graph.
            contexts: for each line, the ids of the text before it; see `context_ids`.
            scorer: the model.
        """
        ways = [way for of_line in paths for way in of_line]
        if not ways:
            return None
        before = [
            context for context, of_line in zip(contexts, paths, strict=True) for _ in of_line
        ]
        scored = scorer.score(_inputs(ways, before, scorer))
        first_asked = np.concatenate(([0], np.cumsum([len(of_line) for of_line in paths])))
        totals = scorer.pairs.slice_log_counts(
            scored.pair_low, scored.pair_low + np.diff(scored.starts)
        )
        log_counts = scorer.pairs.log_counts.astype(np.float32)
        is_full = np.concatenate([way.syllable_hi - way.syllable_lo == 1 for way in ways])
        return cls(paths, first_asked, scored, log_counts, totals.astype(np.float32), is_full)

    def apply(
        self,
        lattice: Lattice,
        word_pairs: WordPairs,
        options: FusionOptions,
        *,
        unigram_logprobs: NDArray[np.float32],
        beam: BeamOptions,
    ) -> Lattice:
        """Return the words of a lattice that lie on the paths, with their scores.

        Literals stay, and so do all words of lines without a path.

        Args:
            lattice: of the same lines.
            word_pairs: of its lexicon.
            options: limits.
            unigram_logprobs: float32 [n_words or more], natural log.
            beam: weights of the search.
        """
        logprob, prior, is_kept = self._sums(lattice, word_pairs, options)
        nodes = np.flatnonzero(is_kept)
        if len(nodes):
            of_words = unigram_logprobs[lattice.word[nodes]] + lattice.inner_logprob[nodes]
            before = np.full((len(nodes), 1), -1, dtype=np.int32)
            total = lattice.logprob[nodes] + of_words
            total += lattice.user_logprob(nodes, of_words[:, None], before)[:, 0]
            total += np.float32(beam.encoder_weight) * logprob[nodes]
            total += np.float32(beam.prior_weight) * prior[nodes]
            # Nodes are sorted by end, then start.
            span = lattice.end[nodes] * int(lattice.offsets[-1]) + lattice.start[nodes]
            is_first = np.concatenate(([True], span[1:] != span[:-1]))
            best = np.maximum.reduceat(total, np.flatnonzero(is_first))
            is_far = total < best[np.cumsum(is_first) - 1] - np.float32(options.max_margin)
            is_kept[nodes[is_far]] = False
        is_kept |= lattice.is_literal
        has_path = np.diff(self.first_asked) > 0
        if not has_path.all():
            line_of = np.searchsorted(lattice.offsets, lattice.start, side="right") - 1
            is_kept |= ~has_path[line_of]
        return lattice.scored(logprob, prior, is_kept)

    def of_nodes(
        self,
        lattice: Lattice,
        word_pairs: WordPairs,
        options: FusionOptions,
        *,
        beam: BeamOptions,
    ) -> NDArray[np.float32]:
        """Return float32 [n_nodes], what the scores add to words of a lattice of the same lines.

        Words off the paths get as much as hanzi do that the model does not know.
        """
        logprob, prior, is_on_path = self._sums(lattice, word_pairs, options)
        lengths = word_pairs.node_lengths(lattice, np.arange(len(lattice.start)))
        unknown = np.float32(options.unknown_logprob) * lengths.astype(np.float32)
        unknown[lattice.is_literal] = 0
        total = np.float32(beam.encoder_weight) * np.where(is_on_path, logprob, unknown)
        total += np.float32(beam.prior_weight) * prior
        added: NDArray[np.float32] = total.astype(np.float32)
        return added

    def _sums(
        self, lattice: Lattice, word_pairs: WordPairs, options: FusionOptions
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Return score and prior of each node, and which of them lie on a path."""
        logprob = np.zeros(len(lattice.start), dtype=np.float32)
        prior = np.zeros(len(lattice.start), dtype=np.float32)
        is_on_path = np.zeros(len(lattice.start), dtype=np.bool_)
        nodes = np.flatnonzero(~lattice.is_literal)
        for number in range(int(np.diff(self.first_asked).max())):
            place_at = self._place_at(number, lattice.offsets)
            first_place = place_at[lattice.start[nodes]]
            n_places = place_at[lattice.end[nodes]] - first_place
            on_path = (first_place >= 0) & (n_places == word_pairs.node_lengths(lattice, nodes))
            found = nodes[on_path]
            least = np.full(len(found), -np.inf, dtype=np.float32)
            if lattice.user is not None:
                least[lattice.is_shortcut[found]] = lattice.user.options.neutral_logprob
            sums, priors, fits = self._sum_up(
                first_place[on_path],
                word_pairs.node_pairs(lattice, found),
                least,
                options,
                added=word_pairs.added_logprobs(options.hanzi_logprobs),
            )
            logprob[found[fits]] = sums[fits]
            prior[found[fits]] = priors[fits]
            is_on_path[found[fits]] = True
            nodes = nodes[~is_on_path[nodes]]
        return logprob, prior, is_on_path

    def _sum_up(
        self,
        first_place: NDArray[np.int64],
        pairs: NDArray[np.int16],
        least: NDArray[np.float32],
        options: FusionOptions,
        *,
        added: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Sum the logprobs of the hanzi of words over their places.

        Args:
            first_place: int64 [n], where the words start.
            pairs: int16 [n, 8 or more], see `WordPairs.node_pairs`.
            least: float32 [n], natural log that each hanzi of a word counts as at least.
            options: limits.
            added: float32 [n_pairs], what the logprob of each gets more; None for nothing.

        Returns:
            float32 [n], the sums; float32 [n], the sums of the priors; bool [n], no hanzi has a
            reading that its place cannot have.
        """
        n_words = len(first_place)
        sums = np.zeros(n_words, dtype=np.float32)
        priors = np.zeros(n_words, dtype=np.float32)
        fits = np.ones(n_words, dtype=np.bool_)
        scored = self.scored
        sizes = np.diff(scored.starts)
        # Syllables that no known hanzi has leave nothing to look up.
        logprobs = scored.logprobs if len(scored.logprobs) else np.zeros(1, dtype=np.float32)
        factors = np.where(self.is_full, np.float32(1), np.float32(options.abbreviated_factor))
        for index in range(pairs.shape[1]):
            words = np.flatnonzero(pairs[:, index] != NO_HANZI)
            if not len(words):
                break
            place = first_place[words] + index
            pair = pairs[words, index].astype(np.int64)
            within = pair - scored.pair_low[place]
            is_known = pair >= 0
            is_inside = (within >= 0) & (within < sizes[place])
            at = scored.starts[place] + within
            at[~is_inside] = 0
            value = np.where(is_inside, logprobs[at], np.float32(options.unknown_logprob))
            if added is not None:
                value += np.where(is_inside, added[pair], np.float32(0))
            sums[words] += np.maximum(value, least[words]) * factors[place]
            prior = self.log_counts[pair] - self.log_totals[place]
            priors[words] += np.where(is_inside, prior, np.float32(0)) * factors[place]
            fits[words] &= is_inside | ~is_known
        return sums, priors, fits

    def _place_at(self, number: int, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return int64 [n_positions], the place that starts there on the n-th path of its line.

        The position where a path ends has the number behind its last place; -1 is off the path.
        """
        place_at = np.full(int(offsets[-1]), -1, dtype=np.int64)
        lines = [line for line, ways in enumerate(self.paths) if number < len(ways)]
        ways = [self.paths[line][number] for line in lines]
        sizes = np.array([len(way.start) for way in ways])
        first = self.scored.first_place[self.first_asked[lines] + number]
        shift = np.repeat(offsets[lines], sizes)
        places, _ = ragged_arange(first, sizes)
        place_at[shift + np.concatenate([way.start for way in ways])] = places
        last = offsets[lines] + np.array([way.end[-1] for way in ways])
        place_at[last] = first + sizes
        return place_at


def _inputs(
    ways: Sequence[PathEdges], contexts: Sequence[NDArray[np.int64]], scorer: Scorer
) -> list[ScorerInput]:
    low = np.concatenate([way.syllable_lo for way in ways])
    high = np.concatenate([way.syllable_hi for way in ways])
    ends = np.cumsum([len(way.start) for way in ways])[:-1]
    ids = np.split(scorer.vocab.ids_of_ranges(low, high), ends)
    return [
        ScorerInput(input_ids, way.tone, context)
        for input_ids, way, context in zip(ids, ways, contexts, strict=True)
    ]
