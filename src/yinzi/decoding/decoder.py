"""Wire graph, lattice and beam together: decode lines at once, or one line as it grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.decoding.beam import Beam, BeamOptions, search
from yinzi.decoding.contexts import ContextReader, LeftContext
from yinzi.decoding.fusion import PathEdges, PathScores, path_of_nodes, settled_path
from yinzi.decoding.lattice import Lattice, LiteralWords, build_lattice
from yinzi.decoding.lines import Abbreviation, abbreviation, any_long, first_change
from yinzi.decoding.options import DecoderOptions
from yinzi.decoding.result import Decoding
from yinzi.decoding.text_hash import TextHash
from yinzi.decoding.word_pairs import WordPairs
from yinzi.language_model import WordModel
from yinzi.lexicon import Lexicon, Segmenter
from yinzi.pinyin import SYLLABLES, EdgeKind, SyllableGraph
from yinzi.pinyin.syllable_model import SyllableModel
from yinzi.scoring import Scorer
from yinzi.user.lexicon import UserLexicon
from yinzi.user.table import UserTable, UserTableSource

__all__ = ["Decoder", "PrefixWord"]

_LONG_BEAM_WIDTH: Final = 5


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

    Attributes:
        scorer: a neural model that takes part in the search, or None.
        user: gives the user's words, or None.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        language_model: WordModel,
        *,
        options: DecoderOptions,
        scorer: Scorer | None = None,
    ) -> None:
        self.scorer = scorer
        self._word_pairs = None if scorer is None else WordPairs(lexicon, scorer.pairs)
        self.lexicon = lexicon
        self.language_model = language_model
        self.options = options
        self._unigrams = language_model.unigram_logprobs
        self._text_hash = TextHash(lexicon)
        vocab = None if scorer is None else scorer.vocab
        self._contexts = ContextReader(lexicon, language_model, vocab)
        self.user: UserTableSource | None = None

    def with_user(self, user: UserLexicon) -> Decoder:
        """Return a decoder that also knows a user's words and choices; both share the models."""
        other = copy(self)
        other.user = UserTableSource(
            user, self.lexicon, self.language_model, self.segmenter, options=self.options.user
        )
        return other

    @property
    def segmenter(self) -> Segmenter:
        """Cuts hanzi into words; made when first asked for."""
        return self._contexts.segmenter

    def left_context(self, text: str) -> LeftContext:
        """Return what the models are told of the text before an input."""
        return self._contexts.left_context(text)

    def context_words(self, left_context: str) -> tuple[int, int]:
        """Return the last two words before an input; see `ContextReader.words`."""
        return self._contexts.words(left_context)

    def decode(
        self,
        graphs: Sequence[SyllableGraph],
        contexts: Sequence[LeftContext],
        *,
        uses_scorer: bool = True,
        adjust: Callable[[Lattice], Lattice] | None = None,
    ) -> Decoding:
        """Decode the graphs of one or more lines together.

        Gives what decoding them one by one gives, but one long line narrows the search for all, and
        the most abbreviated line widens it; `is_long` and `abbreviation` tell which are.

        Args:
            graphs: one a line, at least one.
            contexts: the text before each line, see `left_context`.
            uses_scorer: ask the neural model, if there is one.
            adjust: changes the words before they are searched, or leaves some out.
        """
        words = self._lattice(graphs, self._user_table())
        if adjust is not None:
            words = adjust(words)
        search_words = self._search_fused if uses_scorer and self.scorer else self._search
        return search_words(graphs, contexts, words)

    def fuse(self, decoding: Decoding, contexts: Sequence[LeftContext]) -> Decoding:
        """Search again what was searched without the neural model, with it; the same without one.

        Args:
            decoding: from `decode` or `extend` with ``uses_scorer=False``.
            contexts: the text before each line, as it was given there.
        """
        if self.scorer is None:
            return decoding
        return self._search_fused(decoding.graphs, contexts, decoding.words)

    def extend(
        self,
        before: Decoding,
        graph: SyllableGraph,
        context: LeftContext,
        *,
        uses_scorer: bool = True,
    ) -> Decoding:
        """Decode one line again after an edit; what the edit left alone is reused.

        Gives what `decode` gives for the graph alone. With a neural model, which sees the whole
        line, the words and the search for paths are reused, not the last search.

        Args:
            before: the decoding of the line before the edit, with the same context.
            graph: the graph of the line now.
            context: the text before the line.
            uses_scorer: as for `decode`; the same for all edits of a line.
        """
        old_graph = before.graphs[0]
        first_changed = first_change(old_graph, graph)
        is_alike = any_long([graph]) == any_long([old_graph]) and old_graph.start == graph.start
        user = self._user_table()
        is_alike &= before.words.user is user
        if not is_alike or not first_changed:
            return self.decode([graph], [context], uses_scorer=uses_scorer)
        lattice = self._lattice([graph], user, first_position=first_changed - 1)
        n_kept = int(np.searchsorted(before.words.end, first_changed))
        lattice = before.words.head(n_kept).joined(lattice)
        search_words = self._search_fused if uses_scorer and self.scorer else self._search
        return search_words([graph], [context], lattice, before, first_changed)

    def _search(
        self,
        graphs: Sequence[SyllableGraph],
        contexts: Sequence[LeftContext],
        words: Lattice,
        before: Decoding | None = None,
        first_changed: int = 0,
    ) -> Decoding:
        """Search with the language model alone; of a search before, positions are kept."""
        options = self._beam_options(graphs, self.options.beam)
        old = None if before is None else before.beam
        beam = self._fill(graphs, contexts, words, options, old=old, first_changed=first_changed)
        return Decoding(
            graphs, words, beam, options, self.lexicon, self.language_model, words=words
        )

    def _search_fused(
        self,
        graphs: Sequence[SyllableGraph],
        contexts: Sequence[LeftContext],
        words: Lattice,
        before: Decoding | None = None,
        first_changed: int = 0,
    ) -> Decoding:
        """Search with the neural model; of a search for paths before, positions are kept."""
        assert self.scorer is not None
        assert self._word_pairs is not None
        paths: list[list[PathEdges]] = []
        is_whole = self._is_whole
        if words.user is not None:
            is_whole = is_whole & ~words.user.divisible
        for graph in graphs:
            path = settled_path(graph, is_whole)
            paths.append([] if path is None else [path])
        is_open = np.array([not ways for ways in paths])
        path_beam = None
        if is_open.any():
            path_options = replace(
                self._beam_options(graphs, self.options.beam),
                beam_width=self.options.fusion.path_beam_width,
            )
            old = None if before is None else before.path_beam
            path_beam = self._fill(
                graphs,
                contexts,
                words,
                path_options,
                old=old,
                first_changed=first_changed,
                lines=is_open,
            )
            for line in np.flatnonzero(is_open).tolist():
                paths[line] = self._paths(graphs[line], words, path_beam, line)
        ids = [context.ids for context in contexts]
        options = self._beam_options(graphs, self._fused_beam(graphs))
        scores = PathScores.ask(paths, ids, self.scorer)
        lattice = words
        if scores is not None:
            lattice = scores.apply(
                words,
                self._word_pairs,
                self.options.fusion,
                unigram_logprobs=self._unigrams,
                beam=options,
            )
        beam = self._fill(graphs, contexts, lattice, options)
        return Decoding(
            graphs,
            lattice,
            beam,
            options,
            self.lexicon,
            self.language_model,
            words=words,
            path_beam=path_beam,
            path_scores=scores,
        )

    def _fill(
        self,
        graphs: Sequence[SyllableGraph],
        contexts: Sequence[LeftContext],
        lattice: Lattice,
        options: BeamOptions,
        *,
        old: Beam | None = None,
        first_changed: int = 0,
        lines: NDArray[np.bool_] | None = None,
    ) -> Beam:
        """Search a lattice; of an old beam the positions before `first_changed` are kept."""
        beam = Beam.empty(int(lattice.offsets[-1]), options.beam_width, self.language_model)
        if old is None:
            first_changed = 0
        else:
            beam.copy_positions(old, min(first_changed, len(old.logprob)))
        starts = [graph.start for graph in graphs]
        new = [line for line, start in enumerate(starts) if start >= first_changed]
        if new:
            positions = lattice.offsets[new] + np.array(starts)[new]
            words = np.array([contexts[line].words for line in new], dtype=np.int32)
            beam.start(positions, words, self.language_model)
        search(
            lattice,
            beam,
            self.language_model,
            self._text_hash,
            options=options,
            first_position=first_changed,
            lines=lines,
        )
        return beam

    def _paths(
        self, graph: SyllableGraph, words: Lattice, beam: Beam, line: int
    ) -> list[PathEdges]:
        """Return the ways through a graph that the best texts take; each adds an edge."""
        offset = int(words.offsets[line])
        position = offset + graph.n
        paths: list[PathEdges] = []
        seen: set[tuple[int, int, int]] = set()
        for place in np.flatnonzero(beam.back[position] >= 0).tolist():
            nodes = beam.path(position, place)
            path = path_of_nodes(graph, words, nodes, offset=offset, lexicon=self.lexicon)
            # Several edges can join two positions: on nine keys 94664 is zhong and xiong.
            columns = (path.start.tolist(), path.end.tolist(), path.syllable_lo.tolist())
            edges = set(zip(*columns, strict=True))
            if not edges <= seen:
                seen |= edges
                paths.append(path)
            if len(paths) == self.options.fusion.max_paths:
                break
        return paths

    def prefix_words(
        self,
        graph: SyllableGraph,
        context: LeftContext,
        *,
        limit: int,
        path_scores: PathScores | None = None,
    ) -> list[PrefixWord]:
        """Return the words that the first letters of a line can be, long ones first.

        Words of one span come by their probability after the context; equal texts once. With the
        scores of a neural model, words that it knows nothing of come after the others of a span.
        """
        lattice = self._lattice([graph], self._user_table(), only_start=graph.start)
        spelled = np.flatnonzero(~lattice.is_literal)
        words = lattice.word[spelled]
        first, second = (np.full(len(words), word, dtype=np.int32) for word in context.words)
        logprob = self.language_model.logprobs(first, second, words)
        logprob += lattice.inner_logprob[spelled]
        logprob += lattice.user_logprob(spelled, logprob[:, None], second[:, None])[:, 0]
        logprob += lattice.logprob[spelled]
        if path_scores is not None and self._word_pairs is not None:
            added = path_scores.of_nodes(
                lattice, self._word_pairs, self.options.fusion, beam=self.options.fused_beam
            )
            logprob += added[spelled]
        order = np.lexsort((-logprob, -lattice.end[spelled]))
        found: dict[str, int] = {}
        for text, at in zip(
            lattice.texts(spelled[order], self.lexicon), order.tolist(), strict=True
        ):
            if len(found) < limit:
                found.setdefault(text, at)
        kept = spelled[list(found.values())]
        rows = zip(found.items(), lattice.end[kept].tolist(), kept.tolist(), strict=True)
        spelled_words = [
            PrefixWord(text, float(logprob[at]), end, lattice.spell(node, self.lexicon))
            for (text, at), end, node in rows
        ]
        passed = self._prefix_literals(graph, context)
        if not passed:
            return spelled_words
        words_of_all = [*passed, *spelled_words]
        return sorted(words_of_all, key=lambda word: (-word.end, -word.logprob))[:limit]

    def _prefix_literals(self, graph: SyllableGraph, context: LeftContext) -> list[PrefixWord]:
        """Return English words that the first letters can be; plain literals have no penalty."""
        eos_id = np.array([self.language_model.eos_id], dtype=np.int32)
        found = []
        for edge in graph.outgoing(graph.start):
            if edge.kind is EdgeKind.LITERAL and edge.logprob < 0 and edge.end - edge.start > 1:
                text = graph.text[edge.start : edge.end].strip()
                first, second = (np.array([word], dtype=np.int32) for word in context.words)
                logprob = edge.logprob + float(
                    self.language_model.logprobs(first, second, eos_id)[0]
                )
                found.append(PrefixWord(text, logprob, edge.end, (text,)))
        return found

    @cached_property
    def _is_whole(self) -> NDArray[np.bool_]:
        """Bool [n_syllables], syllables that are never meant as several.

        Their letters can be read as several, but no word of several hanzi, and no two words, come
        near the likeliest hanzi.
        """
        graphs = [SyllableGraph.from_text(syllable) for syllable in SYLLABLES]
        lattice = self._lattice(graphs)
        logprob = lattice.logprob + self._unigrams[lattice.word]
        offsets = lattice.offsets
        line = np.searchsorted(offsets, lattice.start, side="right") - 1
        first, last = offsets[line], offsets[line + 1] - 1
        best = np.full((3, len(graphs)), -np.inf)  # one hanzi, several, the first of several words
        rest = np.full(int(offsets[-1]), -np.inf)
        is_all = (lattice.start == first) & (lattice.end == last)
        lengths = self.lexicon.lengths(lattice.word)
        np.maximum.at(best[0], line[is_all & (lengths == 1)], logprob[is_all & (lengths == 1)])
        np.maximum.at(best[1], line[is_all & (lengths > 1)], logprob[is_all & (lengths > 1)])
        is_end = (lattice.end == last) & ~is_all
        np.maximum.at(rest, lattice.start[is_end], logprob[is_end])
        is_start = (lattice.start == first) & ~is_all
        np.maximum.at(best[2], line[is_start], logprob[is_start] + rest[lattice.end[is_start]])
        margin = best[0] - np.maximum(best[1], best[2])
        is_whole: NDArray[np.bool_] = margin >= self.options.fusion.whole_margin
        return is_whole

    def syllable_model(self) -> SyllableModel:
        """Return which syllables follow one another, as the lexicon has it; made at first use."""
        return self._syllable_model

    @cached_property
    def _syllable_model(self) -> SyllableModel:
        return SyllableModel(*self.lexicon.syllable_pairs(self._unigrams))

    @cached_property
    def _best_below(self) -> NDArray[np.float32]:
        return self.lexicon.best_below(self._unigrams)

    def _user_table(self) -> UserTable | None:
        return None if self.user is None else self.user.current()

    def _lattice(
        self,
        graphs: Sequence[SyllableGraph],
        user: UserTable | None = None,
        *,
        first_position: int = -1,
        only_start: int | None = None,
    ) -> Lattice:
        return build_lattice(
            graphs,
            self.lexicon,
            self._unigrams,
            options=self.options.lattice,
            literal_words=[self._contexts.literal_words(graph) for graph in graphs],
            unreadable=LiteralWords(self.language_model.eos_id, (-1, self.language_model.bos_id)),
            first_position=first_position,
            only_start=only_start,
            best_below=self._best_below if any_long(graphs) else None,
            user=user,
        )

    def _fused_beam(self, graphs: Sequence[SyllableGraph]) -> BeamOptions:
        """Return the options of the search with a neural model, as wide as the lines want it."""
        options, fusion = self.options.fused_beam, self.options.fusion
        widths = {
            Abbreviation.NONE: 1,
            Abbreviation.LAST: fusion.unfinished_beam_width,
            Abbreviation.INNER: fusion.abbreviated_beam_width,
        }
        wanted = widths[max(abbreviation(graph) for graph in graphs)]
        return replace(options, beam_width=max(options.beam_width, wanted))

    def _beam_options(self, graphs: Sequence[SyllableGraph], options: BeamOptions) -> BeamOptions:
        if not any_long(graphs):
            return options
        return replace(options, beam_width=min(options.beam_width, _LONG_BEAM_WIDTH))
