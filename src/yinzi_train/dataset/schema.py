"""Name the columns of a dataset and of the two stages before it.

Text columns with few values (source, domain, licence, split) are plain strings with dictionary
encoding on disk: Arrow's own dictionary type would cost nothing less and `datasets` refuses it.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

__all__ = [
    "CLEAN_SCHEMA",
    "GROUP_COLUMNS",
    "LABELLED_SCHEMA",
    "ROW_SCHEMA",
    "SCHEMA_VERSION",
    "SPLITS",
]

SCHEMA_VERSION: Final = 1
"""Goes up when a column changes its name, type or meaning."""

SPLITS: Final = ("train", "validation", "test")

GROUP_COLUMNS: Final = ("source", "domain", "licence", "split", "fold")
"""Columns that the manifest and the report count rows by."""

CLEAN_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("source", pa.string()),
        ("domain", pa.string()),
        ("licence", pa.string()),
        ("position", pa.int64()),
    ]
)
"""What the corpus stage writes: one clean sentence a row."""

_LABELS: Final = [
    ("hanzi", pa.string()),  # all hanzi of the text in order, nothing between them
    ("run_lengths", pa.list_(pa.int16())),  # hanzi in each longest run (MIU) of the text
    ("syllables", pa.list_(pa.int16())),  # id in yinzi.pinyin.SYLLABLES, one a hanzi
    ("tones", pa.list_(pa.int8())),  # 1 to 5, one a hanzi
    ("doubtful", pa.list_(pa.int16())),  # indices of hanzi whose reading is uncertain
]

LABELLED_SCHEMA: Final = pa.schema(
    [field for field in CLEAN_SCHEMA if field.name != "position"] + _LABELS
)
"""What the labelling stage writes."""

ROW_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("source", pa.string()),
        ("domain", pa.string()),
        ("licence", pa.string()),
        ("split", pa.string()),
        ("fold", pa.int8()),
        *_LABELS,
    ]
)
"""What a dataset holds: one sentence a row."""
