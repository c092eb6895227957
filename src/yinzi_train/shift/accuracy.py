"""Measure the accuracy of an artifact on a text: what expectations are fitted on and held against.

Every run of hanzi is typed as full pinyin with borders, with the text before it as left context,
which is how running text is typed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from yinzi.artifact import Artifact
from yinzi.converter import Converter
from yinzi.evaluation import Row
from yinzi.evaluation.outcomes import Outcomes, score
from yinzi.pinyin import SYLLABLES
from yinzi_train.labelling import Labeller
from yinzi_train.shift.errors import ShiftError
from yinzi_train.shift.sample import Sample

__all__ = ["LabelledRows", "label_sample", "measure_accuracy"]

_BATCH_ROWS = 128


@dataclass(frozen=True)
class LabelledRows:
    """The runs of a text with their pinyin.

    Attributes:
        rows: runs that can be typed.
        n_unread: runs left out, as a hanzi in them has no known reading.
        doubtful_share: share of hanzi whose reading is doubtful.
    """

    rows: tuple[Row, ...]
    n_unread: int = 0
    doubtful_share: float = 0.0


def label_sample(
    sample: Sample, artifact: Artifact, *, max_rows: int | None = None
) -> LabelledRows:
    """Give the runs of a text their pinyin; sets keep theirs.

    Args:
        sample: the text.
        artifact: its lexicon reads the words.
        max_rows: runs to keep, at even distances; None keeps all.

    Raises:
        ShiftError: no run can be read.
        MissingExtra: g2pM is not installed.
    """
    n_unread, doubtful = 0, 0.0
    if sample.pinyin:
        pinyin = list(sample.pinyin)
    else:
        labels = Labeller.from_artifact(artifact).label(sample.texts)
        bounds = np.concatenate(([0], np.cumsum(labels.run_lengths))).tolist()
        pinyin = []
        for low, high in pairwise(bounds):
            ids = labels.syllables[low:high].tolist()
            pinyin.append("" if min(ids) < 0 else " ".join(SYLLABLES[one] for one in ids))
        n_unread = pinyin.count("")
        doubtful = float(labels.doubtful.mean())
    rows = [
        Row(f"text.{at}", hanzi, spelled, context)
        for at, (hanzi, spelled, context) in enumerate(
            zip(sample.runs, pinyin, sample.left_contexts, strict=True)
        )
        if spelled
    ]
    if not rows:
        raise ShiftError("no run of hanzi in the text has a known reading: nothing can be measured")
    if max_rows is not None and len(rows) > max_rows:
        rows = [rows[index * len(rows) // max_rows] for index in range(max_rows)]
    return LabelledRows(tuple(rows), n_unread, doubtful)


def measure_accuracy(
    converter: Converter,
    rows: tuple[Row, ...] | list[Row],
    *,
    on_rows: Callable[[int, int], None] = lambda n_done, n_total: None,
) -> Outcomes:
    """Convert rows with their left contexts and compare.

    Args:
        converter: what is measured.
        rows: with pinyin.
        on_rows: told rows done and rows in all.
    """
    found: list[list[str]] = []
    for first in range(0, len(rows), _BATCH_ROWS):
        batch = rows[first : first + _BATCH_ROWS]
        candidates = converter.convert_batch(
            [row.pinyin for row in batch], left_contexts=[row.left_context for row in batch]
        )
        found += [[candidate.text for candidate in one] for one in candidates]
        on_rows(len(found), len(rows))
    return score(rows, found)
