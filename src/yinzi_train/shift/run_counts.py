"""Count, for every run of a text, what the measures are made of.

Everything a measure needs of a run is one row of numbers, so that a bootstrap over sentences, or a
part of a text, costs sums and no second look at the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.converter import Converter
from yinzi.language_model import WordModel
from yinzi.lexicon import Lexicon, ragged_arange
from yinzi.text import is_hanzi
from yinzi_train.shift.sample import Sample

__all__ = ["COLUMNS", "RunCounter", "RunCounts"]

COLUMNS: Final = (
    "runs",
    "hanzi",
    "unknown_hanzi",  # in no word of the lexicon
    "unread_hanzi",  # without a reading of their own: no word of one hanzi
    "single_hanzi",  # read one by one: words of one hanzi, and unknown ones
    "rare_hanzi",  # in words that are not among the commonest of the training text, or unknown
    "homophone_hanzi",  # in words that are not the likeliest of their reading
    "words",  # unknown hanzi are no words
    "following_words",  # words right after another word
    "bigram_words",  # of these, pairs that the language model has seen
    "third_words",  # words after two others
    "trigram_words",  # of these, triples that the language model has seen
    "logprob",  # of all words, natural log
    "known_hanzi",  # hanzi of all words
)
_PIECE: Final = 64
"""The segmenter cuts longer runs, so they are cut here, where order is kept."""
_FOUND: Final = 1e-4
"""Differences of log-probabilities above this are stored n-grams; below, they are rounding."""


@dataclass(frozen=True)
class RunCounts:
    """Figures of the runs of a text.

    Attributes:
        table: float64 [n_runs, len(COLUMNS)].
        sentences: int64 [n_runs], numbers of the sentences.
        words: int32 [n_words], ids of the known words of all runs.
        n_lexicon_words: number of ids.
    """

    table: NDArray[np.float64]
    sentences: NDArray[np.int64]
    words: NDArray[np.int32]
    n_lexicon_words: int

    @property
    def totals(self) -> dict[str, float]:
        """Sums over all runs by column."""
        return dict(zip(COLUMNS, self.table.sum(axis=0).tolist(), strict=True))

    def by_sentence(self) -> NDArray[np.float64]:
        """Return the sums of each sentence, float64 [n_sentences, len(COLUMNS)]."""
        sums = np.zeros((int(self.sentences[-1]) + 1, len(COLUMNS)))
        np.add.at(sums, self.sentences, self.table)
        return sums

    def word_counts(self) -> NDArray[np.int64]:
        """Return how often each word of the lexicon occurs, int64 [n_lexicon_words]."""
        return np.bincount(self.words, minlength=self.n_lexicon_words)


class RunCounter:
    """Count with the lexicon and the language model of an artifact.

    Args:
        converter: an opened artifact; its neural model is not used.
        common_words: ids of the commonest words of the training text.
    """

    def __init__(self, converter: Converter, common_words: NDArray[np.integer]) -> None:
        self._decoder = converter.decoder
        self.lexicon: Lexicon = converter.decoder.lexicon
        self.language_model: WordModel = converter.decoder.language_model
        self._is_rare = np.ones(self.lexicon.n_words, np.bool_)
        self._is_rare[common_words] = False
        self._is_first = first_choices(self.lexicon, self.language_model.unigram_logprobs)
        single = next(self.lexicon.blocks())[:, 0]
        self._known = self.lexicon.hanzi  # rising
        self._is_read = np.zeros(len(self._known), np.bool_)
        self._is_read[single] = True

    def count(self, sample: Sample) -> RunCounts:
        """Count a text, run by run."""
        lexicon = self.lexicon
        lengths = sample.lengths
        codes = np.frombuffer("".join(sample.runs).encode("utf-32-le"), dtype=np.uint32)
        of_hanzi = np.repeat(np.arange(len(lengths)), lengths)
        words, first_of_piece, piece_run = self._segment(codes, lengths)
        of_word = np.repeat(piece_run, np.diff(np.append(first_of_piece, len(words))))
        is_known = words < lexicon.n_words
        known = words[is_known]
        run = of_word[is_known]
        word_lengths = lexicon.lengths(known)

        table = np.zeros((len(lengths), len(COLUMNS)))
        slot = np.searchsorted(self._known, codes)
        slot[slot == len(self._known)] = 0
        is_in_lexicon = self._known[slot] == codes

        def add(column: str, runs: NDArray[np.int64], values: NDArray[np.generic]) -> None:
            at = COLUMNS.index(column)
            table[:, at] = np.bincount(runs, np.asarray(values, np.float64), len(lengths))

        table[:, 0] = 1
        table[:, 1] = lengths
        add("unknown_hanzi", of_hanzi, ~is_in_lexicon)
        add("unread_hanzi", of_hanzi, ~(is_in_lexicon & self._is_read[slot]))
        unknown_runs = of_word[~is_known]
        n_unknown = np.bincount(unknown_runs, minlength=len(lengths))
        add("single_hanzi", run, word_lengths == 1)
        add("rare_hanzi", run, word_lengths * self._is_rare[known])
        for column in ("single_hanzi", "rare_hanzi"):
            table[:, COLUMNS.index(column)] += n_unknown
        add("homophone_hanzi", run, word_lengths * ~self._is_first[known])
        add("words", run, np.ones(len(known)))
        add("known_hanzi", run, word_lengths)
        for column, values in self._language(sample, words, first_of_piece, piece_run).items():
            add(column, run, values)
        return RunCounts(table, sample.sentences, known, lexicon.n_words)

    def _segment(
        self, codes: NDArray[np.uint32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
        """Return the words in the order of the text, the first of each piece, and its run."""
        starts = np.cumsum(lengths) - lengths
        piece, owner = ragged_arange(np.zeros(len(lengths), np.int64), -(-lengths // _PIECE))
        piece_starts = starts[owner] + piece * _PIECE
        piece_lengths = np.minimum(_PIECE, lengths[owner] - piece * _PIECE)
        order = np.argsort(piece_lengths, kind="stable")  # in which the segmenter answers
        ids, counts = self._decoder.segmenter.segment(codes, piece_starts, piece_lengths)
        n_words = np.empty(len(order), np.int64)
        n_words[order] = counts
        first = np.cumsum(n_words) - n_words
        place, _ = ragged_arange(first[order], counts)
        words = np.empty(len(ids), np.int32)
        words[place] = ids
        return words, first, owner

    def _language(
        self,
        sample: Sample,
        words: NDArray[np.int32],
        first: NDArray[np.int64],
        piece_run: NDArray[np.int64],
    ) -> dict[str, NDArray[np.generic]]:
        """Return log-probability and longest stored n-gram of each known word."""
        model, unknown = self.language_model, self.lexicon.n_words
        w2 = np.empty(len(words), np.int64)
        w2[1:] = words[:-1]
        w1 = np.full(len(words), -1, np.int64)
        w1[2:] = words[:-2]
        w1[w1 == unknown] = -1
        second = first[np.diff(np.append(first, len(words))) > 1] + 1
        is_start = np.zeros(len(words), np.bool_)
        is_start[first] = True
        is_start[1:] |= words[:-1] == unknown  # what is unknown is no context
        w1[second] = model.bos_id
        w1[is_start], w2[is_start] = -1, model.bos_id
        is_after_word = ~is_start
        is_after_start = np.roll(is_start, 1)
        for place, run in zip(first.tolist(), piece_run.tolist(), strict=True):
            context = sample.left_contexts[run]
            if context and is_hanzi(context[-1]):  # only rows of sets: elsewhere runs are whole
                w1[place], w2[place] = self._decoder.context_words(context)
        known = np.flatnonzero(words < unknown)
        predicted = words[known]
        after_both = model.contexts(w1[known], w2[known])
        after_one = model.contexts(np.full(len(known), -1), w2[known])
        full = model.logprobs_after(after_both.reshape(-1, 1), predicted)[:, 0]
        pair = model.logprobs_after(after_one.reshape(-1, 1), predicted)[:, 0]
        bigram = np.abs(pair - after_one.backoffs - model.unigram_logprobs[predicted]) > _FOUND
        trigram = np.abs((full - after_both.backoffs) - (pair - after_one.backoffs)) > _FOUND
        follows = is_after_word[known]
        third = follows & ~is_after_start[known]
        return {
            "logprob": full.astype(np.float64),
            "following_words": follows,
            "bigram_words": follows & bigram,
            "third_words": third,
            "trigram_words": third & trigram,
        }


def first_choices(lexicon: Lexicon, logprobs: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell which words are the likeliest of all that are read as they are.

    A word with several readings counts by the one it has most often.

    Args:
        lexicon: words and readings.
        logprobs: float32 [n_words or more], natural log.

    Returns:
        bool [n_words].
    """
    entries = lexicon.entry_word
    n_entries = np.diff(lexicon.node_entry)
    filled = np.flatnonzero(n_entries)
    values = logprobs[entries] + lexicon.entry_logprob
    best = np.repeat(np.maximum.reduceat(values, lexicon.node_entry[filled]), n_entries[filled])
    # The last written wins: by rising share of the reading, so that of the commonest one.
    order = np.argsort(lexicon.entry_logprob, kind="stable")
    is_first = np.zeros(lexicon.n_words, np.bool_)
    is_first[entries[order]] = (values == best)[order]
    return is_first
