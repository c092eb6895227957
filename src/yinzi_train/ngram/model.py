"""Hold a word n-gram model in backoff form, between estimation, pruning and writing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["NgramModel"]


@dataclass
class NgramModel:
    """A trigram model in backoff form; all logprobs are natural logs, float32.

    Word ids run from 0 to ``n_words - 1``; ``bos_id`` and ``eos_id`` follow. An n-gram that is
    not stored has the probability of its suffix times the backoff weight of its context.

    Attributes:
        n_words: number of words in the vocabulary, without the two border marks.
        unigram_logprob: float32 [n_words + 2].
        unigram_backoff: float32 [n_words + 2].
        bigrams: int32 [n_bigrams, 2], sorted lexicographically, context first.
        bigram_logprob: float32 [n_bigrams].
        bigram_backoff: float32 [n_bigrams], 0.0 where the bigram is no trigram's context.
        trigrams: int32 [n_trigrams, 3], sorted lexicographically, context first.
        trigram_logprob: float32 [n_trigrams].
    """

    n_words: int
    unigram_logprob: NDArray[np.float32]
    unigram_backoff: NDArray[np.float32]
    bigrams: NDArray[np.int32]
    bigram_logprob: NDArray[np.float32]
    bigram_backoff: NDArray[np.float32]
    trigrams: NDArray[np.int32]
    trigram_logprob: NDArray[np.float32]

    @property
    def bos_id(self) -> int:
        """Id of the sentence start; it is a context, never predicted."""
        return self.n_words

    @property
    def eos_id(self) -> int:
        """Id of the sentence end; it is predicted, never a context."""
        return self.n_words + 1
