"""Hold words with their readings, and cut text into words."""

from __future__ import annotations

from yinzi.lexicon.lexicon import Lexicon, ragged_arange
from yinzi.lexicon.segmentation import MAX_WORD_LENGTH, Segmenter

__all__ = ["MAX_WORD_LENGTH", "Lexicon", "Segmenter", "ragged_arange"]
