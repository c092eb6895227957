"""Suggest the word that comes next, before any letter of it is typed.

The language model answers, over the words that are frequent anyway: one vectorised question, some
3 ms. What is likely everywhere (的, 了) is little use as a suggestion, so words are ranked by their
probability after the context and, besides, by how much the context raises it.

The model's tables are filters that now and then find an n-gram that was never seen (see
`yinzi.language_model`). Among thousands of words some would be such finds, with any value, so a
word counts only if the table of contexts knows it after the last word too: two independent tables
rarely err together.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.converter.candidate import Candidate, check_count
from yinzi.decoding import Decoder
from yinzi.pinyin import SYLLABLES

__all__ = ["NextWords"]

N_FREQUENT: Final = 20_000
"""Words considered: the most frequent ones."""
RAISE_WEIGHT: Final = 0.5
"""What a raise by the context counts beside the probability, both as natural logs."""


class NextWords:
    """Suggest the next word after a text.

    Thread safety: safe from many threads.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def after(self, left_context: str, *, n: int) -> list[Candidate]:
        """Return at most `n` words, the best first; none where the context says nothing.

        Args:
            left_context: the text so far; its last two words count. Text that does not end in
                hanzi says nothing.
            n: how many, at least 1.
        """
        check_count("n", n)
        model, lexicon = self._decoder.language_model, self._decoder.lexicon
        first, last = self._decoder.context_words(left_context)
        if last == model.bos_id:
            return []
        words = self._frequent
        _, is_known = model.context_backoff(np.int32(last), words)
        words = words[is_known]
        logprobs = model.logprobs(np.int32(first), np.int32(last), words)
        raises = logprobs - model.unigram_logprobs[words]
        merit = np.where(raises > 0, logprobs + RAISE_WEIGHT * raises, -np.inf)
        order = np.argsort(-merit, kind="stable")[:n]
        order = order[np.isfinite(merit[order])]
        return [
            Candidate(
                text,
                float(logprobs[place]),
                0,
                0,
                "word",
                tuple(SYLLABLES[syllable] for syllable, _ in lexicon.main_reading(int(word))),
            )
            for text, word, place in zip(
                lexicon.texts(words[order]), words[order], order.tolist(), strict=True
            )
        ]

    @cached_property
    def _frequent(self) -> NDArray[np.int32]:
        """Ids of the most frequent words, int32, the likeliest first."""
        logprobs = self._decoder.language_model.unigram_logprobs[: self._decoder.lexicon.n_words]
        n_kept = min(N_FREQUENT, len(logprobs))
        kept = np.argpartition(-logprobs, n_kept - 1)[:n_kept]
        frequent: NDArray[np.int32] = kept[np.argsort(-logprobs[kept], kind="stable")].astype(
            np.int32
        )
        return frequent
