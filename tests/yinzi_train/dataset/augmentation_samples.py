from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from hypothesis import strategies as st

from yinzi.pinyin import SYLLABLES, syllable_id
from yinzi_train.dataset.augmentation import AugmentationOptions
from yinzi_train.dataset.augmentation_abbreviations import AbbreviationOptions
from yinzi_train.dataset.augmentation_accents import AccentOptions
from yinzi_train.dataset.augmentation_marks import BorderOptions, ToneOptions
from yinzi_train.dataset.augmentation_mixing import MixingOptions
from yinzi_train.dataset.augmentation_typing import TypingErrorOptions

FIRST_HANZI = 0x4E00

HEAVY = AugmentationOptions(
    accents=AccentOptions(rate=0.6, strength=2.0),
    abbreviations=AbbreviationOptions(
        initials_rate=0.2, mixed_rate=0.5, syllable_rate=0.5, tail_rate=0.5
    ),
    tones=ToneOptions(rate=0.4, syllable_rate=0.4),
    borders=BorderOptions(rate=0.5),
    typing_errors=TypingErrorOptions(rate=0.08),
    mixing=MixingOptions(word_rate=0.4, number_rate=0.4),
)
"""Options under which hardly a row stays as it was."""


def table_of(rows: Sequence[tuple[str, Sequence[int], Sequence[int], Sequence[int]]]) -> pa.Table:
    """Make labelled rows of (id, syllables, tones, run lengths); hanzi i has reading i."""
    return pa.table(
        {
            "id": pa.array([row[0] for row in rows], pa.string()),
            "hanzi": pa.array(
                ["".join(chr(FIRST_HANZI + index) for index in row[1]) for row in rows], pa.string()
            ),
            "syllables": pa.array([list(row[1]) for row in rows], pa.list_(pa.int16())),
            "tones": pa.array([list(row[2]) for row in rows], pa.list_(pa.int8())),
            "run_lengths": pa.array([list(row[3]) for row in rows], pa.list_(pa.int16())),
        }
    )


def row_of(row_id: str, *runs: str) -> tuple[str, list[int], list[int], list[int]]:
    """Make a row of runs such as `wo3 yao4`."""
    units = [unit for run in runs for unit in run.split()]
    syllables = [syllable_id(unit[:-1]) for unit in units]
    return row_id, syllables, [int(unit[-1]) for unit in units], [len(run.split()) for run in runs]


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Draw up to six rows, empty ones too."""
    rows = []
    for number in range(draw(st.integers(0, 6))):
        runs = draw(st.lists(st.integers(1, 6), max_size=3))
        n = sum(runs)
        ids = st.integers(0, len(SYLLABLES) - 1)
        syllables = draw(st.lists(ids, min_size=n, max_size=n))
        tones = draw(st.lists(st.integers(1, 5), min_size=n, max_size=n))
        rows.append((f"text:{number}", syllables, tones, runs))
    return table_of(rows)
