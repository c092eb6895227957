"""Read a user's texts as clean sentences and set some apart for tuning and for measuring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from yinzi.errors import ConfigError
from yinzi.evaluation import Row
from yinzi.pinyin import SYLLABLES
from yinzi.text import is_hanzi
from yinzi_train.corpus.cleaning import clean_lines
from yinzi_train.corpus.dropped import DroppedRows
from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.corpus.planning import plan_units
from yinzi_train.corpus.readers import read_part
from yinzi_train.corpus.sources import find_sources
from yinzi_train.corpus.streams import ReadLog
from yinzi_train.labelling import Labeller

__all__ = ["MIN_SENTENCES", "SPLIT_ORDERS", "DomainTexts", "labelled_rows", "read_texts"]

MIN_SENTENCES: Final = 100
"""Fewer sentences tell nothing of a domain, and nothing is left to measure with."""
ADVISED_SENTENCES: Final = 2_000
MIN_RUN_HANZI: Final = 3
SPLIT_ORDERS: Final = ("random", "order")


@dataclass(frozen=True)
class DomainTexts:
    """Sentences of a domain in three parts that share none.

    Attributes:
        train: what words and n-grams are counted in.
        tune: what weights are fitted on.
        held_out: what the result is measured on, and nothing else is done with.
    """

    train: tuple[str, ...]
    tune: tuple[str, ...]
    held_out: tuple[str, ...]

    @classmethod
    def split(
        cls,
        sentences: Sequence[str],
        *,
        tune_share: float = 0.1,
        held_out_share: float = 0.1,
        order: str = "random",
        seed: int = 0,
    ) -> DomainTexts:
        """Cut sentences into the three parts; equal sentences count once.

        >>> parts = DomainTexts.split([str(number) for number in range(10)], order="order")
        >>> len(parts.train), parts.tune, parts.held_out
        (8, ('8',), ('9',))

        Args:
            sentences: clean sentences in the order of the text.
            tune_share: share of the part for tuning, above 0.
            held_out_share: share of the part for measuring, above 0.
            order: "random", or "order" to set the end of the text apart: stricter, as nothing of
                the same page is on both sides.
            seed: of the random order.

        Raises:
            ConfigError: an option is out of range.
        """
        if order not in SPLIT_ORDERS:
            raise ConfigError(f"split order {order!r}: expected one of {list(SPLIT_ORDERS)}")
        if not (tune_share > 0 and held_out_share > 0 and tune_share + held_out_share <= 0.8):
            raise ConfigError(
                f"shares of {tune_share} for tuning and {held_out_share} held out: expected both "
                "above 0 and at most 0.8 together"
            )
        distinct = list(dict.fromkeys(sentences))
        if order == "random":
            shuffled = np.random.default_rng(seed).permutation(len(distinct)).tolist()
            distinct = [distinct[index] for index in shuffled]
        n_tune, n_held_out = (
            max(1, round(share * len(distinct))) for share in (tune_share, held_out_share)
        )
        n_train = len(distinct) - n_tune - n_held_out
        return cls(
            tuple(distinct[:n_train]),
            tuple(distinct[n_train : n_train + n_tune]),
            tuple(distinct[n_train + n_tune :]),
        )


def read_texts(paths: Sequence[Path], options: CorpusOptions | None = None) -> list[str]:
    """Read files and folders of text as clean sentences, in the order of the text.

    Args:
        paths: files or folders, in any format and encoding that `yinzi-train corpus` reads.
        options: of reading and cleaning. Duplicates are kept: what a user writes often counts.

    Raises:
        ConfigError: there are too few sentences with hanzi; tells how many are needed.
        CorpusError: a file cannot be read.
    """
    options = options or CorpusOptions()
    sentences: list[str] = []
    dropped = DroppedRows(sample_rows=0)
    plan = plan_units(find_sources(paths, options), options)
    for part in (part for unit in plan.units for part in unit.parts):
        log = ReadLog(skip=options.skip_unreadable)
        lines = (text for _, _, text in read_part(part, options, log))
        sentences += clean_lines(lines, options, dropped)
    n_distinct = len(set(sentences))
    if n_distinct < MIN_SENTENCES:
        names = ", ".join(repr(str(path)) for path in paths[:3])
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.counts.most_common(3))
        raise ConfigError(
            f"{names}: {n_distinct} different sentences with hanzi"
            f"{f' (left out: {reasons})' if reasons else ''}, expected at least {MIN_SENTENCES}; "
            f"give more text of the domain, {ADVISED_SENTENCES:,} sentences are a good start; "
            "a few words are better added with `yinzi user add`"
        )
    return sentences


def labelled_rows(
    texts: Sequence[str], labeller: Labeller, *, name: str, left_contexts: bool = True
) -> list[Row]:
    """Return the runs of hanzi of texts as rows to be typed, with their readings.

    As in the development sets, runs of one or two hanzi are left out: without context they are a
    lottery with any model. So are runs with a hanzi of unknown reading.

    Args:
        texts: sentences.
        labeller: gives readings.
        name: of the set, for the ids.
        left_contexts: keep the text before each run.
    """
    labels = labeller.label(texts)
    rows = []
    syllables = labels.syllables.tolist()
    for index, text in enumerate(texts):
        first, last = labels.run_offsets[index : index + 2].tolist()
        at = int(labels.offsets[index])
        position = 0
        for number, length in enumerate(labels.run_lengths[first:last].tolist()):
            while not is_hanzi(text[position]):
                position += 1
            spelled = syllables[at : at + length]
            if length >= MIN_RUN_HANZI and min(spelled) >= 0:
                rows.append(
                    Row(
                        f"{name}.{index}.{number}",
                        text[position : position + length],
                        " ".join(SYLLABLES[syllable] for syllable in spelled),
                        text[:position] if left_contexts else "",
                    )
                )
            at += length
            position += length
    return rows
