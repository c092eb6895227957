"""Cut texts into runs of hanzi with their readings and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.lexicon import Segmenter
from yinzi_train.labelling import Labeller

__all__ = ["LabelledRun", "labelled_runs"]

MAX_RUN_HANZI: Final = 64
"""The segmenter cuts longer runs, of which a text has hardly any."""


@dataclass(frozen=True)
class LabelledRun:
    """A maximal run of hanzi.

    Attributes:
        text: its hanzi.
        syllables: syllable ids, one a hanzi; -1 where no reading is known.
        tones: 1 to 5, one a hanzi; 0 where no reading is known.
        borders: positions between the words of the lexicon, from 0 to the length.
    """

    text: str
    syllables: tuple[int, ...]
    tones: tuple[int, ...]
    borders: tuple[int, ...]


def labelled_runs(
    texts: Sequence[str], labeller: Labeller, segmenter: Segmenter, word_lengths: NDArray[np.int64]
) -> list[LabelledRun]:
    """Return the runs of texts, shorter ones first; runs of more than 64 hanzi are left out.

    Args:
        texts: sentences.
        labeller: gives readings.
        segmenter: cuts runs into words of the lexicon.
        word_lengths: int64 [n_words], hanzi of each word.
    """
    labels = labeller.label(texts)
    hanzi = labels.hanzi.astype("<u4").tobytes().decode("utf-32-le")
    syllables, tones = labels.syllables.tolist(), labels.tones.tolist()
    lengths = labels.run_lengths.astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    kept = np.flatnonzero(lengths <= MAX_RUN_HANZI)
    kept = kept[np.argsort(lengths[kept], kind="stable")]  # the order in which words come back
    ids, n_tokens = segmenter.segment(labels.hanzi, starts[kept], lengths[kept])
    ends = np.cumsum(np.append(word_lengths, 1)[ids])  # an unknown hanzi is one place
    ends = np.concatenate(([0], ends)).tolist()
    runs = []
    first = 0
    for start, length, n_words in zip(
        starts[kept].tolist(), lengths[kept].tolist(), n_tokens.tolist(), strict=True
    ):
        borders = tuple(end - ends[first] for end in ends[first : first + n_words + 1])
        first += n_words
        here = slice(start, start + length)
        runs.append(LabelledRun(hanzi[here], tuple(syllables[here]), tuple(tones[here]), borders))
    return runs
