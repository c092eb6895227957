"""Tell lines apart: long ones, abbreviated ones, and what an edit has changed in one."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinzi.pinyin import EdgeKind, SyllableGraph
from yinzi.pinyin.graph import GraphArrays

__all__ = ["LONG_INPUT", "Abbreviation", "abbreviation", "any_long", "first_change", "is_long"]

LONG_INPUT = 400
"""Characters from which the search gets narrower, so that 10,000 letters take few seconds."""


class Abbreviation(IntEnum):
    """Where a line has initials or incomplete syllables; the search is the wider for them."""

    NONE = 0
    LAST = 1  # what is typed last may go on
    INNER = 2


def abbreviation(graph: SyllableGraph) -> Abbreviation:
    """Tell where a line may be abbreviated.

    >>> [abbreviation(SyllableGraph.from_text(text)).name for text in ("woyao", "woy", "wyao")]
    ['NONE', 'LAST', 'INNER']
    """
    arrays = graph.arrays()
    ends = arrays.end[(arrays.kind == EdgeKind.INITIAL) | (arrays.kind == EdgeKind.INCOMPLETE)]
    if not len(ends):
        return Abbreviation.NONE
    return Abbreviation.LAST if (ends == graph.n).all() else Abbreviation.INNER


def is_long(text: str) -> bool:
    """Tell whether an input is so long that it is searched less widely.

    >>> is_long("woyaomaijipiao"), is_long("n" * 10_000)
    (False, True)
    """
    return len(text) >= LONG_INPUT


def any_long(graphs: Sequence[SyllableGraph]) -> bool:
    """Tell whether one of the lines is long."""
    return any(is_long(graph.text) for graph in graphs)


def first_change(old: SyllableGraph, new: SyllableGraph) -> int:
    """Return the first position whose incoming edges, or the text they read, differ."""
    shorter = min(old.n, new.n)
    n_equal = next((i for i in range(shorter) if old.text[i] != new.text[i]), shorter)
    changed = n_equal + 1
    n_edges = min(len(old.arrays().end), len(new.arrays().end))
    differs = np.zeros(n_edges, dtype=np.bool_)
    for name in GraphArrays._fields:
        mine: NDArray[Any] = getattr(old.arrays(), name)
        differs |= mine[:n_edges] != getattr(new.arrays(), name)[:n_edges]
    first = int(differs.argmax()) if differs.any() else n_edges
    for graph in (old, new):
        ends = graph.arrays().end
        if first < len(ends):
            changed = min(changed, int(ends[first]))
    return changed
