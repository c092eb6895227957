"""Read what stands before an input, or inside it as it is, for the models."""

from __future__ import annotations

from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yinzi.decoding.lattice import LiteralWords
from yinzi.language_model import WordModel
from yinzi.lexicon import Lexicon, Segmenter
from yinzi.pinyin import EdgeKind, SyllableGraph
from yinzi.scoring import InputVocabulary, context_ids
from yinzi.text import is_hanzi, miu_spans

__all__ = ["ContextReader", "LeftContext"]

_CONTEXT_HANZI: Final = 32
"""Hanzi of left context that are segmented; only the last two words count."""
_NO_IDS: Final = np.zeros(0, dtype=np.int64)


class LeftContext(NamedTuple):
    """The text before an input.

    Attributes:
        words: its last two words, for the language model.
        ids: int64, its last places, for a neural model; empty without one.
    """

    words: tuple[int, int]
    ids: NDArray[np.int64]


class ContextReader:
    """Cut text into the words and numbers that the models read.

    Args:
        lexicon: of the words.
        language_model: over them.
        vocab: of the neural model, None without one.
    """

    def __init__(
        self, lexicon: Lexicon, language_model: WordModel, vocab: InputVocabulary | None
    ) -> None:
        self._lexicon = lexicon
        self._language_model = language_model
        self._vocab = vocab

    @cached_property
    def segmenter(self) -> Segmenter:
        """Cuts hanzi into words; made when first asked for."""
        words = slice(0, self._lexicon.n_words)
        return self._lexicon.segmenter(self._language_model.unigram_logprobs[words])

    def left_context(self, text: str) -> LeftContext:
        """Return what the models are told of the text before an input."""
        ids = _NO_IDS if self._vocab is None or not text else context_ids(self._vocab, text)
        return LeftContext(self.words(text), ids)

    def words(self, left_context: str) -> tuple[int, int]:
        """Return the last two words of the text before the input, for the language model.

        Text that does not end in hanzi is no context: a sentence starts behind it.
        """
        spans = miu_spans(left_context)
        bos_id = self._language_model.bos_id
        if not spans or spans[-1][1] != len(left_context):
            return -1, bos_id
        start, end = spans[-1]
        is_cut = end - start > _CONTEXT_HANZI
        run = left_context[max(start, end - _CONTEXT_HANZI) : end]
        unknown = self._lexicon.n_words  # what the segmenter gives for a hanzi the lexicon lacks
        words = self.segmenter.segment_run(run).tolist()
        if words[-1] == unknown:
            return -1, bos_id
        if len(words) == 1:
            return -1 if is_cut else bos_id, words[0]
        return -1 if words[-2] == unknown else words[-2], words[-1]

    def literal_words(self, graph: SyllableGraph) -> dict[tuple[int, int], LiteralWords]:
        """Tell what each literal of a graph is to the language model, by its start and end."""
        words: dict[tuple[int, int], LiteralWords] = {}
        for edge in graph.edges:
            if edge.kind is EdgeKind.LITERAL:
                text = graph.text[edge.start : edge.end].strip()
                scored = self._language_model.eos_id
                if text and is_hanzi(text[0]):
                    start, end = miu_spans(text)[0]
                    first = int(self.segmenter.segment_run(text[start:end])[0])
                    scored = first if first < self._lexicon.n_words else scored
                words[edge.start, edge.end] = LiteralWords(scored, self.words(text))
        return words
