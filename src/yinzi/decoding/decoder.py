"""Wire graph, lattice and beam together: decode lines at once, or one line as it grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinzi.decoding.beam import Beam, BeamOptions, search
from yinzi.decoding.lattice import Lattice, LatticeOptions, LiteralWords, build_lattice
from yinzi.decoding.result import Decoding
from yinzi.decoding.text_hash import TextHash
from yinzi.errors import ConfigError
from yinzi.language_model import LanguageModel
from yinzi.lexicon import Lexicon, Segmenter
from yinzi.pinyin import EdgeKind, GraphOptions, SyllableGraph
from yinzi.pinyin.graph import GraphArrays
from yinzi.text import is_hanzi, miu_spans

__all__ = ["Decoder", "DecoderOptions", "PrefixWord", "is_long"]

CONTEXT_HANZI = 32
"""Hanzi of left context that are segmented; only the last two words count."""
LONG_INPUT = 400
"""Characters from which the search gets narrower, so that 10,000 letters take few seconds."""
LONG_BEAM_WIDTH = 5


@dataclass(frozen=True)
class DecoderOptions:
    """All settings of a decoder; an artifact's manifest holds the tuned ones.

    Attributes:
        graph: penalties of the ways to read letters.
        lattice: words considered.
        beam: width and weights of the search.
    """

    graph: GraphOptions = field(default_factory=GraphOptions)
    lattice: LatticeOptions = field(default_factory=LatticeOptions)
    beam: BeamOptions = field(default_factory=BeamOptions)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> DecoderOptions:
        """Read options from a table with the tables `graph`, `lattice` and `beam`.

        >>> DecoderOptions.from_parameters({"beam": {"beam_width": 5}}).beam.beam_width
        5

        Raises:
            ConfigError: a table or a key is unknown.
        """
        kinds = {"graph": GraphOptions, "lattice": LatticeOptions, "beam": BeamOptions}
        tables = {}
        for name, table in parameters.items():
            if name not in kinds:
                raise ConfigError(f"unknown decoder table {name!r}: expected {sorted(kinds)}")
            known = {option.name for option in fields(kinds[name])}
            unknown = sorted(set(table) - known)
            if unknown:
                raise ConfigError(f"unknown {name} options {unknown}: expected {sorted(known)}")
            tables[name] = kinds[name](**table)
        return cls(**tables)


@dataclass(frozen=True)
class PrefixWord:
    """One word for the first letters of an input; `end` is the position behind them."""

    text: str
    logprob: float
    end: int
    syllables: tuple[str, ...]


class Decoder:
    """Find the likeliest texts for typed lines.

    Thread safety: decoding is safe from many threads.
    """

    def __init__(
        self, lexicon: Lexicon, language_model: LanguageModel, *, options: DecoderOptions
    ) -> None:
        self.lexicon = lexicon
        self.language_model = language_model
        self.options = options
        self._unigrams = language_model.unigram_logprobs
        self._text_hash = TextHash(lexicon)
        self._segmenter: Segmenter | None = None

    @property
    def segmenter(self) -> Segmenter:
        """Cuts hanzi into words; made when first asked for."""
        if self._segmenter is None:
            self._segmenter = self.lexicon.segmenter(self._unigrams[: self.lexicon.n_words])
        return self._segmenter

    def context_words(self, left_context: str) -> tuple[int, int]:
        """Return the last two words of the text before the input, for the language model.

        Text that does not end in hanzi is no context: a sentence starts behind it.
        """
        spans = miu_spans(left_context)
        bos_id = self.language_model.bos_id
        if not spans or spans[-1][1] != len(left_context):
            return -1, bos_id
        start, end = spans[-1]
        is_cut = end - start > CONTEXT_HANZI
        run = left_context[max(start, end - CONTEXT_HANZI) : end]
        unknown = self.lexicon.n_words  # what the segmenter gives for a hanzi the lexicon lacks
        words = self.segmenter.segment_run(run).tolist()
        if words[-1] == unknown:
            return -1, bos_id
        if len(words) == 1:
            return -1 if is_cut else bos_id, words[0]
        return -1 if words[-2] == unknown else words[-2], words[-1]

    def literal_words(self, graph: SyllableGraph) -> dict[int, LiteralWords]:
        """Tell what each literal of a graph is to the language model, by its start."""
        words: dict[int, LiteralWords] = {}
        for edge in graph.edges:
            if edge.kind is EdgeKind.LITERAL:
                text = graph.text[edge.start : edge.end].strip()
                scored = self.language_model.eos_id
                if text and is_hanzi(text[0]):
                    start, end = miu_spans(text)[0]
                    first = int(self.segmenter.segment_run(text[start:end])[0])
                    scored = first if first < self.lexicon.n_words else scored
                words[edge.start] = LiteralWords(scored, self.context_words(text))
        return words

    def decode(
        self, graphs: Sequence[SyllableGraph], contexts: Sequence[tuple[int, int]]
    ) -> Decoding:
        """Decode the graphs of one or more lines together.

        Gives what decoding them one by one gives, but one long line narrows the search for all;
        `is_long` tells which are.

        Args:
            graphs: one a line, at least one.
            contexts: the two words before each line, see `context_words`.
        """
        lattice = self._lattice(graphs)
        options = self._beam_options(graphs)
        beam = Beam.empty(int(lattice.offsets[-1]), options.beam_width)
        for graph, offset, context in zip(graphs, lattice.offsets, contexts, strict=False):
            beam.start(int(offset) + graph.start, *context, self.language_model)
        search(lattice, beam, self.language_model, self._text_hash, options=options)
        return Decoding(graphs, lattice, beam, options, self.lexicon, self.language_model)

    def extend(self, before: Decoding, graph: SyllableGraph, context: tuple[int, int]) -> Decoding:
        """Decode one line again after an edit; positions that the edit left alone are reused.

        Gives what `decode` gives for the graph alone.

        Args:
            before: the decoding of the line before the edit, with the same context.
            graph: the graph of the line now.
            context: the two words before the line.
        """
        options = self._beam_options([graph])
        old_graph = before.graphs[0]
        first_changed = _first_changed(old_graph, graph)
        if options != before.options or old_graph.start != graph.start or not first_changed:
            return self.decode([graph], [context])
        lattice = self._lattice([graph], first_position=first_changed - 1)
        n_kept = int(np.searchsorted(before.lattice.end, first_changed))
        lattice = before.lattice.head(n_kept).joined(lattice)
        beam = Beam.empty(int(lattice.offsets[-1]), options.beam_width)
        beam.copy_positions(before.beam, min(first_changed, len(before.beam.logprob)))
        if graph.start >= first_changed:
            beam.start(graph.start, *context, self.language_model)
        search(
            lattice,
            beam,
            self.language_model,
            self._text_hash,
            options=options,
            first_position=first_changed,
        )
        return Decoding([graph], lattice, beam, options, self.lexicon, self.language_model)

    def prefix_words(
        self, graph: SyllableGraph, context: tuple[int, int], *, limit: int
    ) -> list[PrefixWord]:
        """Return the words that the first letters of a line can be, long ones first.

        Words of one span come by their probability after the context; equal texts once.
        """
        lattice = self._lattice([graph], only_start=graph.start)
        spelled = np.flatnonzero(~lattice.is_literal)
        words = lattice.word[spelled]
        first, second = (np.full(len(words), word, dtype=np.int32) for word in context)
        logprob = lattice.logprob[spelled] + self.language_model.logprobs(first, second, words)
        order = np.lexsort((-logprob, -lattice.end[spelled]))
        found: dict[str, int] = {}
        for text, at in zip(self.lexicon.texts(words[order]), order.tolist(), strict=True):
            if len(found) < limit:
                found.setdefault(text, at)
        kept = spelled[list(found.values())]
        rows = zip(
            found.items(),
            lattice.end[kept].tolist(),
            lattice.trie_node[kept].tolist(),
            strict=True,
        )
        return [
            PrefixWord(text, float(logprob[at]), end, self.lexicon.spell(trie_node))
            for (text, at), end, trie_node in rows
        ]

    @cached_property
    def _best_below(self) -> NDArray[np.float32]:
        return self.lexicon.best_below(self._unigrams)

    def _lattice(
        self,
        graphs: Sequence[SyllableGraph],
        *,
        first_position: int = -1,
        only_start: int | None = None,
    ) -> Lattice:
        return build_lattice(
            graphs,
            self.lexicon,
            self._unigrams,
            options=self.options.lattice,
            literal_words=[self.literal_words(graph) for graph in graphs],
            unreadable=LiteralWords(self.language_model.eos_id, (-1, self.language_model.bos_id)),
            first_position=first_position,
            only_start=only_start,
            best_below=self._best_below if _any_long(graphs) else None,
        )

    def _beam_options(self, graphs: Sequence[SyllableGraph]) -> BeamOptions:
        options = self.options.beam
        if not _any_long(graphs):
            return options
        return replace(options, beam_width=min(options.beam_width, LONG_BEAM_WIDTH))


def is_long(text: str) -> bool:
    """Tell whether an input is so long that it is searched less widely.

    >>> is_long("woyaomaijipiao"), is_long("n" * 10_000)
    (False, True)
    """
    return len(text) >= LONG_INPUT


def _any_long(graphs: Sequence[SyllableGraph]) -> bool:
    return any(is_long(graph.text) for graph in graphs)


def _first_changed(old: SyllableGraph, new: SyllableGraph) -> int:
    """Return the first position whose incoming edges, or the text they read, differ."""
    shorter = min(old.n, new.n)
    n_equal = next((i for i in range(shorter) if old.text[i] != new.text[i]), shorter)
    changed = n_equal + 1
    n_edges = min(len(old.arrays().end), len(new.arrays().end))
    differs = np.zeros(n_edges, dtype=np.bool_)
    for name in GraphArrays._fields:
        mine: NDArray[Any] = getattr(old.arrays(), name)
        differs |= mine[:n_edges] != getattr(new.arrays(), name)[:n_edges]
    first = int(differs.argmax()) if differs.any() else n_edges
    for graph in (old, new):
        ends = graph.arrays().end
        if first < len(ends):
            changed = min(changed, int(ends[first]))
    return changed
