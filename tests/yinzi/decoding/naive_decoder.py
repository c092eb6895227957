"""Find the texts of a line by trying everything: the oracle of lattice, beam and decoder.

Every path of the graph, every way to group its edges into words, every word of the word list that
can be read so, scored one by one. Letters between two positions pass through where no word of one
hanzi can be read from them. Nothing is pruned or shared; lines must be short.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from tests.yinzi.tiny_lexicon import Entry, read_entries
from yinzi.decoding import DecoderOptions
from yinzi.language_model import LanguageModel
from yinzi.pinyin import SYLLABLES, Edge, EdgeKind, SyllableGraph
from yinzi.text import is_hanzi

Node = tuple[int, str, float]  # word id or -1 for a literal, its text, logprob of the reading
UNKNOWN_LOGPROB = -25.0


class NaiveDecoder:
    def __init__(
        self, words: Sequence[str], language_model: LanguageModel, options: DecoderOptions
    ) -> None:
        self.ids = {word: index for index, word in enumerate(words)}
        self.language_model = language_model
        self.options = options
        self._entries: dict[int, list[Entry]] = {}
        for entry in read_entries():
            self._entries.setdefault(len(entry.word), []).append(entry)
        self._after = cache(self._look_up)
        self._affinity = cache(self._look_up_affinity)

    def texts(self, typed: str, left_context: str = "") -> dict[str, float]:
        """Return all texts of a line with the logprob of the best way to get each."""
        graph = SyllableGraph.from_text(typed, self.options.graph)
        best: dict[str, float] = {}
        context = self.context_words(left_context)
        for path in graph.paths():
            for nodes in self._groupings(graph, path):
                text, logprob = self._score(nodes, context)
                best[text] = max(best.get(text, -np.inf), logprob)
        return best

    def prefix_words(self, typed: str, left_context: str = "") -> dict[tuple[int, str], float]:
        """Return all words for the first letters by where they end and text, likewise."""
        graph = SyllableGraph.from_text(typed, self.options.graph)
        context = self.context_words(left_context)
        best: dict[tuple[int, str], float] = {}
        prefixes = {path[:length] for path in graph.paths() for length in range(1, len(path) + 1)}
        for prefix in prefixes:
            if all(edge.kind is not EdgeKind.LITERAL for edge in prefix):
                for word, text, logprob in self._words(prefix):
                    key = (prefix[-1].end, text)
                    total = logprob + self._after(*context, word)
                    best[key] = max(best.get(key, -np.inf), total)
        return best

    def context_words(self, text: str) -> tuple[int, int]:
        """Return the last two words of a text that ends in hanzi; as at a sentence start else."""
        bos_id = self.language_model.bos_id
        start = len(text)
        while start and is_hanzi(text[start - 1]):
            start -= 1
        words = [-1, bos_id, *self._segment(text[start:])][-2:]
        if None in words:
            words = [-1, bos_id if words[1] is None else words[1]]
        return words[0], words[1]

    def _look_up(self, first: int, second: int, word: int) -> float:
        ids = (np.array([[value]], dtype=np.int32) for value in (first, second, word))
        return float(self.language_model.logprobs(*ids)[0, 0])

    def _look_up_affinity(self, first: int, second: int, word: int) -> float:
        weights = list(vars(self.options.beam.affinity).values())
        ids = (np.array([value], dtype=np.int32) for value in (first, second, word))
        return float(self.language_model.pair_features(*ids)[0] @ weights)

    def _groupings(self, graph: SyllableGraph, path: Sequence[Edge]) -> Iterator[list[Node]]:
        if not path:
            yield []
            return
        is_literal = path[0].kind is EdgeKind.LITERAL
        alike = [e for e in graph.outgoing(path[0].start) if e.end == path[0].end]
        if is_literal or not any(self._words([edge]) for edge in alike):
            literal = graph.text[path[0].start : path[0].end]
            penalty = 0.0 if is_literal else self.options.lattice.unreadable_logprob
            for rest in self._groupings(graph, path[1:]):
                yield [(-1, literal, path[0].logprob + penalty), *rest]
            if is_literal:
                return
        for length in range(1, min(len(path), 8) + 1):
            if path[length - 1].kind is EdgeKind.LITERAL:
                break
            words = self._words(path[:length])
            if words:
                for rest in self._groupings(graph, path[length:]):
                    for node in words:
                        yield [node, *rest]

    def _words(self, edges: Sequence[Edge]) -> list[Node]:
        """Return the words that some edges can be; a word with two fitting readings twice."""
        found: list[Node] = []
        for entry in self._entries.get(len(edges), ()):
            pairs = list(zip(edges, entry.syllables, entry.tones, strict=True))
            if all(s in SYLLABLES[e.syllable_lo : e.syllable_hi] for e, s, _ in pairs):
                n_wrong = sum(edge.tone not in (0, tone) for edge, _, tone in pairs)
                logprob = entry.logprob + n_wrong * self.options.lattice.tone_logprob
                logprob += sum(edge.logprob for edge in edges)
                found.append((self.ids[entry.word], entry.word, logprob))
        return found

    def _score(self, nodes: Sequence[Node], context: tuple[int, int]) -> tuple[str, float]:
        text, total = "", 0.0
        for index, (word, shown, logprob) in enumerate(nodes):
            total += logprob + self.options.beam.word_logprob
            if word >= 0:
                total += self._after(*context, word) + self._affinity(*context, word)
                context = (context[1], word)
                text += shown
            else:
                is_next_literal = index + 1 < len(nodes) and nodes[index + 1][0] < 0
                first = self._first_word(shown.strip())
                total += self._after(*context, first) + self._affinity(*context, first)
                context = self.context_words(shown.strip())
                text += shown if is_next_literal else shown.rstrip(" ")
        if nodes and nodes[-1][0] >= 0:
            eos = self._after(*context, self.language_model.eos_id)
            total += self.options.beam.end_logprob_weight * eos
        return text, total

    def _first_word(self, literal: str) -> int:
        end = 0
        while end < len(literal) and is_hanzi(literal[end]):
            end += 1
        words = self._segment(literal[:end])
        return self.language_model.eos_id if not words or words[0] is None else words[0]

    def _segment(self, hanzi: str) -> list[int | None]:
        """Cut hanzi into the words of the largest probability; None for an unknown hanzi."""

        @cache
        def best(start: int) -> tuple[float, tuple[int | None, ...]]:
            if start == len(hanzi):
                return 0.0, ()
            options: list[tuple[float, tuple[int | None, ...]]] = []
            for length in range(1, min(8, len(hanzi) - start) + 1):
                word = self.ids.get(hanzi[start : start + length])
                if word is not None or length == 1:
                    logprob = (
                        UNKNOWN_LOGPROB
                        if word is None
                        else float(self.language_model.unigram_logprobs[word])
                    )
                    rest, words = best(start + length)
                    options.append((logprob + rest, (word, *words)))
            return max(options, key=lambda option: option[0])

        return list(best(0)[1])
