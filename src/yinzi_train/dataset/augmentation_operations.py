"""List what augmentation has done to each row, so that it can be checked, counted and undone.

The list is read off the rows themselves by comparing what is typed with the labels; what a test
replays is therefore what is there, not what an operation claims to have done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from yinzi.pinyin import SYLLABLES
from yinzi_train.dataset.augmentation_rows import InputKind, TypedRows
from yinzi_train.dataset.augmentation_typing import ERROR_KINDS

__all__ = ["OPERATION_KINDS", "OPERATION_TYPE", "Operation", "Operations", "list_operations"]

OPERATION_KINDS: Final = (
    *("profile", "unsegmented", "toneless"),  # of whole rows
    *("accent", "initial", "incomplete", "tone"),
    *ERROR_KINDS,
    *("word", "number"),
)
"""All kinds of operations, in the order in which they act on a place."""

OPERATION_TYPE: Final = pa.struct(
    [
        pa.field("kind", pa.string()),
        pa.field("position", pa.int16()),
        pa.field("before", pa.string()),
        pa.field("after", pa.string()),
    ]
)

_CODES: Final = {kind: code for code, kind in enumerate(OPERATION_KINDS)}
_SYLLABLES: Final = np.array(SYLLABLES, dtype=object)


class Operation(NamedTuple):
    """One thing done to a row.

    Attributes:
        kind: of `OPERATION_KINDS`.
        position: index of the hanzi; -1 for the whole row. Words and numbers stand before this
            hanzi, or, if it is the number of hanzi, at the end of the row.
        before: the letters (`tone`: the digit) that were there.
        after: what is there instead; for `profile` its name.
    """

    kind: str
    position: int
    before: str
    after: str


@dataclass(frozen=True)
class Operations:
    """The operations of many rows, sorted by row, position and order of acting.

    Attributes:
        row: int64 [n], row number.
        position: int64 [n], see `Operation`.
        kind: int64 [n], index into `OPERATION_KINDS`.
        before: object [n], str.
        after: object [n], str.
        n_rows: rows there are, with or without operations.
    """

    row: NDArray[np.int64]
    position: NDArray[np.int64]
    kind: NDArray[np.int64]
    before: NDArray[np.object_]
    after: NDArray[np.object_]
    n_rows: int

    def by_row(self) -> list[list[Operation]]:
        """Return the operations of each row."""
        lists: list[list[Operation]] = [[] for _ in range(self.n_rows)]
        columns = (self.row, self.position, self.kind, self.before, self.after)
        for row, position, kind, before, after in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            lists[row].append(Operation(OPERATION_KINDS[kind], position, before, after))
        return lists

    def to_arrow(self) -> pa.Array:
        """Return a column of lists of `OPERATION_TYPE`."""
        counts = np.bincount(self.row, minlength=self.n_rows)
        offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
        kinds = pa.array(OPERATION_KINDS).take(pa.array(self.kind))
        values = pa.StructArray.from_arrays(
            [
                kinds,
                pa.array(self.position.astype(np.int16)),
                pa.array(self.before, pa.string()),
                pa.array(self.after, pa.string()),
            ],
            fields=list(OPERATION_TYPE),
        )
        return pa.ListArray.from_arrays(offsets, values)


class _Columns:
    """Operations as they are found, in no order."""

    def __init__(self) -> None:
        self.rows: list[NDArray[np.int64]] = []
        self.positions: list[NDArray[np.int64]] = []
        self.kinds: list[NDArray[np.int64]] = []
        self.befores: list[str] = []
        self.afters: list[str] = []

    def add(
        self,
        kinds: str | list[str],
        rows: NDArray[np.int64] | list[int],
        positions: NDArray[np.int64] | list[int] | int,
        *,
        before: list[str] | str = "",
        after: list[str] | str = "",
    ) -> None:
        """Add operations; what is the same for all of them may be given once."""
        n = len(rows)
        codes = [_CODES[kind] for kind in kinds] if isinstance(kinds, list) else _CODES[kinds]
        self.rows.append(np.asarray(rows, dtype=np.int64))
        self.positions.append(np.broadcast_to(np.asarray(positions, dtype=np.int64), n))
        self.kinds.append(np.broadcast_to(np.asarray(codes, dtype=np.int64), n))
        self.befores.extend(before if isinstance(before, list) else [before] * n)
        self.afters.extend(after if isinstance(after, list) else [after] * n)

    def sorted(self, n_rows: int) -> Operations:
        """Return them in order."""
        row, position, kind = (
            np.concatenate(parts) for parts in (self.rows, self.positions, self.kinds)
        )
        order = np.lexsort((kind, position, row))
        before = np.array([*self.befores, None], dtype=object)[:-1]
        after = np.array([*self.afters, None], dtype=object)[:-1]
        return Operations(
            row[order], position[order], kind[order], before[order], after[order], n_rows
        )


def list_operations(rows: TypedRows) -> Operations:
    """Compare what is typed with the labels, and list every difference."""
    found = _Columns()
    places = np.flatnonzero(rows.typed_syllables != rows.syllables)
    found.add(
        "accent",
        rows.row_of[places],
        rows.positions[places],
        before=_SYLLABLES[rows.syllables[places]].tolist(),
        after=_SYLLABLES[rows.typed_syllables[places]].tolist(),
    )
    for name, kind in (("initial", InputKind.INITIAL), ("incomplete", InputKind.INCOMPLETE)):
        places = np.flatnonzero(rows.kinds == kind)
        before = _SYLLABLES[rows.typed_syllables[places]].tolist()
        lengths = rows.n_letters[places].tolist()
        after = [text[:length] for text, length in zip(before, lengths, strict=True)]
        found.add(name, rows.row_of[places], rows.positions[places], before=before, after=after)

    had_tone = (rows.kinds == InputKind.FULL) & (rows.tones > 0)
    is_dropped = had_tone & (rows.typed_tones == 0)
    n_toned = np.bincount(rows.row_of[had_tone], minlength=rows.n_rows)
    n_dropped = np.bincount(rows.row_of[is_dropped], minlength=rows.n_rows)
    is_toneless = (n_dropped == n_toned) & (n_toned > 0)
    found.add("toneless", np.flatnonzero(is_toneless), -1)
    places = np.flatnonzero(is_dropped & ~is_toneless[rows.row_of])
    tones = [str(tone) for tone in rows.tones[places].tolist()]
    found.add("tone", rows.row_of[places], rows.positions[places], before=tones)

    found.add("unsegmented", np.unique(rows.row_of[rows.is_joined]), -1)
    found.add("profile", list(rows.profiles), -1, after=list(rows.profiles.values()))

    wrong = list(rows.wrong_letters.values())
    places = np.array(list(rows.wrong_letters), dtype=np.int64)
    found.add(
        [one.kind for one in wrong],
        rows.row_of[places],
        rows.positions[places],
        before=[one.before for one in wrong],
        after=[one.after for one in wrong],
    )
    literals = list(rows.literals.values())
    places = np.array(list(rows.literals), dtype=np.int64)
    kinds = [_literal_kind(literal) for literal in literals]
    found.add(kinds, rows.row_of[places], rows.positions[places], after=literals)
    literals = list(rows.last_literals.values())
    at = np.array(list(rows.last_literals), dtype=np.int64)
    kinds = [_literal_kind(literal) for literal in literals]
    found.add(kinds, at, np.diff(rows.row_start)[at], after=literals)
    return found.sorted(rows.n_rows)


def _literal_kind(literal: str) -> str:
    return "number" if literal.isdigit() else "word"
