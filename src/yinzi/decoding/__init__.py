"""Turn syllable graphs into lattices of words, and search them for the likeliest texts."""

from __future__ import annotations

from yinzi.decoding.beam import BeamOptions
from yinzi.decoding.contexts import LeftContext
from yinzi.decoding.decoder import Decoder, PrefixWord
from yinzi.decoding.explanation import (
    FEATURES,
    ExplainedHypothesis,
    ExplainedWord,
    explain,
    feature_weights,
)
from yinzi.decoding.fusion_options import FusionOptions
from yinzi.decoding.lattice import LatticeOptions
from yinzi.decoding.lines import Abbreviation, abbreviation, is_long
from yinzi.decoding.options import DecoderOptions
from yinzi.decoding.result import Decoding, Hypothesis

__all__ = [
    "FEATURES",
    "Abbreviation",
    "BeamOptions",
    "Decoder",
    "DecoderOptions",
    "Decoding",
    "ExplainedHypothesis",
    "ExplainedWord",
    "FusionOptions",
    "Hypothesis",
    "LatticeOptions",
    "LeftContext",
    "PrefixWord",
    "abbreviation",
    "explain",
    "feature_weights",
    "is_long",
]
