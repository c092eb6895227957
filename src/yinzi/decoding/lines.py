"""Tell lines apart: long ones, abbreviated ones, and what an edit has changed in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinzi.pinyin import EdgeKind, SyllableGraph
from yinzi.pinyin.graph import GraphArrays

__all__ = ["LONG_INPUT", "any_long", "first_change", "is_abbreviated", "is_long"]

LONG_INPUT = 400
"""Characters from which the search gets narrower, so that 10,000 letters take few seconds."""


def is_abbreviated(graph: SyllableGraph) -> bool:
    """Tell whether a line may hold initials or incomplete syllables: it is searched more widely.

    >>> [is_abbreviated(SyllableGraph.from_text(text)) for text in ("woyao", "wy")]
    [False, True]
    """
    kinds = graph.arrays().kind
    return bool(((kinds == EdgeKind.INITIAL) | (kinds == EdgeKind.INCOMPLETE)).any())


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
