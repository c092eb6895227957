"""Divide the rows of a set into slices that are reported apart.

Names have the form `kind:value`. A row can be in many slices, and slices of one row are not
reported: their interval says nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from yinzi.evaluation.rows import Row

__all__ = ["POLYPHONES", "slice_rows"]

# Hanzi with two or more readings that differ without their tones (好 is typed `hao` always) and
# are each in everyday use. 的 了 和 会 没 给 are left out: their second readings are rare, and they
# would bring in more than a third of all rows.
POLYPHONES = frozenset("行长重乐得地着都还觉调差传弹角校降藏参便模薄朝盛率厦落省似剥泊劲畜吓")

_LENGTHS = ((1, 3), (4, 9), (10, None))  # hanzi, as in the tables of PinyinGPT (Tan et al. 2022)
_MIN_ROWS = 2


def slice_rows(
    rows: Sequence[Row], *, polyphones: Collection[str] = POLYPHONES
) -> dict[str, NDArray[np.intp]]:
    """Give the indices of the rows of every slice with at least two rows, names sorted.

    Kinds: `domain:` (see `Row.domain`), `length:` (1-3, 4-9, 10+ hanzi), `left_context:` (the row
    has one: yes or no), `polyphone:` (the row has a hanzi of `polyphones`: yes or no).

    Example:
        >>> rows = [Row("a.0", "银行", "yin hang"), Row("a.1", "你好", "ni hao")] * 2
        >>> slices = slice_rows(rows)
        >>> list(slices)
        ['domain:a', 'left_context:no', 'length:1-3', 'polyphone:no', 'polyphone:yes']
        >>> slices["polyphone:yes"].tolist()
        [0, 2]
    """
    members: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        has_polyphone = any(hanzi in polyphones for hanzi in row.hanzi)
        members[f"domain:{row.domain}"].append(index)
        members[f"length:{_length_name(len(row.hanzi))}"].append(index)
        members[f"left_context:{_yes_or_no(bool(row.left_context))}"].append(index)
        members[f"polyphone:{_yes_or_no(has_polyphone)}"].append(index)
    return {
        name: np.array(indices, dtype=np.intp)
        for name, indices in sorted(members.items())
        if len(indices) >= _MIN_ROWS
    }


def _length_name(n_hanzi: int) -> str:
    for low, high in _LENGTHS:
        if high is None or n_hanzi <= high:
            return f"{low}+" if high is None else f"{low}-{high}"
    raise AssertionError("the last length is open")


def _yes_or_no(claim: bool) -> str:
    return "yes" if claim else "no"
