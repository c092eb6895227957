"""Hold a text as runs of hanzi with what stands before each, whatever it was read from.

A run (MIU) is what a person types in one go. Sentences are kept together by their number, because
they, and not runs or words, are what a bootstrap may draw: words of one sentence hang together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from yinzi.evaluation import Row
from yinzi.text import miu_spans
from yinzi_train.shift.errors import ShiftError

__all__ = ["ReadingNotes", "Sample"]


@dataclass(frozen=True)
class ReadingNotes:
    """What happened to a text on the way in.

    Attributes:
        n_lines: lines, records or rows that were read.
        n_sentences: clean sentences found, before repeated ones and those above a limit went.
        n_repeated: sentences that were left out because they had come before.
        n_traditional: lines in traditional hanzi, which were compared in simplified ones.
        dropped: lines and sentences that cleaning dropped, by reason.
    """

    n_lines: int = 0
    n_sentences: int = 0
    n_repeated: int = 0
    n_traditional: int = 0
    dropped: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """Runs of hanzi, in the order of the text.

    Attributes:
        runs: the hanzi of each run.
        left_contexts: the text before each run, in its own sentence.
        sentences: int64 [n_runs], number of the sentence that a run stands in, rising from 0.
        texts: the sentences; empty for rows of a set.
        pinyin: syllables of each run of a set; empty for other text.
        notes: what happened on the way in.
    """

    runs: tuple[str, ...]
    left_contexts: tuple[str, ...]
    sentences: NDArray[np.int64]
    texts: tuple[str, ...] = ()
    pinyin: tuple[str, ...] = ()
    notes: ReadingNotes = field(default_factory=ReadingNotes)

    @property
    def n_sentences(self) -> int:
        """Number of sentences that have hanzi."""
        return int(self.sentences[-1]) + 1

    @property
    def n_hanzi(self) -> int:
        """Number of hanzi."""
        return sum(map(len, self.runs))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Hanzi in each run, int64 [n_runs]."""
        return np.fromiter(map(len, self.runs), np.int64, len(self.runs))

    @classmethod
    def from_sentences(
        cls, sentences: Sequence[str], *, notes: ReadingNotes | None = None
    ) -> Sample:
        """Find the runs of sentences.

        >>> sample = Sample.from_sentences(["你好，世界！", "OK", "再见"])
        >>> sample.runs, sample.left_contexts, sample.sentences.tolist()
        (('你好', '世界', '再见'), ('', '你好，', ''), [0, 0, 1])

        Raises:
            ShiftError: there is no hanzi in them.
        """
        runs: list[str] = []
        contexts: list[str] = []
        numbers: list[int] = []
        texts: list[str] = []
        for sentence in sentences:
            spans = miu_spans(sentence)
            for start, end in spans:
                runs.append(sentence[start:end])
                contexts.append(sentence[:start])
                numbers.append(len(texts))
            if spans:
                texts.append(sentence)
        if not runs:
            raise ShiftError(
                "no hanzi in the text: give Chinese text, a sentence or more a line; a few hundred "
                "sentences of what you write are best"
            )
        return cls(
            tuple(runs),
            tuple(contexts),
            np.array(numbers, np.int64),
            tuple(texts),
            notes=notes or ReadingNotes(len(sentences), len(sentences)),
        )

    @classmethod
    def from_rows(cls, rows: Sequence[Row], *, notes: ReadingNotes | None = None) -> Sample:
        """Take the rows of an evaluation set, one run each.

        >>> Sample.from_rows([Row("a.0", "你好", "ni hao")]).pinyin
        ('ni hao',)

        Raises:
            ShiftError: there are none.
        """
        if not rows:
            raise ShiftError("no rows to compare: give a set with at least one")
        return cls(
            tuple(row.hanzi for row in rows),
            tuple(row.left_context for row in rows),
            np.arange(len(rows)),
            pinyin=tuple(row.pinyin for row in rows),
            notes=notes or ReadingNotes(len(rows), len(rows)),
        )

    def take_sentences(self, chosen: NDArray[np.int64]) -> Sample:
        """Return some of the sentences, in the order of the text.

        Args:
            chosen: numbers of sentences.
        """
        is_chosen = np.zeros(self.n_sentences, np.bool_)
        is_chosen[chosen] = True
        at = np.flatnonzero(is_chosen[self.sentences])
        numbers = np.cumsum(is_chosen) - 1
        return Sample(
            tuple(self.runs[i] for i in at),
            tuple(self.left_contexts[i] for i in at),
            numbers[self.sentences[at]],
            tuple(text for text, taken in zip(self.texts, is_chosen, strict=False) if taken),
            tuple(self.pinyin[i] for i in at) if self.pinyin else (),
            self.notes,
        )
