"""Know which pairs of syllable and hanzi the words of a lattice are made of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.decoding.lattice import Lattice
from yinzi.lexicon import Lexicon
from yinzi.lexicon.segmentation import MAX_WORD_LENGTH
from yinzi.pinyin import SYLLABLES
from yinzi.scoring import PairTable

__all__ = ["NO_HANZI", "WordPairs"]

_NO_PAIR: Final = -1
NO_HANZI: Final = -2
"""Stands behind the last pair of a word."""


class WordPairs:
    """Know for each entry of a lexicon the pairs of syllable and hanzi it is made of.

    Made when a line is first scored, and kept: 16 bytes an entry.
    """

    def __init__(self, lexicon: Lexicon, pairs: PairTable) -> None:
        self._lexicon = lexicon
        self._pairs = pairs
        self._added: tuple[Mapping[str, float], NDArray[np.float32]] | None = None

    def added_logprobs(self, of_hanzi: Mapping[str, float]) -> NDArray[np.float32] | None:
        """Return float32 [n_pairs], what is added to the score of each; None for nothing.

        Args:
            of_hanzi: natural log by hanzi; what was asked for last is kept.
        """
        if not of_hanzi:
            return None
        known = self._added
        if known is None or known[0] is not of_hanzi:
            added = np.zeros(len(self._pairs.hanzi), dtype=np.float32)
            for hanzi, logprob in of_hanzi.items():
                added[self._pairs.hanzi == ord(hanzi)] = logprob
            known = self._added = of_hanzi, added
        return known[1]

    @cached_property
    def of_entries(self) -> NDArray[np.int16]:
        """int16 [n_entries, 8], pair ids; -1 for a pair that is not known, -2 behind the word."""
        known = np.full((len(SYLLABLES), len(self._lexicon.hanzi)), _NO_PAIR, dtype=np.int16)
        index = np.searchsorted(self._lexicon.hanzi, self._pairs.hanzi)
        index[index == len(self._lexicon.hanzi)] = 0
        ids = np.flatnonzero(self._lexicon.hanzi[index] == self._pairs.hanzi)
        known[self._pairs.syllables[ids], index[ids]] = ids
        entries = np.full((len(self._lexicon.entry_word), MAX_WORD_LENGTH), NO_HANZI, np.int16)
        for which, hanzi, syllables in self._lexicon.readings_by_length():
            entries[which, : hanzi.shape[1]] = known[syllables, hanzi]
        return entries

    @cached_property
    def lengths(self) -> NDArray[np.int8]:
        """int8 [n_entries], hanzi of each entry."""
        lengths: NDArray[np.int8] = (self.of_entries != NO_HANZI).sum(axis=1, dtype=np.int8)
        return lengths

    def node_lengths(self, lattice: Lattice, nodes: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return int64 [n], hanzi of words of a lattice; anything for literals."""
        lengths: NDArray[np.int64] = self.lengths[lattice.entry[nodes]].astype(np.int64)
        if lattice.user is not None:
            own = np.flatnonzero(lattice.is_shortcut[nodes])
            lengths[own] = lattice.user.features.lengths[lattice.user_row[nodes[own]]]
        return lengths

    def node_pairs(self, lattice: Lattice, nodes: NDArray[np.integer]) -> NDArray[np.int16]:
        """Return int16 [n, 8 or more], pair ids of words of a lattice, as `of_entries`."""
        pairs: NDArray[np.int16] = self.of_entries[lattice.entry[nodes]]
        if lattice.user is None:
            return pairs
        own = np.flatnonzero(lattice.is_shortcut[nodes])
        if not len(own):
            return pairs
        features, rows = lattice.user.features, lattice.user_row[nodes[own]]
        lengths = features.lengths[rows]
        width = max(pairs.shape[1], int(lengths.max()))
        wide = np.full((len(nodes), width), NO_HANZI, dtype=np.int16)
        wide[:, : pairs.shape[1]] = pairs
        wide[own] = NO_HANZI
        word, place = np.nonzero(np.arange(width) < lengths[:, None])
        texts = "".join(lattice.user.texts[row] for row in rows.tolist())
        codes = np.frombuffer(texts.encode("utf-32-le"), dtype=np.uint32)
        known = self._pairs.ids(features.syllables[rows[word], place].astype(np.int64), codes)
        wide[own[word], place] = known
        return wide
