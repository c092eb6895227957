"""Tell what a user's words are to lexicon and language model.

A word that the lexicon has is one of its entries. Any other is a short cut over its best split into
words of the lexicon: scored as the first of them, plus a fixed sum for those behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from yinzi.language_model import WordModel
from yinzi.lexicon import Lexicon, Segmenter, ragged_arange
from yinzi.pinyin import syllable_id
from yinzi.user.records import MAX_USER_WORD_LENGTH

__all__ = ["PREVIOUS", "WordFeatures", "word_features"]

PREVIOUS = -2
"""Stands for the word before a user's word where that is part of the context behind it."""
_UNKNOWN_LOGPROB = -16.0
"""Natural log, for a hanzi that the lexicon does not have."""


@dataclass(frozen=True)
class WordFeatures:
    """What some words are to the models; all arrays [n_words] unless said.

    Attributes:
        syllables: int16 [n_words, 16], ids, -1 behind the end.
        lengths: int64.
        entry: int64, lexicon entry, -1 for a short cut.
        trie_node: int64, reading of the entry in the lexicon, 0 for a short cut.
        word: int32, id that the language model scores.
        after: int32 [n_words, 2], the two ids that are the context behind it.
        inner_logprob: float32, natural log of what follows the first part of a short cut.
        logprob: float32, natural log of the word with no context, as the language model sees it.
        n_parts: int8, words it is a short cut over, 1 for an entry.
    """

    syllables: NDArray[np.int16]
    lengths: NDArray[np.int64]
    entry: NDArray[np.int64]
    trie_node: NDArray[np.int64]
    word: NDArray[np.int32]
    after: NDArray[np.int32]
    inner_logprob: NDArray[np.float32]
    logprob: NDArray[np.float32]
    n_parts: NDArray[np.int8]

    def joined(self, later: WordFeatures) -> WordFeatures:
        """Return these words and then others."""
        return WordFeatures(
            *(
                np.concatenate((getattr(self, column.name), getattr(later, column.name)))
                for column in fields(self)
            )
        )


def word_features(
    texts: Sequence[str],
    readings: Sequence[tuple[str, ...]],
    lexicon: Lexicon,
    language_model: WordModel,
    segmenter: Segmenter,
) -> WordFeatures:
    """Return what words are to the models, thousands at a time.

    Args:
        texts: at least 1 hanzi each.
        readings: toneless syllables, one a hanzi.
        lexicon: built-in words.
        language_model: scores the parts.
        segmenter: splits words that the lexicon does not have.
    """
    n_words = len(texts)
    lengths = np.fromiter((len(text) for text in texts), dtype=np.int64, count=n_words)
    syllables = np.full((n_words, MAX_USER_WORD_LENGTH), -1, dtype=np.int16)
    row, column = np.nonzero(np.arange(MAX_USER_WORD_LENGTH) < lengths[:, None])
    flat = [_id(syllable) for reading in readings for syllable in reading]
    syllables[row, column] = flat
    order = np.argsort(lengths, kind="stable")  # as the segmenter returns them
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    starts = np.cumsum(lengths) - lengths
    ids, counts = segmenter.segment(codes, starts[order], lengths[order])
    split = _score_splits(ids.astype(np.int64), counts, language_model)
    word = np.empty(n_words, dtype=np.int32)
    after = np.empty((n_words, 2), dtype=np.int32)
    inner = np.empty(n_words, dtype=np.float32)
    n_parts = np.empty(n_words, dtype=np.int8)
    word[order], after[order], inner[order] = split
    n_parts[order] = counts
    entry, node = _entries(texts, syllables, lengths, lexicon)
    known = np.flatnonzero(entry >= 0)
    word[known] = lexicon.entry_word[entry[known]]
    after[known, 0], after[known, 1] = PREVIOUS, word[known]
    inner[known], n_parts[known] = 0, 1
    logprob = language_model.unigram_logprobs[word] + inner
    return WordFeatures(syllables, lengths, entry, node, word, after, inner, logprob, n_parts)


def _id(syllable: str) -> int:
    found = syllable_id(syllable)
    assert found is not None  # checked when it was stored
    return int(found)


def _score_splits(
    ids: NDArray[np.int64], counts: NDArray[np.int64], model: WordModel
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Return the word scored, the context behind, and the sum of all parts but the first."""
    ends = np.cumsum(counts)
    first = ends - counts
    is_unknown = ids == model.n_words
    position = np.arange(len(ids)) - np.repeat(first, counts)
    # The two words before each part, as far as the word itself knows them.
    before = np.where(position > 0, np.roll(ids, 1), -1)
    before[(position > 0) & np.roll(is_unknown, 1)] = model.bos_id
    earlier = np.where(position > 1, np.roll(ids, 2), -1)
    earlier[(position > 1) & np.roll(is_unknown, 2)] = -1
    earlier[before == model.bos_id] = -1
    logprob = np.zeros(len(ids), dtype=np.float32)
    inner = np.flatnonzero((position > 0) & ~is_unknown)
    logprob[inner] = model.logprobs(
        earlier[inner].astype(np.int32), before[inner].astype(np.int32), ids[inner].astype(np.int32)
    )
    logprob[is_unknown] = _UNKNOWN_LOGPROB
    sums = np.add.reduceat(logprob, first) if len(first) else np.zeros(0, dtype=np.float32)
    word = np.where(is_unknown[first], model.eos_id, ids[first])
    last = ends - 1
    after = np.empty((len(counts), 2), dtype=np.int32)
    after[:, 1] = np.where(is_unknown[last], model.bos_id, ids[last])
    after[:, 0] = np.where(counts == 1, PREVIOUS, np.where(before[last] < 0, -1, before[last]))
    after[(after[:, 1] == model.bos_id) | (after[:, 0] == model.bos_id), 0] = -1
    return word.astype(np.int32), after, sums.astype(np.float32)


def _entries(
    texts: Sequence[str],
    syllables: NDArray[np.int16],
    lengths: NDArray[np.int64],
    lexicon: Lexicon,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the lexicon entry of each word, and its reading in the trie; -1 and 0 for none."""
    node = np.zeros(len(texts), dtype=np.int64)
    for level in range(int(lengths.max(initial=0))):
        has = np.flatnonzero((lengths > level) & ((node > 0) | (level == 0)))
        node[has] = lexicon.child(node[has], syllables[has, level].astype(np.int64))
    entry = np.full(len(texts), -1, dtype=np.int64)
    found = np.flatnonzero(node)
    first = lexicon.node_entry[node[found]].astype(np.int64)
    candidates, owner = ragged_arange(first, lexicon.node_entry[node[found] + 1] - first)
    spelled = lexicon.texts(lexicon.entry_word[candidates])
    for text, at, candidate in zip(
        spelled, found[owner].tolist(), candidates.tolist(), strict=True
    ):
        if text == texts[at]:
            entry[at] = candidate
    node[entry < 0] = 0
    return entry, node
