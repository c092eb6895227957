"""Say what the search needs of a language model, whichever it is."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from yinzi.language_model.word_vectors import AffinityWeights

__all__ = ["WordModel"]

_Ids = NDArray[Any]


class WordModel(Protocol):
    """Log-probabilities of words after words: `LanguageModel`, or `AdaptedLanguageModel`.

    The contexts are the model's own: what `contexts` gives is only handed back to
    `logprobs_after`, indexed and assigned like an array.

    Attributes:
        n_words: number of words; their ids are 0 to n_words - 1.
        bos_id: id of the sentence start; only ever a context.
        eos_id: id of the sentence end; only ever predicted.
        unigram_logprobs: float32 [n_words + 2], natural log.
    """

    n_words: int
    bos_id: int
    eos_id: int

    @property
    def unigram_logprobs(self) -> NDArray[np.float32]:
        """Log p(word) without a context, float32 [n_words + 2], natural log."""

    def empty_contexts(self, shape: tuple[int, ...]) -> Any:
        """Make room for contexts."""

    def contexts(self, w1: _Ids, w2: _Ids) -> Any:
        """Look up what is known of the words before."""

    def context_backoff(self, w1: _Ids, w2: _Ids) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give the backoff weights of two-word contexts, and which pairs are contexts at all."""

    def logprobs_after(
        self, contexts: Any, words: _Ids, rows: NDArray[np.intp] | None = None
    ) -> NDArray[np.float32]:
        """Give log p(word | context), natural log, for each word after each context of one row."""

    def scores_after(
        self, contexts: Any, words: _Ids, rows: NDArray[np.intp], weights: AffinityWeights
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | np.float32]:
        """Give what `logprobs_after` does, and what word vectors add to it, with weights."""

    def pair_features(self, w1: _Ids, w2: _Ids, words: _Ids) -> NDArray[np.float32]:
        """Give the features of words after words that `scores_after` weighs, float32 [n, 6]."""

    def logprobs(self, w1: _Ids, w2: _Ids, words: _Ids) -> NDArray[np.float32]:
        """Give log p(word | w1, w2), natural log."""
