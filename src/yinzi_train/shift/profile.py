"""Hold how often words occur in the training text: what is kept of it where it is not at hand.

The unigrams of the language model will not do. They are continuation probabilities (Kneser-Ney):
how many words a word follows, not how often it occurs. 的 has a sixth of its share in the text, and
the training text itself is 0.12 bits from them, as far as some domains are from the training text.
So the 10,000 commonest words, 85 % of all words of the text, are kept with their counts in a file
of 50 KB; all others are one class here, shared out by the language model where single words matter.
"""

from __future__ import annotations

import importlib.resources
import json
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.converter import Converter
from yinzi.lexicon import Lexicon
from yinzi.pinyin import SYLLABLES
from yinzi_train.dataset.reader import Dataset
from yinzi_train.dataset.storage import atomic_path
from yinzi_train.shift.errors import ShiftError

__all__ = [
    "N_COMMON",
    "PROFILE_NAME",
    "TextProfile",
    "WordDistribution",
    "count_dataset",
    "load_profile",
    "save_profile",
]

N_COMMON: Final = 10_000
PROFILE_NAME: Final = "training_words.json.xz"
_FORMAT: Final = 1
_BATCH_HANZI: Final = 1 << 20


@dataclass(frozen=True)
class TextProfile:
    """Counts of the commonest words of a text.

    Attributes:
        words: the commonest first.
        counts: how often each occurs.
        n_words: occurrences of all words, also of those not in `words`.
        source: where they were counted, for people.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]
    n_words: int
    source: str

    @classmethod
    def from_counts(
        cls, lexicon: Lexicon, counts: NDArray[np.int64], *, source: str, n_common: int = N_COMMON
    ) -> TextProfile:
        """Keep the commonest words.

        Args:
            lexicon: of the words.
            counts: int64 [n_words], by word id.
            source: for people.
            n_common: words to keep.
        """
        order = np.argsort(-counts, kind="stable")[:n_common]
        order = order[counts[order] > 0]
        words = tuple(lexicon.texts(order)) if len(order) else ()
        return cls(words, tuple(counts[order].tolist()), int(counts.sum()), source)

    def on(self, converter: Converter) -> WordDistribution:
        """Lay the profile on the lexicon of an artifact.

        Raises:
            ShiftError: hardly any of its words are in that lexicon.
        """
        lexicon = converter.decoder.lexicon
        id_of = {word: at for at, word in enumerate(lexicon.texts(np.arange(lexicon.n_words)))}
        found = [
            (id_of[word], count)
            for word, count in zip(self.words, self.counts, strict=True)
            if word in id_of
        ]
        if len(found) < len(self.words) / 2 or not found:
            raise ShiftError(
                f"only {len(found):,} of the {len(self.words):,} words of the training text are in "
                f"the lexicon of artifact {converter.artifact.manifest.name!r}; use an artifact "
                "built on a lexicon like that of base, or count its training text with --data"
            )
        ids, counts = map(np.array, zip(*found, strict=True))
        language_model = converter.decoder.language_model
        shares = np.exp(language_model.unigram_logprobs[: lexicon.n_words].astype(np.float64))
        return WordDistribution(lexicon, ids, counts / self.n_words, shares)


@dataclass(frozen=True)
class WordDistribution:
    """The distribution of words and syllables in the training text.

    Attributes:
        lexicon: what ids refer to.
        common: int64 [n_common], ids of the commonest words.
        common_shares: float64 [n_common], their shares of all words.
        model_shares: float64 [n_words], of the language model, for the words that are not common.
    """

    lexicon: Lexicon
    common: NDArray[np.int64]
    common_shares: NDArray[np.float64]
    model_shares: NDArray[np.float64]

    @cached_property
    def classes(self) -> NDArray[np.float64]:
        """Shares of the common words and, last, of all others; float64 [n_common + 1]."""
        return np.append(self.common_shares, max(0.0, 1 - self.common_shares.sum()))

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Shares of all words: those that are not common share the rest as the model has it."""
        shares = self.model_shares.copy()
        shares[self.common] = 0
        shares *= self.classes[-1] / max(shares.sum(), 1e-30)
        shares[self.common] = self.common_shares
        return shares

    @cached_property
    def syllables(self) -> NDArray[np.float64]:
        """Shares of the syllables, words read by their main readings; float64 [n_syllables]."""
        counts = self.syllable_counts(self.shares)
        return counts / counts.sum()

    def class_counts(self, word_counts: NDArray[np.integer]) -> NDArray[np.integer]:
        """Turn counts of words into counts of the classes."""
        common = word_counts[self.common]
        return np.append(common, word_counts.sum() - common.sum())

    def syllable_counts(self, word_counts: NDArray[Any]) -> NDArray[np.float64]:
        """Turn counts or shares of words into those of syllables, float64 [n_syllables]."""
        syllables, owners = self._spelled
        weights = np.asarray(word_counts, np.float64)[owners]
        return np.bincount(syllables, weights=weights, minlength=len(SYLLABLES)).astype(np.float64)

    @cached_property
    def _spelled(self) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """Syllable and word of each hanzi of the lexicon."""
        syllables, _ = self.lexicon.main_readings()
        lengths = self.lexicon.lengths(np.arange(self.lexicon.n_words))
        return syllables, np.repeat(np.arange(self.lexicon.n_words), lengths)


def count_dataset(
    dataset: Dataset,
    converter: Converter,
    *,
    n_hanzi: int = 20_000_000,
    on_progress: Callable[[int, int], None] = lambda n_done, n_total: None,
) -> tuple[TextProfile, dict[str, NDArray[np.int64]]]:
    """Count the words of the train split of a dataset.

    Args:
        dataset: what a model is trained on.
        converter: its lexicon cuts the words.
        n_hanzi: rows are taken at even distances so that about as many hanzi are counted.
        on_progress: told the rows done and those of the dataset.

    Returns:
        The profile, and counts by word id of each domain, int64 [n_words].

    Raises:
        DatasetError: a shard cannot be read.
        ShiftError: the dataset has no training text.
    """
    lexicon, segmenter = converter.decoder.lexicon, converter.decoder.segmenter
    every = max(1, dataset.manifest.total.hanzi // n_hanzi)
    by_domain: dict[str, NDArray[np.int64]] = {}
    waiting: dict[str, tuple[list[str], list[NDArray[np.int64]]]] = {}
    n_waiting = n_rows = 0

    def count_waiting() -> None:
        for domain, (texts, run_lengths) in waiting.items():
            codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
            lengths = np.concatenate(run_lengths)
            words, _ = segmenter.segment(codes, np.cumsum(lengths) - lengths, lengths)
            counts = np.bincount(words, minlength=lexicon.n_words + 1)[: lexicon.n_words]
            by_domain[domain] = by_domain.get(domain, 0) + counts.astype(np.int64)
        waiting.clear()

    columns = ["hanzi", "run_lengths", "domain"]
    for table in dataset.iter_tables(split="train", columns=columns):
        taken = table.take(np.arange(-n_rows % every, len(table), every))
        n_rows += len(table)
        for row in taken.to_pylist():
            texts, run_lengths = waiting.setdefault(row["domain"], ([], []))
            texts.append(row["hanzi"])
            run_lengths.append(np.array(row["run_lengths"], np.int64))
            n_waiting += len(row["hanzi"])
        if n_waiting >= _BATCH_HANZI:
            count_waiting()
            n_waiting = 0
        on_progress(n_rows, dataset.manifest.total.rows)
    count_waiting()
    if not by_domain:
        raise ShiftError(f"dataset {dataset.path.name!r} has no training text; build it again")
    counts = np.sum(list(by_domain.values()), axis=0)
    source = f"train split, {dataset.manifest.total.hanzi:,} hanzi in all, one row in {every}"
    return TextProfile.from_counts(lexicon, counts, source=source), by_domain


def save_profile(profile: TextProfile, path: Path) -> None:
    """Write a profile; the same profile gives the same bytes."""
    content = {
        "format": _FORMAT,
        "source": profile.source,
        "n_words": profile.n_words,
        "words": " ".join(profile.words),
        "counts": profile.counts,
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    with atomic_path(path) as part:
        part.write_bytes(lzma.compress(text.encode(), preset=9))


def load_profile(path: Path | None = None) -> TextProfile:
    """Read a profile; that of the training text of base if no path is given.

    Raises:
        ShiftError: the file is missing or damaged, or of another version.
    """
    file = importlib.resources.files("yinzi_train.shift") / PROFILE_NAME if path is None else path
    try:
        content = json.loads(lzma.decompress(file.read_bytes()))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r}, expected {_FORMAT}")
        words, counts = tuple(content["words"].split()), tuple(content["counts"])
        if len(words) != len(counts):
            raise ValueError(f"{len(words)} words and {len(counts)} counts")
        return TextProfile(words, counts, content["n_words"], content["source"])
    except (OSError, EOFError, lzma.LZMAError, ValueError, KeyError, TypeError) as error:
        raise ShiftError(
            f"cannot read the words of the training text from {file.name!r} "
            f"({type(error).__name__}: {error}); install yinzi again, or count them anew with "
            "python -m benchmarks.shift --data DATASET"
        ) from error
