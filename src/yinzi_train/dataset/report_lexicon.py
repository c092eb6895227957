"""Read the lexicon that a dataset report measures coverage against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.artifact import Artifact
from yinzi.artifact.reader import MANIFEST_NAME
from yinzi.errors import LexiconError
from yinzi.language_model import read_language_model
from yinzi.lexicon import Lexicon
from yinzi.pinyin import SYLLABLES
from yinzi_train.dataset.report_counts import SentenceBatch

__all__ = ["ReportLexicon", "WordSample", "read_report_lexicon"]

_SEGMENTED_HANZI: Final = 1 << 18


@dataclass(frozen=True)
class ReportLexicon:
    """A lexicon, and what segmenting with it needs.

    Attributes:
        name: for people.
        lexicon: words and readings.
        word_logprobs: float32 [n_words], natural log; None if not known: words are not counted.
    """

    name: str
    lexicon: Lexicon
    word_logprobs: NDArray[np.float32] | None = None

    def hanzi_readings(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return all (syllable, hanzi) pairs: syllable ids, code points; int64 [n_pairs] each."""
        lexicon = self.lexicon
        root = np.zeros(1, dtype=np.int64)
        bounds = (np.zeros(1, dtype=np.int64), np.full(1, len(SYLLABLES)))
        first, last = lexicon.children(root, *bounds)
        nodes = np.arange(int(first[0]), int(last[0]))
        n_entries = lexicon.node_entry[nodes + 1] - lexicon.node_entry[nodes]
        low, high = (int(lexicon.node_entry[node]) for node in (first[0], last[0]))
        syllables = [lexicon.node_syllables(node)[0] for node in nodes.tolist()]
        codes = [ord(text) for text in lexicon.texts(lexicon.entry_word[low:high])]
        return np.repeat(np.array(syllables, np.int64), n_entries), np.array(codes, np.int64)


class WordSample:
    """Count words in every n-th row.

    Attributes:
        n_hanzi: hanzi that were segmented; whole after `counts`.

    Args:
        lexicon: with the logprobs of its words.
        every: 1 takes every row, 2 every other row, and so on.
    """

    def __init__(self, lexicon: ReportLexicon, *, every: int) -> None:
        assert lexicon.word_logprobs is not None
        self._segmenter = lexicon.lexicon.segmenter(lexicon.word_logprobs)
        self._every = every
        self._n_rows = 0
        self._waiting: list[tuple[NDArray[np.uint32], NDArray[np.int64]]] = []
        self._n_waiting = 0
        self._counts = np.zeros(lexicon.lexicon.n_words + 1, dtype=np.int64)
        self.n_hanzi = 0

    def add(self, batch: SentenceBatch) -> None:
        """Count the words of a batch."""
        is_taken = (self._n_rows + np.arange(batch.n_rows)) % self._every == 0
        self._n_rows += batch.n_rows
        runs = np.repeat(is_taken, batch.row_runs) & (batch.run_lengths > 0)
        is_in_taken = np.repeat(is_taken, batch.row_hanzi)
        self._waiting.append((batch.codes[is_in_taken], batch.run_lengths[runs]))
        self._n_waiting += int(is_in_taken.sum())
        if self._n_waiting >= _SEGMENTED_HANZI:
            self._segment()

    def counts(self) -> NDArray[np.int64]:
        """Return the occurrences by word id; the last are hanzi that are no word.

        Returns:
            int64 [n_words + 1].
        """
        self._segment()
        return self._counts

    def _segment(self) -> None:
        """Segment what was kept: few calls on many runs cost a third of many on few."""
        if not self._n_waiting:
            return
        codes = np.concatenate([codes for codes, _ in self._waiting])
        lengths = np.concatenate([lengths for _, lengths in self._waiting])
        words, _ = self._segmenter.segment(codes, np.cumsum(lengths) - lengths, lengths)
        self._counts += np.bincount(words, minlength=len(self._counts))
        self.n_hanzi += self._n_waiting
        self._waiting, self._n_waiting = [], 0


def read_report_lexicon(path: Path | str) -> ReportLexicon:
    """Open the lexicon of an artifact, or a folder of lexicon arrays.

    Such a folder is what the lexicon stage of a build writes. Words are counted where it has a file
    `counts.npy`, or where it stands beside a folder `words` with one.

    Args:
        path: name or folder of an artifact, or a folder of arrays.

    Raises:
        ArtifactError: there is no such artifact, or it is damaged.
        LexiconError: the folder of arrays lacks one.
    """
    folder = Path(path)
    if not (folder / "word_hanzi.npy").is_file() or (folder / MANIFEST_NAME).is_file():
        artifact = Artifact.open(path)
        model = read_language_model(artifact)
        lexicon = Lexicon(artifact.arrays("lexicon"))
        logprobs = model.unigram_logprobs[: lexicon.n_words]
        name = f"{artifact.manifest.name} {artifact.manifest.version}"
        return ReportLexicon(name, lexicon, np.asarray(logprobs, dtype=np.float32))
    files = {file.stem: file for file in sorted(folder.glob("*.npy"))}
    try:
        lexicon = Lexicon(
            {stem: np.load(file, mmap_mode="r", allow_pickle=False) for stem, file in files.items()}
        )
    except ValueError as error:
        raise LexiconError(
            f"{folder.name!r} is no folder of lexicon arrays: {error}; name an artifact, or build "
            "one with yinzi-train build"
        ) from error
    counts_path = files.get("counts", folder.parent / "words" / "counts.npy")
    if not counts_path.is_file():
        return ReportLexicon(folder.name, lexicon)
    counts = np.load(counts_path, allow_pickle=False)
    if len(counts) != lexicon.n_words:
        raise LexiconError(
            f"{counts_path.name!r} counts {len(counts)} words, the lexicon has {lexicon.n_words}: "
            "they are of two builds, build the lexicon again"
        )
    weights = counts + 0.5
    return ReportLexicon(folder.name, lexicon, np.log(weights / weights.sum()).astype(np.float32))
