"""Show a part of the lattice of an input: the words a person would want to see drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from yinzi.converter import Converter

__all__ = ["LatticeWord", "view_lattice"]


class LatticeWord(NamedTuple):
    """One word between two positions of the input; `logprob` counts no context."""

    start: int
    end: int
    text: str
    logprob: float
    is_best: bool


def view_lattice(
    converter: Converter,
    pinyin: str,
    *,
    left_context: str = "",
    max_words: int = 4,
    limit: int = 300,
) -> list[LatticeWord]:
    """Return the likeliest words between any two positions, and all of the best candidate.

    Args:
        converter: of the input.
        pinyin: input.
        left_context: text before it.
        max_words: between two positions at most.
        limit: words in all at most; those of the best candidate come first to count, then by
            their probability.
    """
    decoder = converter.decoder
    graph = converter.graph(pinyin)
    if graph.start == graph.n:
        return []
    decoding = decoder.decode([graph], [decoder.left_context(left_context)])
    lattice = decoding.lattice
    best = {node for found in decoding.hypotheses(0, 1) for node in found.nodes}
    unigrams = decoder.language_model.unigram_logprobs
    logprob = lattice.logprob.astype(np.float64)
    spelled = ~lattice.is_literal
    logprob[spelled] += unigrams[lattice.word[spelled]]
    is_best = np.zeros(len(logprob), dtype=np.bool_)
    is_best[list(best)] = True
    order = np.lexsort((-logprob, ~is_best))
    n_between: dict[tuple[int, int], int] = {}
    chosen: list[int] = []
    for node in order.tolist():
        span = (int(lattice.start[node]), int(lattice.end[node]))
        if len(chosen) < limit and n_between.get(span, 0) < max_words:
            n_between[span] = n_between.get(span, 0) + 1
            chosen.append(node)
    chosen.sort(key=lambda node: (int(lattice.start[node]), int(lattice.end[node])))
    words = np.where(lattice.is_literal[chosen], 0, lattice.word[chosen])
    texts = decoder.lexicon.texts(words)
    view: list[LatticeWord] = []
    for node, text in zip(chosen, texts, strict=True):
        start, end = int(lattice.start[node]), int(lattice.end[node])
        shown = graph.text[start:end].strip() if lattice.is_literal[node] else text
        view.append(LatticeWord(start, end, shown, float(logprob[node]), bool(is_best[node])))
    return view
