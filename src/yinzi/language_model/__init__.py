"""Give log-probabilities of words after words, whole arrays at a time (bytes: `format.md`)."""

from __future__ import annotations

from yinzi.language_model.adapted import AdaptedLanguageModel, WordParts
from yinzi.language_model.contexts import Contexts, twins
from yinzi.language_model.fuse import FuseShape, FuseTable
from yinzi.language_model.model import LanguageModel
from yinzi.language_model.stored import read_language_model
from yinzi.language_model.word_model import WordModel
from yinzi.language_model.word_vectors import (
    PAIR_FEATURES,
    AffinityWeights,
    StoredNgrams,
    WordVectors,
)

__all__ = [
    "PAIR_FEATURES",
    "AdaptedLanguageModel",
    "AffinityWeights",
    "Contexts",
    "FuseShape",
    "FuseTable",
    "LanguageModel",
    "StoredNgrams",
    "WordModel",
    "WordParts",
    "WordVectors",
    "read_language_model",
    "twins",
]
