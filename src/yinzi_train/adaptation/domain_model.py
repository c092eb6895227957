"""Count a user's text and estimate the n-gram model of its domain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.language_model.adapted import PREVIOUS_WORD, WordParts
from yinzi.language_model.model import LanguageModel
from yinzi.lexicon import Lexicon, Segmenter
from yinzi_train.corpus.hanzi_runs import HanziRuns
from yinzi_train.ngram.counting import count_runs
from yinzi_train.ngram.counts import NgramCounts
from yinzi_train.ngram.kneser_ney import KneserNeyOptions, estimate
from yinzi_train.ngram.tables import TableBits, TableOptions, write_tables

__all__ = ["SegmentedText", "build_domain_model", "segment_texts", "word_parts"]

_DISCOUNTS: Final = (0.6, 1.0, 1.4)
"""For texts so small or so even that counts of counts give none."""
_TABLES: Final = TableOptions(
    bigram=TableBits(8, 16),
    trigram=TableBits(8, 16),
    context=TableBits(8, 16),
    unigram_logprob_bits=10,
    n_probes=100_000,
)
"""A text of thousands of sentences has few n-grams: they can be kept finely, and a false find of an
unknown one is rarer than one in 65,000."""


class SegmentedText:
    """Word ids of the runs of a text, one after another.

    Attributes:
        word_ids: int32 [n_tokens].
        n_tokens: int64 [n_runs].
    """

    def __init__(self, word_ids: NDArray[np.int32], n_tokens: NDArray[np.int64]) -> None:
        self.word_ids = word_ids
        self.n_tokens = n_tokens

    def trigrams(
        self, *, n_words: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Return every predicted word with the two before it; runs with unknown hanzi are left out.

        Returns:
            int32 [n_predicted] three times: the word two places before (-1 for none), the word
            before, the word.
        """
        bos_id, eos_id = n_words, n_words + 1
        padded: list[int] = []
        start = 0
        for length in self.n_tokens.tolist():
            words = self.word_ids[start : start + length].tolist()
            start += length
            if n_words not in words:
                padded += [-1, bos_id, *words, eos_id]
        flat = np.array(padded, dtype=np.int32)
        at = np.flatnonzero((flat != -1) & (flat != bos_id))
        return flat[at - 2], flat[at - 1], flat[at]


def segment_texts(texts: Sequence[str], segmenter: Segmenter) -> SegmentedText:
    """Cut the runs of hanzi of texts into words."""
    runs = HanziRuns.from_text("\n".join(texts))
    return SegmentedText(*segmenter.segment(runs.codes, runs.starts, runs.lengths))


def build_domain_model(
    text: SegmentedText, folder: Path, *, floor_logprobs: NDArray[np.float32]
) -> dict[str, Any]:
    """Estimate a trigram model and write its arrays into a folder.

    No n-gram is left out for being rare: the text is the user's own.

    Args:
        text: words of the domain.
        folder: for the arrays.
        floor_logprobs: float32 [n_words], natural log, how words that the text lacks share what
            discounting leaves over.

    Returns:
        parameters of the tables, for the manifest.
    """
    n_words = len(floor_logprobs)
    unigrams, bigrams, trigrams = count_runs(text.word_ids, text.n_tokens, n_words=n_words)
    bigram_keys, bigram_count = np.unique(bigrams, return_counts=True)
    trigram_keys, trigram_count = np.unique(trigrams, return_counts=True)
    counts = NgramCounts(
        n_words,
        unigrams.astype(np.uint32),
        unigrams.astype(np.float64),
        bigram_keys,
        bigram_count.astype(np.uint32),
        bigram_count.astype(np.float64),
        trigram_keys,
        trigram_count.astype(np.uint32),
        trigram_count.astype(np.float64),
    )
    model = estimate(
        counts,
        options=KneserNeyOptions(discount_fallback=_DISCOUNTS),
        unigram_floor_counts=np.exp(floor_logprobs.astype(np.float64)),
    )
    return write_tables(model, folder, options=_TABLES).parameters


def word_parts(
    words: Sequence[str],
    ids: NDArray[np.int32],
    *,
    lexicon: Lexicon,
    model: LanguageModel,
    segmenter: Segmenter,
) -> WordParts:
    """Say what new words are to the base model: the words of the base that they are made of.

    Args:
        words: new words; every hanzi is a word of the base.
        ids: int32, their ids in the extended lexicon.
        lexicon: of the base.
        model: of the base.
        segmenter: of the base.
    """
    order = np.argsort(ids)
    first, last, before, inner = [], [], [], []
    for index in order.tolist():
        parts = segmenter.segment_run(words[index]).tolist()
        first.append(parts[0])
        last.append(parts[-1])
        before.append(parts[-2] if len(parts) > 1 else PREVIOUS_WORD)
        padded = np.array([-1, *parts], dtype=np.int32)
        logprobs = model.logprobs(padded[:-2], padded[1:-1], padded[2:])
        inner.append(float(logprobs.sum()))
    return WordParts(
        ids[order].astype(np.int32),
        np.array(first, dtype=np.int32),
        np.array(last, dtype=np.int32),
        np.array(before, dtype=np.int32),
        np.array(inner, dtype=np.float32),
    )
