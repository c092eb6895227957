"""Score hanzi with a neural model: what it is given, what it chooses from, how it is run."""

from __future__ import annotations

from yinzi.scoring.input_vocabulary import InputVocabulary
from yinzi.scoring.ngram_features import NO_NGRAM, ngram_ids
from yinzi.scoring.pair_table import PairTable
from yinzi.scoring.scorer import MAX_CONTEXT, ScoredInputs, Scorer, ScorerInput, context_ids

__all__ = [
    "MAX_CONTEXT",
    "NO_NGRAM",
    "InputVocabulary",
    "PairTable",
    "ScoredInputs",
    "Scorer",
    "ScorerInput",
    "context_ids",
    "ngram_ids",
]
