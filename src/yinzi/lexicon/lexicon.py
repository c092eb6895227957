"""Hold words with their readings as a trie over syllables, in flat arrays that can be mapped.

Nodes are numbered level by level and sorted by (parent, syllable), so the children of a node that
start with a prefix (``zh``, ``z``, or nothing) are one slice. Words are numbered in the order of
the node of their main reading and by falling frequency within it, so the words of a node need no
list: they are one range of ids. The first level is the table of (syllable, hanzi) pairs sorted by
syllable. The format is described in format.md beside this file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.lexicon.segmentation import MAX_WORD_LENGTH, Segmenter
from yinzi.lexicon.table_check import check_tables
from yinzi.pinyin import SYLLABLES

__all__ = ["Lexicon", "ragged_arange"]

_MAX_SPELLED: Final = 20_000
"""Spelled-out readings remembered: about 4 MB."""
_WORDS_AT_ONCE: Final = 1 << 15
"""Words whose readings are spelled out together: bounds memory."""
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
        hanzi: uint32 [n_hanzi], code points in use, rising.

    Thread safety: reading is safe from many threads.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Read the arrays of a lexicon, by name.

        Raises:
            LexiconError: an array is missing or does not fit the others.
        """
        check_tables(arrays)
        self.hanzi: NDArray[np.uint32] = np.asarray(arrays["hanzi"], dtype=np.uint32)
        self._word_hanzi: NDArray[np.uint16] = np.asarray(arrays["word_hanzi"], dtype=np.uint16)
        self._word_tones = arrays["word_tones"]
        level_nodes = np.asarray(arrays["level_nodes"], dtype=np.int64)  # nodes of each level
        self._level_nodes = level_nodes
        syllables = np.asarray(arrays["node_syllable"])
        counts = arrays["node_counts"]
        n_children = _widen(counts & np.uint8(15), arrays["large_children"])
        n_node_words = _widen(counts >> np.uint8(4), arrays["large_words"])
        self.n_nodes = len(n_children)
        keys = np.arange(self.n_nodes, dtype=np.uint32) * np.uint32(_SYLLABLE_SPAN)
        self._child_keys = np.repeat(keys, n_children) + syllables[1:]
        first_word = np.cumsum(n_node_words, dtype=np.int32) - n_node_words
        self._node_first_word = first_word
        self.n_words = int(n_node_words.sum())
        level_start = np.cumsum(level_nodes) - level_nodes
        self._level_first_word = np.append(first_word[level_start[1:]], self.n_words)
        self._level_first_hanzi = np.concatenate(
            ([0], np.cumsum(np.diff(self._level_first_word) * np.arange(1, len(level_nodes))))
        )
        self._merge_readings(arrays, n_node_words)
        self._spelled: dict[int, tuple[str, ...]] = {}

    def _merge_readings(
        self, arrays: Mapping[str, NDArray[np.generic]], n_node_words: NDArray[np.int32]
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
        self.node_entry = np.zeros(self.n_nodes + 1, dtype=np.int32)
        self.node_entry[1:] = n_node_words
        np.add.at(self.node_entry, extra_node + 1, 1)
        np.cumsum(self.node_entry, out=self.node_entry)
        self._extra_position = extra_position
        self._extra_node = extra_node
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

    def spell(self, node: int) -> tuple[str, ...]:
        """Return the syllables from the root to a node as they are written, without tones."""
        spelled = self._spelled.get(node)
        if spelled is None:
            spelled = tuple(SYLLABLES[syllable] for syllable in self.node_syllables(node))
            if len(self._spelled) >= _MAX_SPELLED:
                self._spelled.clear()
            self._spelled[node] = spelled
        return spelled

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

    def best_below(self, logprobs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return for each node the largest logprob of the words at it and below it.

        Args:
            logprobs: float32 [n_words or more], natural log.

        Returns:
            float32 [n_nodes], -inf where there are none.
        """
        best = np.full(self.n_nodes, -np.inf, dtype=np.float32)
        filled = np.flatnonzero(np.diff(self.node_entry))
        values = logprobs[self.entry_word] + self.entry_logprob
        best[filled] = np.maximum.reduceat(values, self.node_entry[filled])
        parents = self._child_keys // _SYLLABLE_SPAN  # of nodes 1, 2, …
        ends = np.cumsum(self._level_nodes)
        for first, last in zip(ends[-2::-1], ends[:0:-1], strict=True):  # from the deepest level
            level = slice(int(first), int(last))
            np.maximum.at(best, parents[int(first) - 1 : int(last) - 1], best[level])
        return best

    def syllable_pairs(
        self, logprobs: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how often syllables follow one another in text of words drawn independently.

        Args:
            logprobs: float32 [n_words or more], natural log.

        Returns:
            float64 [n_syllables, n_syllables], of the second after the first, for each word drawn;
            float64 [n_syllables], of words that start with the syllable.
        """
        n_syllables = len(SYLLABLES)
        own = np.zeros(self.n_nodes)
        filled = np.flatnonzero(np.diff(self.node_entry))
        values = np.exp(logprobs[self.entry_word] + self.entry_logprob, dtype=np.float64)
        own[filled] = np.add.reduceat(values, self.node_entry[filled])
        mass = own.copy()  # of the words at a node and below it
        parents = (self._child_keys // _SYLLABLE_SPAN).astype(np.int64)  # of nodes 1, 2, …
        ends = np.cumsum(self._level_nodes)
        for first, last in zip(ends[-2::-1], ends[:0:-1], strict=True):  # from the deepest level
            level = slice(int(first) - 1, int(last) - 1)
            mass += np.bincount(parents[level], mass[1:][level], minlength=self.n_nodes)
        syllables = np.concatenate(([0], self._child_keys % _SYLLABLE_SPAN)).astype(np.int64)
        inner = np.flatnonzero(parents > 0)
        keys = syllables[parents[inner]] * n_syllables + syllables[inner + 1]
        pairs = np.bincount(keys, mass[inner + 1], minlength=n_syllables**2).astype(np.float64)
        starts = np.flatnonzero(parents == 0) + 1
        counts = np.bincount(syllables[starts], mass[starts], minlength=n_syllables)
        first_of_word = counts.astype(np.float64)
        last_of_word = np.bincount(syllables[1:], own[1:], minlength=n_syllables)
        between = np.outer(last_of_word, first_of_word) / max(values.sum(), 1e-30)
        return pairs.reshape(n_syllables, n_syllables) + between, first_of_word

    def lengths(self, word_ids: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return how many hanzi each word has."""
        return np.searchsorted(self._level_first_word, word_ids, side="right")

    def texts(self, word_ids: NDArray[np.integer]) -> list[str]:
        """Return the hanzi of words; for many words at once, ten times as fast as `text`."""
        lengths = self.lengths(word_ids)
        at, _ = ragged_arange(self.first_hanzi(word_ids), lengths)
        joined = self.hanzi[self._word_hanzi[at]].tobytes().decode("utf-32-le")
        ends = np.cumsum(lengths).tolist()
        return [
            joined[end - length : end] for end, length in zip(ends, lengths.tolist(), strict=True)
        ]

    def text(self, word_id: int) -> str:
        """Return the hanzi of a word."""
        start, length = self._span(word_id)
        return "".join(map(chr, self.hanzi[self._word_hanzi[start : start + length]]))

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
        flat = self._flat_tones().astype(np.int32)
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

    def blocks(self) -> Iterator[NDArray[np.uint16]]:
        """Yield the words of each length from 1 on, [n_words, length], as indices into `hanzi`."""
        bounds = self._level_first_word.tolist()
        for length, (first, last) in enumerate(pairwise(bounds), start=1):
            start = int(self._level_first_hanzi[length - 1])
            yield self._word_hanzi[start : start + (last - first) * length].reshape(-1, length)

    def hanzi_codes(self) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Return the code points of all words in one flat array, and their lengths."""
        lengths = self.lengths(np.arange(self.n_words))
        return self.hanzi[self._word_hanzi], lengths

    def first_hanzi(self, word_ids: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return where in the flat array of `hanzi_codes` each word starts."""
        level = self.lengths(word_ids) - 1
        within = (word_ids - self._level_first_word[level]) * (level + 1)
        first: NDArray[np.int64] = self._level_first_hanzi[level] + within
        return first

    def main_reading(self, word_id: int) -> list[tuple[int, int]]:
        """Return the syllable id and tone of each hanzi of a word, in its main reading."""
        first_words = self._node_first_word  # int32, as the word here, or all of it is converted
        node = int(np.searchsorted(first_words, np.int32(word_id), side="right")) - 1
        start, length = self._span(word_id)
        tones = [self._tone(position) for position in range(start, start + length)]
        return list(zip(self.node_syllables(node), tones, strict=True))

    def main_readings(self) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
        """Return the syllable ids and tones of all words in their main readings.

        Returns:
            syllable ids and tones, one for each hanzi in the flat array of `hanzi_codes`.
        """
        words = np.arange(self.n_words)
        lengths, first = self.lengths(words), self.first_hanzi(words)
        nodes = np.searchsorted(self._node_first_word, words, side="right") - 1
        syllables = np.empty(len(self._word_hanzi), dtype=np.int16)
        for position in range(int(lengths.max(initial=0)) - 1, -1, -1):  # climbing the trie in step
            has = np.flatnonzero(lengths > position)
            keys = self._child_keys[nodes[has] - 1]
            syllables[first[has] + position] = keys % _SYLLABLE_SPAN
            nodes[has] = keys // _SYLLABLE_SPAN
        return syllables, self._flat_tones()

    def readings_by_length(
        self,
    ) -> Iterator[tuple[NDArray[np.integer], NDArray[np.uint16], NDArray[np.int16]]]:
        """Yield all entries with their hanzi and how these are read, in groups of one length.

        Yields:
            int [n], entries; uint16 [n, length], indices into `hanzi`; int16 [n, length],
            syllable ids. Each entry comes once.
        """
        is_main = np.ones(len(self.entry_word), dtype=np.bool_)
        is_main[self._extra_position] = False
        main_entries = np.flatnonzero(is_main).astype(np.int32)  # by word
        bounds = self._level_first_word.tolist()
        for length, block in enumerate(self.blocks(), start=1):
            for first in range(0, len(block), _WORDS_AT_ONCE):
                part = block[first : first + _WORDS_AT_ONCE]
                words = np.arange(len(part)) + (bounds[length - 1] + first)
                nodes = np.searchsorted(self._node_first_word, words, side="right") - 1
                yield main_entries[words], part, self._spelled_syllables(nodes, length)
        extra_words = self.entry_word[self._extra_position]
        lengths = self.lengths(extra_words)
        for length in np.unique(lengths).tolist():
            which = np.flatnonzero(lengths == length)
            columns = self.first_hanzi(extra_words[which])[:, None] + np.arange(length)
            read = self._spelled_syllables(self._extra_node[which], length)
            yield self._extra_position[which], self._word_hanzi[columns], read

    def _spelled_syllables(self, nodes: NDArray[np.integer], length: int) -> NDArray[np.int16]:
        """Return int16 [n, length], the syllables from the root to nodes of one level."""
        syllables = np.empty((len(nodes), length), dtype=np.int16)
        for position in range(length - 1, -1, -1):
            keys = self._child_keys[nodes - 1]
            syllables[:, position] = keys % _SYLLABLE_SPAN
            nodes = keys // _SYLLABLE_SPAN
        return syllables

    def segmenter(self, logprobs: NDArray[np.float32]) -> Segmenter:
        """Build a segmenter over the words of this lexicon."""
        codes, lengths = self.hanzi_codes()
        return Segmenter(codes, lengths, logprobs, filter_bits=18)

    def _flat_tones(self) -> NDArray[np.uint8]:
        flat = np.empty(2 * len(self._word_tones), dtype=np.uint8)
        flat[::2] = self._word_tones & np.uint8(15)
        flat[1::2] = self._word_tones >> np.uint8(4)
        return flat[: len(self._word_hanzi)]

    def _tone(self, position: int) -> int:
        return (int(self._word_tones[position // 2]) >> (4 * (position % 2))) & 15

    def _span(self, word_id: int) -> tuple[int, int]:
        level = int(np.searchsorted(self._level_first_word, word_id, side="right"))
        first = int(self._level_first_word[level - 1])
        return int(self._level_first_hanzi[level - 1]) + (word_id - first) * level, level


def _widen(small: NDArray[np.uint8], large: NDArray[np.generic]) -> NDArray[np.int32]:
    """Restore counts; those stored as 15 stand in `large`, in order."""
    counts = small.astype(np.int32)
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
