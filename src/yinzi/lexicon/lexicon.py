"""Hold words with their readings as a trie over syllables, in flat arrays that can be mapped.

Nodes are numbered level by level and sorted by (parent, syllable), so the children of a node that
start with a prefix (``zh``, ``z``, or nothing) are one slice. Words are numbered in the order of
the node of their main reading and by falling frequency within it, so the words of a node need no
list: they are one range of ids. The first level is the table of (syllable, hanzi) pairs sorted by
syllable. The format is described in format.md beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.lexicon.segmentation import MAX_WORD_LENGTH, Segmenter

__all__ = ["Lexicon", "ragged_arange"]

_SYLLABLE_SPAN: Final = 512
"""Child keys are ``node * 512 + syllable``: more than there are syllables."""


class Lexicon:
    """Words of 1 to 8 hanzi, their readings, and which words can be read as given syllables.

    Attributes:
        n_words: number of words; ids run from 0.
        entry_word: int32 [n_entries], the word of each (word, reading) pair, node by node, likely
            words first.
        entry_logprob: float32 [n_entries], natural log of the reading's share of the word's use.
        node_entry: int32 [n_nodes + 1], first entry of each node.

    Thread safety: reading is safe from many threads.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self._hanzi = np.asarray(arrays["hanzi"], dtype=np.uint32)
        self._word_hanzi = arrays["word_hanzi"]
        self._word_tones = arrays["word_tones"]
        level_nodes = np.asarray(arrays["level_nodes"], dtype=np.int64)  # nodes of each level
        syllables = np.asarray(arrays["node_syllable"], dtype=np.int64)
        counts = arrays["node_counts"]
        n_children = _widen(counts & np.uint8(15), arrays["large_children"])
        n_node_words = _widen(counts >> np.uint8(4), arrays["large_words"])
        parents = np.repeat(np.arange(len(n_children)), n_children)
        self._child_keys = (parents * _SYLLABLE_SPAN + syllables[1:]).astype(np.uint32)
        self.n_nodes = len(n_children)
        self._node_first_word = first_word = np.cumsum(n_node_words) - n_node_words
        self.n_words = int(n_node_words.sum())
        level_start = np.cumsum(level_nodes) - level_nodes
        self._level_first_word = np.append(first_word[level_start[1:]], self.n_words)
        self._level_first_hanzi = np.concatenate(
            ([0], np.cumsum(np.diff(self._level_first_word) * np.arange(1, len(level_nodes))))
        )
        self._merge_readings(arrays, n_node_words)

    def _merge_readings(
        self, arrays: Mapping[str, NDArray[np.generic]], n_node_words: NDArray[np.int64]
    ) -> None:
        """Put the further readings between the main ones, at the places the file names."""
        extra_position = np.asarray(arrays["extra_position"], dtype=np.int64)
        extra_node = np.asarray(arrays["extra_node"], dtype=np.int64)
        n_entries = self.n_words + len(extra_position)
        is_main = np.ones(n_entries, dtype=np.bool_)
        is_main[extra_position] = False
        self.entry_word = np.empty(n_entries, dtype=np.int32)
        self.entry_word[is_main] = np.arange(self.n_words, dtype=np.int32)
        self.entry_word[extra_position] = arrays["extra_word"]
        main_logprob = np.zeros(self.n_words, dtype=np.float32)
        main_logprob[arrays["polyphone_word"]] = arrays["polyphone_logprob"]
        self.entry_logprob = np.empty(n_entries, dtype=np.float32)
        self.entry_logprob[is_main] = main_logprob
        self.entry_logprob[extra_position] = arrays["extra_logprob"]
        per_node = n_node_words + np.bincount(extra_node, minlength=self.n_nodes)
        self.node_entry = np.concatenate(([0], np.cumsum(per_node))).astype(np.int32)
        self._extra_position = extra_position
        self._extra_tones = arrays["extra_tones"]

    def children(
        self,
        nodes: NDArray[np.int64],
        syllable_lo: NDArray[np.integer],
        syllable_hi: NDArray[np.integer],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the slice of children whose syllable is in a half-open range, for many nodes.

        Args:
            nodes: int64 [n], trie nodes; 0 is the root.
            syllable_lo: [n], first syllable id.
            syllable_hi: [n], syllable id behind the last.

        Returns:
            first and last (exclusive) child node, int64 [n] each; equal where there is none.
        """
        keys = nodes * _SYLLABLE_SPAN
        first = np.searchsorted(self._child_keys, (keys + syllable_lo).astype(np.uint32))
        last = np.searchsorted(self._child_keys, (keys + syllable_hi).astype(np.uint32))
        return first + 1, last + 1

    def child(self, nodes: NDArray[np.int64], syllables: NDArray[np.integer]) -> NDArray[np.int64]:
        """Find the child of each node by one syllable: its node, or 0 where there is none."""
        keys = (nodes * _SYLLABLE_SPAN + syllables).astype(np.uint32)
        slot = np.searchsorted(self._child_keys, keys)
        slot[slot == len(self._child_keys)] = 0
        return np.where(self._child_keys[slot] == keys, slot + 1, 0)

    def node_syllables(self, node: int) -> tuple[int, ...]:
        """Return the syllable ids from the root to a node.

        Used for display, not in the search: one division a level.
        """
        path: list[int] = []
        while node:
            key = int(self._child_keys[node - 1])
            path.append(key % _SYLLABLE_SPAN)
            node = key // _SYLLABLE_SPAN
        return tuple(reversed(path))

    def lengths(self, word_ids: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return how many hanzi each word has."""
        return np.searchsorted(self._level_first_word, word_ids, side="right")

    def texts(self, word_ids: NDArray[np.integer]) -> list[str]:
        """Return the hanzi of words."""
        return [self.text(int(word_id)) for word_id in word_ids]

    def text(self, word_id: int) -> str:
        """Return the hanzi of a word."""
        start, length = self._span(word_id)
        return "".join(map(chr, self._hanzi[self._word_hanzi[start : start + length]]))

    def tones(self, entry: int) -> tuple[int, ...]:
        """Return the tones of an entry, 1 to 5, one a hanzi."""
        position = int(np.searchsorted(self._extra_position, entry))
        start, length = self._span(int(self.entry_word[entry]))
        if position < len(self._extra_position) and self._extra_position[position] == entry:
            return tuple(int(tone) for tone in self._extra_tones[position, :length])
        return tuple(self._tone(i) for i in range(start, start + length))

    def count_tone_differences(
        self, entries: NDArray[np.int64], typed: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Count the hanzi of entries whose tone is not the typed one.

        Args:
            entries: [n], lexicon entries.
            typed: [n], typed tones, three bits a hanzi from the lowest on; 0 fits any tone.
        """
        differences = np.zeros(len(entries), dtype=np.int64)
        own = self._packed_tones[entries].astype(np.int64)
        for hanzi in range(MAX_WORD_LENGTH):
            tone = (typed >> (3 * hanzi)) & 7
            differences += (tone != 0) & (tone != ((own >> (3 * hanzi)) & 7))
        return differences

    @cached_property
    def _packed_tones(self) -> NDArray[np.int32]:
        """Tones of all entries, three bits a hanzi; made when the first toned input comes."""
        flat = np.empty(2 * len(self._word_tones), dtype=np.int32)
        flat[::2] = self._word_tones & np.uint8(15)
        flat[1::2] = self._word_tones >> np.uint8(4)
        words = np.arange(self.n_words)
        lengths, first = self.lengths(words), self.first_hanzi(words)
        packed = np.zeros(self.n_words, dtype=np.int32)
        for hanzi in range(MAX_WORD_LENGTH):
            has = np.flatnonzero(lengths > hanzi)
            packed[has] |= flat[first[has] + hanzi] << (3 * hanzi)
        entries = packed[self.entry_word]
        extra = np.zeros(len(self._extra_tones), dtype=np.int32)
        for hanzi in range(MAX_WORD_LENGTH):
            extra |= self._extra_tones[:, hanzi].astype(np.int32) << (3 * hanzi)
        entries[self._extra_position] = extra
        return entries

    def hanzi_codes(self) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Return the code points of all words in one flat array, and their lengths."""
        lengths = self.lengths(np.arange(self.n_words))
        return self._hanzi[self._word_hanzi], lengths

    def first_hanzi(self, word_ids: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return where in the flat array of `hanzi_codes` each word starts."""
        level = self.lengths(word_ids) - 1
        return self._level_first_hanzi[level] + (word_ids - self._level_first_word[level]) * (
            level + 1
        )

    def main_reading(self, word_id: int) -> list[tuple[int, int]]:
        """Return the syllable id and tone of each hanzi of a word, in its main reading."""
        node = int(np.searchsorted(self._node_first_word, word_id, side="right")) - 1
        start, length = self._span(word_id)
        tones = [self._tone(position) for position in range(start, start + length)]
        return list(zip(self.node_syllables(node), tones, strict=True))

    def segmenter(self, logprobs: NDArray[np.float32]) -> Segmenter:
        """Build a segmenter over the words of this lexicon."""
        codes, lengths = self.hanzi_codes()
        return Segmenter(codes, lengths, logprobs, filter_bits=18)

    def _tone(self, position: int) -> int:
        return (int(self._word_tones[position // 2]) >> (4 * (position % 2))) & 15

    def _span(self, word_id: int) -> tuple[int, int]:
        level = int(np.searchsorted(self._level_first_word, word_id, side="right"))
        first = int(self._level_first_word[level - 1])
        return int(self._level_first_hanzi[level - 1]) + (word_id - first) * level, level


def _widen(small: NDArray[np.uint8], large: NDArray[np.generic]) -> NDArray[np.int64]:
    """Restore counts; those stored as 15 stand in `large`, in order."""
    counts = small.astype(np.int64)
    counts[small == 15] = large
    return counts


def ragged_arange(
    starts: NDArray[np.integer], counts: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Concatenate ranges: the values, and the index of the range each belongs to.

    >>> values, owners = ragged_arange(np.array([5, 9]), np.array([2, 1]))
    >>> values.tolist(), owners.tolist()
    ([5, 6, 9], [0, 0, 1])
    """
    owners = np.repeat(np.arange(len(counts)), counts)
    ends = np.cumsum(counts)
    values = np.arange(len(owners)) + (starts - (ends - counts))[owners]
    return values, owners
