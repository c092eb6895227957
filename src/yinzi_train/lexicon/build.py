"""Build the lexicon: choose words from open lists, count them in text, give them readings."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi_train.lexicon.frequencies import estimate_frequencies
from yinzi_train.lexicon.readings import Reading, ReadingTable
from yinzi_train.lexicon.sources import HANZI_SOURCES, WORD_SOURCES, read_source
from yinzi_train.lexicon.tables import LexiconTables, build_tables

__all__ = ["LexiconOptions", "LexiconReport", "build_lexicon", "collect_words"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LexiconOptions:
    """How the lexicon is built.

    Attributes:
        n_rounds: segmentations of the text for word counts; 1 to 5.
        min_unlisted_count: occurrences that a hanzi outside the table of general use needs.
        max_words: words kept, the frequent ones first; at most 2,000,000.
    """

    n_rounds: int = 1
    min_unlisted_count: int = 3
    max_words: int = 700_000

    def __post_init__(self) -> None:
        if not 1 <= self.n_rounds <= 5:
            raise ConfigError(f"lexicon.n_rounds is {self.n_rounds}: expected 1 to 5")
        if not 1 <= self.max_words <= 2_000_000:
            raise ConfigError(f"lexicon.max_words is {self.max_words}: expected 1 to 2000000")


@dataclass(frozen=True)
class LexiconReport:
    """What a build did.

    Attributes:
        n_words: words kept.
        n_seen: of these, words that the text shows.
        n_polyphones: words with more than one reading.
        n_without_reading: words left out because no reading is known.
        n_skipped_readings: published readings that are not one syllable a hanzi.
        words_by_source: words each source lists, before any choice.
    """

    n_words: int
    n_seen: int
    n_polyphones: int
    n_without_reading: int
    n_skipped_readings: int
    words_by_source: dict[str, int]


def collect_words(folder: Path) -> tuple[dict[str, float], set[str], dict[str, int]]:
    """Collect the words of all open lists.

    Returns:
        words with the frequency that the jieba list gives them (0.0 elsewhere), the hanzi of
        general use (Table of General Standard Chinese Characters), and words by source.
    """
    words: dict[str, float] = defaultdict(float)
    by_source: dict[str, int] = {}
    for name, reader in WORD_SOURCES.items():
        n_words = 0
        for entry in read_source(folder, name, reader):
            n_words += 1
            # Lists count on different scales; one of them gives the start of the estimate.
            words[entry.word] += entry.frequency if name.startswith("jieba") else 0.0
        by_source[name] = n_words
    general = {
        entry.word
        for entry in read_source(
            folder,
            "pinyin-data_kMandarin_8105.txt.xz",
            HANZI_SOURCES["pinyin-data_kMandarin_8105.txt.xz"],
        )
    }
    for hanzi in general:
        words[hanzi] += 0.0
    return dict(words), general, by_source


def build_lexicon(
    sources_folder: Path,
    corpus_paths: Sequence[Path],
    *,
    options: LexiconOptions,
    n_workers: int,
    on_file: Callable[[Path], None] | None = None,
) -> tuple[LexiconTables, NDArray[np.float64], LexiconReport]:
    """Build a lexicon from published lists and text.

    Args:
        sources_folder: folder with the files that `yinzi_train.lexicon.sources` names.
        corpus_paths: text files that show how often words are used.
        options: what to keep.
        n_workers: processes that segment.
        on_file: called with each text file that is done.

    Returns:
        the tables; float64 [n_words], raw counts of words by their id; and a report.
    """
    listed, general, by_source = collect_words(sources_folder)
    candidates = sorted(listed)
    published = np.array([listed[word] for word in candidates])
    counts = estimate_frequencies(
        candidates,
        published,
        corpus_paths,
        n_rounds=options.n_rounds,
        n_workers=n_workers,
        on_file=on_file,
    )
    kept = [
        i
        for i, word in enumerate(candidates)
        if len(word) > 1 or word in general or counts[i] >= options.min_unlisted_count
    ]
    kept.sort(key=lambda i: (-counts[i], len(candidates[i]), candidates[i]))
    table = ReadingTable(sources_folder)
    readings: dict[str, list[Reading]] = {}
    n_without_reading = 0
    for i in kept:
        options_of_word = table.readings(candidates[i])
        if options_of_word:
            readings[candidates[i]] = options_of_word
        else:
            n_without_reading += 1
        if len(readings) == options.max_words:
            break
    frequencies = {candidates[i]: float(counts[i]) for i in kept}
    tables = build_tables(readings, frequencies)
    word_counts = np.array([frequencies[word] for word in tables.words])
    report = LexiconReport(
        n_words=len(tables.words),
        n_seen=int((word_counts > 0).sum()),
        n_polyphones=len(tables.arrays["polyphone_word"]),
        n_without_reading=n_without_reading,
        n_skipped_readings=table.n_skipped,
        words_by_source=by_source,
    )
    return tables, word_counts, report
