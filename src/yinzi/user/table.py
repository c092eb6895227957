"""Hold the user's words as the decoder reads them, and follow the file as it changes.

A table is a picture of the user lexicon at one moment; a change gives a new one that shares what is
as it was. Of 50,000 words only those that changed are looked up again, and new ones are kept in a
small trie beside the large one until there are many.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import UserLexiconError
from yinzi.language_model import WordModel
from yinzi.lexicon import Lexicon, Segmenter
from yinzi.pinyin import SYLLABLES
from yinzi.user.features import WordFeatures, word_features
from yinzi.user.lexicon import UserChanges, UserLexicon
from yinzi.user.options import UserOptions
from yinzi.user.records import HALF_LIFE, WordSource
from yinzi.user.trie import UserTrie

__all__ = ["UserTable", "UserTableSource"]

logger = logging.getLogger(__name__)

_MAX_RECENT: Final = 512
"""Words in the small trie before the large one is built anew."""
_GIVEN: Final = (WordSource.ADDED, WordSource.IMPORTED)
_IDS: Final = {syllable: number for number, syllable in enumerate(SYLLABLES)}


@dataclass(frozen=True, eq=False)
class UserTable:
    """A user's words at one moment; arrays are [n_words] unless said.

    Attributes:
        texts: hanzi.
        readings: toneless syllables.
        features: what the words are to lexicon and language model.
        weight: float32, commits that each word counts for now; 0 for one that is not offered.
        is_given: bool, added or imported: one commit more or less is not what it stands on.
        is_new: bool, put together from parts.
        forgotten: texts and readings that must not be offered.
        forgotten_entries: int64, rising, lexicon entries that must not be offered.
        choice_keys: int64 [n_choices], rising, see `_choice_key`.
        choice_logprob: float32 [n_choices], natural log of the user's share of the word after the
            one before it, times `choice_share`.
        divisible: bool [n_syllables], syllables whose letters are also a word of several hanzi.
        tries: of earlier and of new words.
        n_commits: committed words that still count.
        options: how much all this counts.
    """

    texts: Sequence[str]
    readings: Sequence[tuple[str, ...]]
    features: WordFeatures
    weight: NDArray[np.float32]
    is_given: NDArray[np.bool_]
    is_new: NDArray[np.bool_]
    forgotten: frozenset[tuple[str, tuple[str, ...]]]
    forgotten_entries: NDArray[np.int64]
    choice_keys: NDArray[np.int64]
    choice_logprob: NDArray[np.float32]
    divisible: NDArray[np.bool_]
    tries: tuple[UserTrie, ...]
    n_commits: float
    options: UserOptions = field(default_factory=UserOptions)

    @property
    def max_length(self) -> int:
        """Return how many hanzi the longest word has."""
        return max((trie.max_length for trie in self.tries), default=0)

    @cached_property
    def word_logprob(self) -> NDArray[np.float32]:
        """float32, natural log of the user's share of each word, times `word_share`."""
        share = self.weight * (self.options.word_share / (self.n_commits + self.options.word_prior))
        with np.errstate(divide="ignore"):
            logprob: NDArray[np.float32] = np.log(share).astype(np.float32)
        return logprob

    @cached_property
    def most_logprob(self) -> NDArray[np.float32]:
        """float32, natural log, what each word can be lifted by at most."""
        most = np.minimum(self.weight * self.options.commit_logprob, self.options.max_logprob)
        most[self.is_given & (self.weight > 0)] = self.options.max_logprob
        missing = np.maximum(self.options.known_logprob - self.features.logprob, 0)
        most += np.where((self.is_given | self.is_new) & (self.weight > 0), missing, 0)
        limits: NDArray[np.float32] = most.astype(np.float32)
        return limits

    def added_logprob(
        self, rows: NDArray[np.integer], logprob: NDArray[np.float32], before: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Return what the user's use of words adds to what the language model says of them.

        The two are mixed: with p of the language model and q of the user, it is log((p + q) / p),
        at most `most_logprob`. So a word that the model finds likely anyway gains nothing.

        Args:
            rows: [n], words.
            logprob: float32 [n, n_contexts], natural log, what the language model gives them.
            before: int32 [n, n_contexts], the word before each, -1 for any.

        Returns:
            float32 [n, n_contexts], natural log ≥ 0.
        """
        own = self.word_logprob[rows][:, None]
        if len(self.choice_keys):
            keys = _choice_key(before, rows[:, None])
            slot = np.searchsorted(self.choice_keys, keys)
            slot[slot == len(self.choice_keys)] = 0
            choice = np.where(
                self.choice_keys[slot] == keys, self.choice_logprob[slot], np.float32(-np.inf)
            )
            own = np.logaddexp(own, choice)
        added = np.logaddexp(own - logprob, np.float32(0))
        limited: NDArray[np.float32] = np.minimum(added, self.most_logprob[rows][:, None])
        return limited


class UserTableSource:
    """Give the table of a user lexicon as it is now.

    Safe from many threads.

    Attributes:
        user: the user lexicon.
    """

    def __init__(
        self,
        user: UserLexicon,
        lexicon: Lexicon,
        language_model: WordModel,
        segmenter: Segmenter,
        *,
        options: UserOptions,
    ) -> None:
        self.user = user
        self._models = (lexicon, language_model, segmenter)
        self._options = options
        self._lock = Lock()
        self._has_failed = False
        self._start()

    def _start(self) -> None:
        self._epoch = self._generation = -1
        self._rows: dict[tuple[str, tuple[str, ...]], int] = {}
        self._texts: list[str] = []
        self._readings: list[tuple[str, ...]] = []
        # Weight, last use, is_given, is_new, is_forgotten of each word.
        self._state = np.zeros((0, 5), dtype=np.float64)
        self._features: WordFeatures | None = None
        self._tries: tuple[UserTrie, ...] = ()
        self._n_in_tries = 0
        self._divisible_rows: dict[int, int] = {}
        self._choices: dict[tuple[int, int], int] = {}
        # Word before (its id), row, weight, last use of each choice.
        self._choice_state = np.zeros((0, 4), dtype=np.float64)
        self._before_ids: dict[str, int] = {}
        self._table: UserTable | None = None

    def current(self) -> UserTable | None:
        """Return the table as of now, None for an empty lexicon.

        If the file cannot be read, the last table goes on serving, and the log says so once.
        """
        with self._lock:
            try:
                changes = self.user.changes(self._epoch, self._generation)
            except UserLexiconError as error:
                if not self._has_failed:
                    logger.warning("%s; what was read of it before is still used", error)
                self._has_failed = True
                return self._table
            self._has_failed = False
            if changes is not None:
                if changes.epoch != self._epoch:
                    self._start()
                self._take_in(changes)
            return self._table

    def _take_in(self, changes: UserChanges) -> None:
        self._epoch, self._generation = changes.epoch, changes.generation
        n_before = len(self._texts)
        rows: list[int] = []
        for word in changes.words:
            row = self._rows.setdefault((word.text, word.syllables), len(self._texts))
            rows.append(row)
            if row == len(self._texts):
                self._texts.append(word.text)
                self._readings.append(word.syllables)
                whole = _IDS.get("".join(word.syllables))
                if whole is not None and len(word.syllables) > 1:
                    self._divisible_rows[row] = whole
        self._state = _grown(self._state, len(self._texts))
        self._state[rows] = np.array(
            [
                (
                    word.weight,
                    word.last_use,
                    word.source in _GIVEN,
                    word.source is WordSource.LEARNED,
                    word.is_forgotten,
                )
                for word in changes.words
            ],
            dtype=np.float64,
        ).reshape(-1, 5)
        if len(self._texts) > n_before:
            new = word_features(self._texts[n_before:], self._readings[n_before:], *self._models)
            self._features = new if self._features is None else self._features.joined(new)
            self._extend_tries()
        self._count_choices(changes)
        self._table = self._picture(changes.clock) if self._texts else None

    def _extend_tries(self) -> None:
        assert self._features is not None
        n_words = len(self._texts)
        if n_words - self._n_in_tries > _MAX_RECENT:
            self._tries = (UserTrie(self._features.syllables, self._features.lengths),)
            self._n_in_tries = n_words
            return
        first = self._n_in_tries
        recent = UserTrie(
            self._features.syllables[first:], self._features.lengths[first:], first_row=first
        )
        self._tries = (*self._tries[: first > 0], recent)

    def _count_choices(self, changes: UserChanges) -> None:
        slots: list[int] = []
        values: list[tuple[int, int, float, int]] = []
        for choice in changes.choices:
            row = self._rows.get((choice.text, tuple(choice.syllables.split(" "))))
            before = self._before_ids.get(choice.before)
            if before is None:
                before = self._before_ids[choice.before] = self._word_id(choice.before)
            if row is not None and before >= 0:
                slots.append(self._choices.setdefault((before, row), len(self._choices)))
                values.append((before, row, choice.weight, choice.last_use))
        self._choice_state = _grown(self._choice_state, len(self._choices))
        self._choice_state[slots] = np.array(values, dtype=np.float64).reshape(-1, 4)

    def _word_id(self, text: str) -> int:
        """Return the id that stands for a word before another one, -1 for none."""
        lexicon, language_model, segmenter = self._models
        if not text:
            return language_model.bos_id
        last = int(segmenter.segment_run(text)[-1])
        return -1 if last == lexicon.n_words else last

    def _picture(self, clock: int) -> UserTable:
        assert self._features is not None
        weight, last_use = self._state[:, 0], self._state[:, 1]
        is_given, is_new, is_forgotten = (self._state[:, column] > 0 for column in (2, 3, 4))
        faded = _faded(weight, last_use, clock)
        # What was given does not fade; what was learned of it besides does.
        faded[is_given] = np.maximum(faded, np.minimum(weight, 1.0))[is_given]
        faded[is_forgotten] = 0
        entries = self._features.entry[is_forgotten]
        divisible = np.zeros(len(SYLLABLES), dtype=np.bool_)
        for row, syllable in self._divisible_rows.items():
            divisible[syllable] |= faded[row] > 0
        keys, logprob = self._choice_arrays(clock)
        return UserTable(
            texts=self._texts,
            readings=self._readings,
            features=self._features,
            weight=faded.astype(np.float32),
            is_given=is_given,
            is_new=is_new,
            forgotten=frozenset(
                (self._texts[row], self._readings[row])
                for row in np.flatnonzero(is_forgotten).tolist()
            ),
            forgotten_entries=np.sort(entries[entries >= 0]),
            choice_keys=keys,
            choice_logprob=logprob,
            divisible=divisible,
            tries=self._tries,
            n_commits=HALF_LIFE / np.log(2) * (1 - 0.5 ** (clock / HALF_LIFE)),
            options=self._options,
        )

    def _choice_arrays(self, clock: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        before, row = self._choice_state[:, :2].astype(np.int64).T
        weight = _faded(self._choice_state[:, 2], self._choice_state[:, 3], clock)
        kept = np.flatnonzero(weight > 0)
        before, row, weight = before[kept], row[kept], weight[kept]
        total = np.bincount(before, weights=weight)[before] if len(kept) else weight
        share = self._options.choice_share * weight / (total + self._options.choice_prior)
        keys = _choice_key(before, row)
        order = np.argsort(keys)
        with np.errstate(divide="ignore"):
            return keys[order], np.log(share[order]).astype(np.float32)


def _faded(
    weight: NDArray[np.float64], last_use: NDArray[np.float64], clock: int
) -> NDArray[np.float64]:
    """Return weights as of a clock; see `records.decayed`."""
    faded: NDArray[np.float64] = weight * np.exp2(-np.maximum(clock - last_use, 0) / HALF_LIFE)
    return faded


def _grown(array: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    """Return a copy with zeros for the rows that are missing."""
    grown = np.zeros((n_rows, array.shape[1]), dtype=np.float64)
    grown[: len(array)] = array
    return grown


def _choice_key(before: NDArray[np.integer], row: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return one number for a word, by its row, after another one, by its id."""
    keys: NDArray[np.int64] = (before.astype(np.int64) << 32) | row.astype(np.int64)
    return keys
