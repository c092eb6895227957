"""Check that the arrays of a lexicon are of the right types and fit together.

Indices that lead nowhere would show as wrong words or as errors far from here, so everything that
is used as an index is compared with what it points into. About 10 ms for 0.6 million words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import LexiconError
from yinzi.lexicon.segmentation import MAX_WORD_LENGTH
from yinzi.pinyin import SYLLABLES

__all__ = ["check_tables"]

_DTYPES: Final = {
    "hanzi": np.uint32,
    "word_hanzi": np.uint16,
    "word_tones": np.uint8,
    "level_nodes": np.uint32,
    "node_syllable": np.uint16,
    "node_counts": np.uint8,
    "large_children": np.uint16,
    "large_words": np.uint16,
    "polyphone_word": np.uint32,
    "polyphone_logprob": np.float16,
    "extra_position": np.uint32,
    "extra_node": np.uint32,
    "extra_word": np.uint32,
    "extra_logprob": np.float16,
    "extra_tones": np.uint8,
}
_MAX_TONE: Final = 5


def check_tables(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Check the arrays of a lexicon; the format is described in format.md beside this file.

    Raises:
        LexiconError: an array is missing, of another type or shape, or does not fit the others.
    """
    for name, dtype in _DTYPES.items():
        if name not in arrays:
            raise LexiconError(f"array {name!r} is missing, found {sorted(arrays)[:5]}")
        array = arrays[name]
        if array.dtype != dtype or array.ndim != (2 if name == "extra_tones" else 1):
            raise LexiconError(
                f"array {name!r} is {array.dtype} of shape {list(array.shape)}, "
                f"expected {np.dtype(dtype)} of {2 if name == 'extra_tones' else 1} dimensions"
            )
    level_words = _check_nodes(arrays)
    _check_words(arrays, level_words)
    _check_readings(arrays, level_words)


def _check_nodes(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Check the trie; return how many words each of its levels has."""
    level_nodes = np.asarray(arrays["level_nodes"], dtype=np.int64)
    syllables, counts = arrays["node_syllable"], arrays["node_counts"]
    n_levels = len(level_nodes)
    if not 2 <= n_levels <= MAX_WORD_LENGTH + 1 or level_nodes[0] != 1 or level_nodes.min() < 1:
        raise LexiconError(
            f"level_nodes is {level_nodes.tolist()[:10]}, expected 1 and up to {MAX_WORD_LENGTH} "
            "counts of 1 or more"
        )
    n_nodes = int(level_nodes.sum())
    for name in ("node_syllable", "node_counts"):
        if len(arrays[name]) != n_nodes:
            raise LexiconError(f"{name} has {len(arrays[name])} nodes, level_nodes {n_nodes}")
    if int(syllables.max()) >= len(SYLLABLES):
        raise LexiconError(
            f"node_syllable goes up to {syllables.max()}: {len(SYLLABLES)} are known"
        )
    level_first = np.cumsum(level_nodes) - level_nodes
    n_children = _restored(counts & np.uint8(15), arrays["large_children"], "large_children")
    n_words = _restored(counts >> np.uint8(4), arrays["large_words"], "large_words")
    level_children = np.add.reduceat(n_children, level_first)
    if level_children.tolist() != [*level_nodes[1:].tolist(), 0]:
        raise LexiconError(
            f"the nodes have {level_children.tolist()} children by level, expected "
            f"{[*level_nodes[1:].tolist(), 0]}"
        )
    # Where a syllable is not above the one before, a new parent must begin.
    begins = np.zeros(n_nodes + 1, dtype=np.bool_)
    begins[1 + np.cumsum(n_children) - n_children] = True
    falls = np.flatnonzero(syllables[2:] <= syllables[1:-1]) + 2
    if not begins[falls].all():
        raise LexiconError(f"the children around node {falls[~begins[falls]][0]} are not sorted")
    level_words: NDArray[np.int64] = np.add.reduceat(n_words, level_first)
    if level_words[0] or not level_words.any():
        raise LexiconError(f"{level_words.tolist()} words by length, expected 0 and some")
    return level_words


def _check_words(arrays: Mapping[str, NDArray[Any]], level_words: NDArray[np.int64]) -> None:
    word_hanzi, word_tones = arrays["word_hanzi"], arrays["word_tones"]
    n_hanzi = int((level_words * np.arange(len(level_words))).sum())
    if len(word_hanzi) != n_hanzi or len(word_tones) != (n_hanzi + 1) // 2:
        raise LexiconError(
            f"word_hanzi has {len(word_hanzi)} hanzi and word_tones {len(word_tones)} bytes, "
            f"expected {n_hanzi} and {(n_hanzi + 1) // 2} for the words of node_counts"
        )
    hanzi = arrays["hanzi"]
    if np.any(hanzi[1:] <= hanzi[:-1]):
        raise LexiconError("hanzi is not sorted")
    if int(word_hanzi.max()) >= len(hanzi):
        raise LexiconError(f"word_hanzi goes up to {word_hanzi.max()}, hanzi has {len(hanzi)}")
    if int(hanzi.max()) > 0x10FFFF or np.any((hanzi >= 0xD800) & (hanzi < 0xE000)):
        raise LexiconError("hanzi holds numbers that are no characters")
    for tones in (word_tones & np.uint8(15), word_tones >> np.uint8(4), arrays["extra_tones"]):
        if tones.size and int(tones.max()) > _MAX_TONE:
            raise LexiconError(f"a tone is {tones.max()}, expected at most {_MAX_TONE}")


def _check_readings(arrays: Mapping[str, NDArray[Any]], level_words: NDArray[np.int64]) -> None:
    n_words = int(level_words.sum())
    level_nodes = np.asarray(arrays["level_nodes"], dtype=np.int64)
    position, node, word = (
        np.asarray(arrays[f"extra_{name}"], dtype=np.int64) for name in ("position", "node", "word")
    )
    n_extra = len(position)
    if arrays["extra_tones"].shape != (n_extra, MAX_WORD_LENGTH):
        raise LexiconError(
            f"extra_tones has shape {list(arrays['extra_tones'].shape)}, "
            f"expected {[n_extra, MAX_WORD_LENGTH]}"
        )
    for name in ("extra_node", "extra_word", "extra_logprob"):
        if len(arrays[name]) != n_extra:
            raise LexiconError(f"{name} has {len(arrays[name])} rows, extra_position {n_extra}")
    if len(arrays["polyphone_word"]) != len(arrays["polyphone_logprob"]):
        raise LexiconError("polyphone_word and polyphone_logprob are not of the same length")
    for name, size in (
        ("polyphone_word", n_words),
        ("extra_word", n_words),
        ("extra_node", int(level_nodes.sum())),
        ("extra_position", n_words + n_extra),
    ):
        if len(arrays[name]) and int(arrays[name].max()) >= size:
            raise LexiconError(f"{name} goes up to {arrays[name].max()}, expected below {size}")
    if np.any(position[1:] <= position[:-1]):
        raise LexiconError("extra_position is not sorted")
    lengths = np.searchsorted(np.cumsum(level_words), word, side="right")
    depths = np.searchsorted(np.cumsum(level_nodes), node, side="right")
    if np.any(lengths != depths):
        row = int(np.flatnonzero(lengths != depths)[0])
        raise LexiconError(
            f"further reading {row} is {depths[row]} syllables for a word of {lengths[row]} hanzi"
        )
    for name in ("polyphone_logprob", "extra_logprob"):
        if not np.all(np.isfinite(arrays[name]) & (arrays[name] <= 0)):
            raise LexiconError(f"{name} holds values that are no logarithms of shares")


def _restored(small: NDArray[np.uint8], large: NDArray[Any], name: str) -> NDArray[np.int64]:
    """Return counts of which those of 15 and more stand in `large`."""
    counts = small.astype(np.int64)
    at = np.flatnonzero(small == 15)
    if len(large) != len(at):
        raise LexiconError(f"{name} has {len(large)} counts, node_counts marks {len(at)}")
    counts[at] = large
    return counts
