"""Turn syllable graphs into lattices of words, and search them for the likeliest texts."""

from __future__ import annotations

from yinzi.decoding.beam import BeamOptions
from yinzi.decoding.decoder import Decoder, DecoderOptions, PrefixWord, is_long
from yinzi.decoding.lattice import LatticeOptions
from yinzi.decoding.result import Decoding, Hypothesis

__all__ = [
    "BeamOptions",
    "Decoder",
    "DecoderOptions",
    "Decoding",
    "Hypothesis",
    "LatticeOptions",
    "PrefixWord",
    "is_long",
]
