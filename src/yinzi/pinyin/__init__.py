"""Read pinyin: the inventory, single syllables in every notation, the graph of a typed line."""

from __future__ import annotations

from yinzi.pinyin.edges import Edge, EdgeKind, EdgeSource, GraphOptions
from yinzi.pinyin.graph import SyllableGraph
from yinzi.pinyin.inventory import SYLLABLES, prefix_range, syllable_id
from yinzi.pinyin.scheme import FULL_PINYIN, InputScheme
from yinzi.pinyin.syllable import Syllable, parse_syllable

__all__ = [
    "FULL_PINYIN",
    "SYLLABLES",
    "Edge",
    "EdgeKind",
    "EdgeSource",
    "GraphOptions",
    "InputScheme",
    "Syllable",
    "SyllableGraph",
    "parse_syllable",
    "prefix_range",
    "syllable_id",
]
