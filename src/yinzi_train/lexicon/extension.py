"""Add words to the arrays of a finished lexicon, without the lists that it was built from.

The words that are there keep their order, so that the id of each is the old one plus the number of
new words before it. New words come last among those of their reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import LexiconError
from yinzi.lexicon import MAX_WORD_LENGTH

__all__ = ["ExtendedLexicon", "extend_lexicon"]

_SYLLABLE_SPAN: Final = 512
_LARGE: Final = 15


@dataclass(frozen=True)
class ExtendedLexicon:
    """A lexicon with new words.

    Attributes:
        arrays: of the lexicon format, by name.
        new_words: int32 [n_new], ids of the new words, in the order in which they were given.
    """

    arrays: dict[str, NDArray[Any]]
    new_words: NDArray[np.int32]


def extend_lexicon(
    arrays: Mapping[str, NDArray[Any]],
    words: Sequence[str],
    syllables: Sequence[Sequence[int]],
    tones: Sequence[Sequence[int]],
) -> ExtendedLexicon:
    """Return the arrays of a lexicon with more words.

    Args:
        arrays: of the lexicon format, by name.
        words: new words of 1 to 8 hanzi that the lexicon has, none of them a word of it.
        syllables: syllable ids of each word, one a hanzi.
        tones: tones of each word, 1 to 5, one a hanzi.

    Raises:
        LexiconError: a word is too long, has a hanzi that the lexicon lacks, or another number of
            syllables than hanzi.
    """
    _check(arrays, words, syllables, tones)
    lengths = np.array([len(word) for word in words], dtype=np.int64)
    paths = np.full((len(words), MAX_WORD_LENGTH), -1, dtype=np.int64)
    for row, spelled in enumerate(syllables):
        paths[row, : len(spelled)] = spelled
    level_nodes = np.asarray(arrays["level_nodes"], dtype=np.int64)
    n_children = _restored(arrays["node_counts"] & np.uint8(15), arrays["large_children"])
    n_node_words = _restored(arrays["node_counts"] >> np.uint8(4), arrays["large_words"])
    n_nodes = len(n_children)
    parents = np.repeat(np.arange(n_nodes), n_children)  # of nodes 1, 2, …
    node_syllable = np.asarray(arrays["node_syllable"], dtype=np.int64)

    # Every level: the old nodes and those of the new words, numbered anew.
    node_map = np.zeros(n_nodes, dtype=np.int64)
    node_of_new = np.zeros(len(words), dtype=np.int64)
    ends = np.cumsum(level_nodes)
    level_sizes, all_keys = [1], []
    n_done = 1
    for level in range(1, max(len(level_nodes), int(lengths.max(initial=0)) + 1)):
        old = np.arange(ends[level - 1], ends[level]) if level < len(ends) else np.arange(0)
        old_keys = node_map[parents[old - 1]] * _SYLLABLE_SPAN + node_syllable[old]
        has = np.flatnonzero(lengths >= level)
        new_keys = node_of_new[has] * _SYLLABLE_SPAN + paths[has, level - 1]
        keys = np.union1d(old_keys, new_keys)
        node_map[old] = n_done + np.searchsorted(keys, old_keys)
        node_of_new[has] = n_done + np.searchsorted(keys, new_keys)
        n_done += len(keys)
        level_sizes.append(len(keys))
        all_keys.append(keys)
    keys = np.concatenate(all_keys)
    children = np.bincount(keys // _SYLLABLE_SPAN, minlength=n_done)

    old_word_node = node_map[np.repeat(np.arange(n_nodes), n_node_words)]
    n_old = len(old_word_node)
    word_node = np.concatenate((old_word_node, node_of_new))
    order = np.argsort(word_node, kind="stable")
    new_id = np.empty(len(order), dtype=np.int64)
    new_id[order] = np.arange(len(order))
    extended: dict[str, NDArray[Any]] = {
        "hanzi": np.asarray(arrays["hanzi"]),
        "level_nodes": np.array(level_sizes, dtype=np.uint32),
        "node_syllable": np.concatenate(([0], keys % _SYLLABLE_SPAN)).astype(np.uint16),
        **_node_counts(children, np.bincount(word_node, minlength=n_done)),
        **_texts(arrays, words, tones, old_lengths=_word_lengths(ends, n_node_words), order=order),
        **_readings(arrays, new_id, node_map, old_word_node, node_of_new),
    }
    return ExtendedLexicon(extended, new_id[n_old:].astype(np.int32))


def _check(
    arrays: Mapping[str, NDArray[Any]],
    words: Sequence[str],
    syllables: Sequence[Sequence[int]],
    tones: Sequence[Sequence[int]],
) -> None:
    known = set(np.asarray(arrays["hanzi"]).tolist())
    for word, spelled, toned in zip(words, syllables, tones, strict=True):
        if not 1 <= len(word) <= MAX_WORD_LENGTH:
            raise LexiconError(f"{word!r} has {len(word)} hanzi, expected 1 to {MAX_WORD_LENGTH}")
        if not len(spelled) == len(toned) == len(word):
            raise LexiconError(
                f"{word!r} has {len(spelled)} syllables and {len(toned)} tones, "
                f"expected {len(word)} of each"
            )
        missing = [hanzi for hanzi in word if ord(hanzi) not in known]
        if missing:
            raise LexiconError(f"{word!r} has hanzi that the lexicon lacks: {missing}")


def _restored(small: NDArray[np.uint8], large: NDArray[Any]) -> NDArray[np.int64]:
    counts = small.astype(np.int64)
    counts[small == _LARGE] = large
    return counts


def _node_counts(
    children: NDArray[np.int64], words: NDArray[np.int64]
) -> dict[str, NDArray[np.generic]]:
    small = np.minimum(children, _LARGE) | (np.minimum(words, _LARGE) << 4)
    return {
        "node_counts": small.astype(np.uint8),
        "large_children": children[children >= _LARGE].astype(np.uint16),
        "large_words": words[words >= _LARGE].astype(np.uint16),
    }


def _word_lengths(ends: NDArray[np.int64], n_node_words: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of hanzi of each word: the level of its node."""
    levels = np.searchsorted(ends, np.arange(len(n_node_words)), side="right")
    return np.repeat(levels, n_node_words)


def _texts(
    arrays: Mapping[str, NDArray[Any]],
    words: Sequence[str],
    tones: Sequence[Sequence[int]],
    *,
    old_lengths: NDArray[np.int64],
    order: NDArray[np.int64],
) -> dict[str, NDArray[np.generic]]:
    """Lay out hanzi and tones of all words in the order of their ids."""
    packed = arrays["word_tones"]
    old_tones = np.empty(2 * len(packed), dtype=np.uint8)
    old_tones[::2], old_tones[1::2] = packed & np.uint8(15), packed >> np.uint8(4)
    codes = np.frombuffer("".join(words).encode("utf-32-le"), dtype=np.uint32)
    new_hanzi = np.searchsorted(arrays["hanzi"], codes).astype(np.uint16)
    new_tones = np.array([tone for toned in tones for tone in toned], dtype=np.uint8)
    n_hanzi = len(arrays["word_hanzi"])
    hanzi = np.concatenate((arrays["word_hanzi"], new_hanzi))
    flat_tones = np.concatenate((old_tones[:n_hanzi], new_tones))
    lengths = np.concatenate((old_lengths, [len(word) for word in words])).astype(np.int64)
    first = np.cumsum(lengths) - lengths
    counts = lengths[order]
    owner = np.repeat(np.arange(len(order)), counts)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    at = first[order][owner] + within
    toned = flat_tones[at]
    padded = np.append(toned, np.zeros(len(toned) % 2, np.uint8))
    return {
        "word_hanzi": hanzi[at],
        "word_tones": padded[::2] | (padded[1::2] << np.uint8(4)),
    }


def _readings(
    arrays: Mapping[str, NDArray[Any]],
    new_id: NDArray[np.int64],
    node_map: NDArray[np.int64],
    old_word_node: NDArray[np.int64],
    node_of_new: NDArray[np.int64],
) -> dict[str, NDArray[np.generic]]:
    """Place further readings among the entries as they were; new words have one reading."""
    positions = np.asarray(arrays["extra_position"], dtype=np.int64)
    n_old, n_extra = len(old_word_node), len(positions)
    is_extra = np.zeros(n_old + n_extra, dtype=np.bool_)
    is_extra[positions] = True
    entry_node = np.empty(len(is_extra), dtype=np.int64)
    entry_node[~is_extra] = old_word_node
    entry_node[is_extra] = node_map[np.asarray(arrays["extra_node"], dtype=np.int64)]
    row = np.full(len(is_extra) + len(node_of_new), -1, dtype=np.int64)
    row[positions] = np.arange(n_extra)
    order = np.argsort(np.concatenate((entry_node, node_of_new)), kind="stable")
    row = row[order]
    at = np.flatnonzero(row >= 0)
    rows = row[at]
    polyphones = new_id[np.asarray(arrays["polyphone_word"], dtype=np.int64)]
    by_id = np.argsort(polyphones)
    return {
        "polyphone_word": polyphones[by_id].astype(np.uint32),
        "polyphone_logprob": np.asarray(arrays["polyphone_logprob"])[by_id],
        "extra_position": at.astype(np.uint32),
        "extra_node": entry_node[is_extra][rows].astype(np.uint32),
        "extra_word": new_id[np.asarray(arrays["extra_word"], dtype=np.int64)[rows]].astype(
            np.uint32
        ),
        "extra_logprob": np.asarray(arrays["extra_logprob"])[rows],
        "extra_tones": np.asarray(arrays["extra_tones"])[rows],
    }
