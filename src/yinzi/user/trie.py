"""Find the user's words that can be read along ranges of syllables.

The same shape as the trie of the built-in lexicon, so that one walk serves both: nodes level by
level, sorted by parent and syllable, so that the children in a range of syllables are one slice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["UserTrie"]

_SYLLABLE_SPAN = 512


class UserTrie:
    """A trie over the syllables of some words.

    Attributes:
        max_length: syllables of the longest word.
        node_entry: int64 [n_nodes + 1], first of the words of each node in `rows`.
        rows: int64 [n_words], numbers of the words, node by node.
    """

    def __init__(
        self, syllables: NDArray[np.int16], lengths: NDArray[np.int64], *, first_row: int = 0
    ) -> None:
        """Build the trie.

        Args:
            syllables: int16 [n_words, max_length], ids, anything behind the end of a word.
            lengths: int64 [n_words].
            first_row: number of the first word.
        """
        self.max_length = int(lengths.max(initial=0))
        node = np.zeros(len(lengths), dtype=np.int64)
        keys: list[NDArray[np.int64]] = []
        n_nodes = 1
        for level in range(self.max_length):
            has = np.flatnonzero(lengths > level)
            level_keys, child = np.unique(
                node[has] * _SYLLABLE_SPAN + syllables[has, level], return_inverse=True
            )
            keys.append(level_keys)
            node[has] = n_nodes + child
            n_nodes += len(level_keys)
        # Numbers of nodes grow from level to level: the keys are in order as a whole.
        self._child_keys = np.concatenate(keys) if keys else np.zeros(0, dtype=np.int64)
        self.rows = np.argsort(node, kind="stable") + first_row
        self.node_entry = np.concatenate(([0], np.cumsum(np.bincount(node, minlength=n_nodes))))

    def children(
        self,
        nodes: NDArray[np.int64],
        syllable_lo: NDArray[np.integer],
        syllable_hi: NDArray[np.integer],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the slice of children in a range of syllables; as `Lexicon.children`."""
        keys = nodes * _SYLLABLE_SPAN
        first = np.searchsorted(self._child_keys, keys + syllable_lo)
        last = np.searchsorted(self._child_keys, keys + syllable_hi)
        return first + 1, last + 1
