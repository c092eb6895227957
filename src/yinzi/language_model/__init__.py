"""Give log-probabilities of words after words, whole arrays at a time (bytes: `format.md`)."""

from __future__ import annotations

from yinzi.language_model.contexts import Contexts
from yinzi.language_model.fuse import FuseShape, FuseTable
from yinzi.language_model.model import LanguageModel

__all__ = ["Contexts", "FuseShape", "FuseTable", "LanguageModel"]
