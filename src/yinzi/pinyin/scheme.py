"""Say what keys mean: how a typed line is cut into stretches, and how stretches are read.

A scheme is full pinyin, shuangpin, nine keys, or one of these with further readings such as fuzzy
pinyin. The graph, and all that comes after it, knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from yinzi.pinyin.edges import EdgeSource, spelled_edges
from yinzi.pinyin.reading import Span, read_spans
from yinzi.pinyin.syllable import Syllable

__all__ = ["FULL_PINYIN", "InputScheme"]


@dataclass(frozen=True)
class InputScheme:
    """One way to type.

    What its functions return may depend on their arguments only, as answers are kept; those that
    have settings are frozen dataclasses with `__call__`, so that equal settings are equal sources.

    Attributes:
        name: for people.
        sources: propose the edges of a stretch, all together.
        read: cuts a line; returns where its first span starts, and the spans. See
            `yinzi.pinyin.reading`.
        write: how one types a syllable; its tone, too, where the scheme has tones.
    """

    name: str
    sources: tuple[EdgeSource, ...]
    read: Callable[[str], tuple[int, list[Span]]] = read_spans
    write: Callable[[Syllable], str] = Syllable.to_digits


FULL_PINYIN = InputScheme("pinyin", (spelled_edges,))
"""Letters as they are spelled."""
