"""Leave out rows with a hanzi that has no reading: nothing can be typed for them.

About one row in 10,000 has one; its syllable id is -1. `TypedRows`, and with it `augment_table` and
the collator, refuse such rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

__all__ = ["drop_unlabelled"]


def drop_unlabelled(table: pa.Table) -> tuple[pa.Table, int]:
    """Return the rows of which every hanzi has a reading, and how many others there were.

    >>> rows = pa.table({"hanzi": ["你好", "你㐂"], "syllables": [[214, 117], [214, -1]]})
    >>> kept, n_dropped = drop_unlabelled(rows)
    >>> kept.column("hanzi").to_pylist(), n_dropped
    (['你好'], 1)

    Args:
        table: labelled rows, with the column syllables; other columns are kept as they are.
    """
    column = pa.chunked_array(table.column("syllables")).combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # of no rows
        return table, 0
    is_missing = column.flatten().to_numpy(zero_copy_only=False) < 0
    if not is_missing.any():
        return table, 0
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    keep = np.ones(len(table), dtype=np.bool_)
    keep[np.repeat(np.arange(len(lengths)), lengths)[is_missing]] = False
    return table.filter(pa.array(keep)), int((~keep).sum())
