"""Count everything the dataset report tells, in one pass over the rows.

All work is on whole batches of Arrow columns: nothing is looked at row by row. What is kept grows
with the number of distinct hanzi and readings, and by 8 bytes a row for finding repeated sentences.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from yinzi.pinyin import SYLLABLES
from yinzi.text import hanzi_mask
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.schema import GROUP_COLUMNS, SPLITS

__all__ = [
    "COLUMNS",
    "DatasetCounts",
    "GroupCount",
    "ReadingCounts",
    "RepeatCounts",
    "SentenceBatch",
]

COLUMNS: Final = (
    *GROUP_COLUMNS,
    *("text", "hanzi", "run_lengths", "syllables", "tones", "doubtful"),
)
MIN_REPEAT_HANZI: Final = 6
"""Shorter sentences (是的, 我不知道) are common property and no leak from one split to another."""

_SYLLABLE_SLOTS: Final = 512
_TONE_SLOTS: Final = 8
_UNREAD: Final = _SYLLABLE_SLOTS - 1
_N_CODES: Final = 0x40000
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_SPLIT_BITS: Final = 2

_Ints = NDArray[np.int64]


@dataclass(frozen=True)
class SentenceBatch:
    """Some rows of a dataset as flat arrays.

    Attributes:
        n_rows: number of rows.
        groups: for each column of `GROUP_COLUMNS`, its values and int64 [n_rows] indices into them.
        n_characters: of all texts.
        codes: uint32 [n_hanzi], code points of the hanzi of all rows, one row after another.
        row_hanzi: int64 [n_rows], hanzi of each row.
        syllables: int64 [n_hanzi], syllable ids; -1 where a hanzi has no reading.
        tones: int64 [n_hanzi], 1 to 5, 0 where not given.
        run_lengths: int64 [n_runs], hanzi of each run.
        row_runs: int64 [n_rows], runs of each row.
        doubtful: int64 [n_doubtful], positions in `codes` of hanzi whose reading is doubtful.
        row_doubtful: int64 [n_rows], how many of them each row has.
    """

    n_rows: int
    groups: dict[str, tuple[list[Any], _Ints]]
    n_characters: int
    codes: NDArray[np.uint32]
    row_hanzi: _Ints
    syllables: _Ints
    tones: _Ints
    run_lengths: _Ints
    row_runs: _Ints
    doubtful: _Ints
    row_doubtful: _Ints

    @classmethod
    def from_arrow(cls, batch: pa.RecordBatch, *, label: str) -> SentenceBatch:
        """Read the columns of a batch and check that they agree with one another.

        Args:
            batch: has the columns of `COLUMNS`.
            label: names the shard in errors.

        Raises:
            DatasetError: a column is missing, or the columns do not describe the same hanzi.
        """
        missing = [name for name in COLUMNS if name not in batch.schema.names]
        if missing:
            raise DatasetError(
                f"{label} has no column {missing[0]!r}, only {batch.schema.names}: not a dataset "
                "that yinzi-train made, or one of another version; build it again"
            )
        codes, row_hanzi = _flat_codes(batch.column("hanzi"))
        syllables, row_syllables = _flat_list(batch.column("syllables"))
        tones, row_tones = _flat_list(batch.column("tones"))
        run_lengths, row_runs = _flat_list(batch.column("run_lengths"))
        doubtful, row_doubtful = _flat_list(batch.column("doubtful"))
        run_ends = np.concatenate(([0], np.cumsum(run_lengths)))
        row_ends = np.cumsum(row_hanzi)
        doubtful_rows = np.repeat(np.arange(batch.num_rows), row_doubtful)
        for name, is_wrong in (
            ("syllables", row_syllables != row_hanzi),
            ("tones", row_tones != row_hanzi),
            ("run_lengths", run_ends[np.cumsum(row_runs)] != row_ends),
        ):
            if is_wrong.any():
                row = int(np.flatnonzero(is_wrong)[0])
                raise DatasetError(
                    f"{label}: {name!r} of row {_row_id(batch, row)} does not fit its "
                    f"{row_hanzi[row]} hanzi; the shard is damaged, build it again"
                )
        is_outside = (doubtful < 0) | (doubtful >= row_hanzi[doubtful_rows])
        if is_outside.any():
            row = int(doubtful_rows[is_outside][0])
            raise DatasetError(
                f"{label}: 'doubtful' of row {_row_id(batch, row)} points outside its "
                f"{row_hanzi[row]} hanzi; the shard is damaged, build it again"
            )
        if len(syllables) and not -1 <= syllables.min() <= syllables.max() < len(SYLLABLES):
            raise DatasetError(
                f"{label}: syllable ids {syllables.min()} to {syllables.max()}, expected at most "
                f"{len(SYLLABLES) - 1}: labelled with another inventory, label it again"
            )
        if not hanzi_mask(codes).all():
            raise DatasetError(f"{label}: column 'hanzi' holds other characters; build it again")
        return cls(
            n_rows=batch.num_rows,
            groups={name: _indices(batch.column(name)) for name in GROUP_COLUMNS},
            n_characters=int(pc.sum(pc.utf8_length(_plain(batch.column("text")))).as_py() or 0),
            codes=codes,
            row_hanzi=row_hanzi,
            syllables=syllables,
            tones=tones,
            run_lengths=run_lengths,
            row_runs=row_runs,
            doubtful=doubtful + (row_ends - row_hanzi)[doubtful_rows],
            row_doubtful=row_doubtful,
        )

    @property
    def row_starts(self) -> _Ints:
        """Position in `codes` of the first hanzi of each row."""
        return np.cumsum(self.row_hanzi) - self.row_hanzi


@dataclass
class GroupCount:
    """Sizes of a group of rows."""

    rows: int = 0
    hanzi: int = 0
    doubtful: int = 0

    def add(self, other: GroupCount) -> None:
        """Add the sizes of another group."""
        self.rows += other.rows
        self.hanzi += other.hanzi
        self.doubtful += other.doubtful


class ReadingCounts:
    """Occurrences of each (hanzi, syllable, tone), and how many of them are doubtful.

    Each (hanzi, syllable) pair gets a number when it is first seen: one look-up and one `bincount`
    over few bins a batch, instead of sorting keys.
    """

    def __init__(self) -> None:
        self._hanzi_ids = np.full(_N_CODES, -1, dtype=np.int32)
        self._hanzi: list[int] = []
        self._pair_ids = np.full(4096 * _SYLLABLE_SLOTS, -1, dtype=np.int32)
        self._pair_keys = np.zeros(0, dtype=np.int64)
        self._counts = np.zeros(0, dtype=np.int64)
        self._doubtful = np.zeros(0, dtype=np.int64)

    def add(self, batch: SentenceBatch) -> None:
        """Count the hanzi of a batch."""
        hanzi = self._hanzi_ids[batch.codes]
        if len(hanzi) and hanzi.min() < 0:
            new = np.unique(batch.codes[hanzi < 0])
            self._hanzi_ids[new] = np.arange(len(self._hanzi), len(self._hanzi) + len(new))
            self._hanzi += new.tolist()
            hanzi = self._hanzi_ids[batch.codes]
            while len(self._hanzi) * _SYLLABLE_SLOTS > len(self._pair_ids):
                more = np.full_like(self._pair_ids, -1)
                self._pair_ids = np.concatenate((self._pair_ids, more))
        slots = np.where(batch.syllables < 0, _UNREAD, batch.syllables)
        keys = hanzi.astype(np.int64) * _SYLLABLE_SLOTS + slots
        pairs = self._pair_ids[keys]
        if len(pairs) and pairs.min() < 0:
            new_keys = np.unique(keys[pairs < 0])
            n_pairs = len(self._pair_keys)
            self._pair_ids[new_keys] = np.arange(n_pairs, n_pairs + len(new_keys))
            self._pair_keys = np.concatenate((self._pair_keys, new_keys))
            room = np.zeros(len(new_keys) * _TONE_SLOTS, dtype=np.int64)
            self._counts = np.concatenate((self._counts, room))
            self._doubtful = np.concatenate((self._doubtful, room))
            pairs = self._pair_ids[keys]
        bins = pairs.astype(np.int64) * _TONE_SLOTS + (batch.tones & (_TONE_SLOTS - 1))
        self._counts += np.bincount(bins, minlength=len(self._counts))
        self._doubtful += np.bincount(bins[batch.doubtful], minlength=len(self._doubtful))

    def table(self) -> dict[str, _Ints]:
        """Return the counts as columns of equal length, most frequent first.

        Returns:
            hanzi (code points), syllable (ids, -1 for none), tone, count, doubtful: int64 each.
        """
        used = np.flatnonzero(self._counts)
        keys = self._pair_keys[used // _TONE_SLOTS]
        codes = np.array(self._hanzi, dtype=np.int64)[keys // _SYLLABLE_SLOTS]
        syllables = keys % _SYLLABLE_SLOTS
        tones = used % _TONE_SLOTS
        order = np.lexsort((tones, syllables, codes, -self._counts[used]))
        return {
            "hanzi": codes[order],
            "syllable": np.where(syllables == _UNREAD, -1, syllables)[order],
            "tone": tones[order],
            "count": self._counts[used][order],
            "doubtful": self._doubtful[used][order],
        }


@dataclass
class RepeatCounts:
    """Sentences whose hanzi occur more than once, within a split or in several.

    Rows are compared by a 62-bit hash of their hanzi: among ten million different sentences the
    odds of any two agreeing by chance are 1 to 90,000.
    """

    _hashes: list[NDArray[np.uint64]] = field(default_factory=list)

    def add(self, batch: SentenceBatch) -> None:
        """Keep the hashes of the rows that are long enough."""
        names, indices = batch.groups["split"]
        unknown = [name for name in names if name not in SPLITS]
        if unknown:
            raise DatasetError(f"unknown split {unknown[0]!r}, expected one of {list(SPLITS)}")
        numbers = np.array([SPLITS.index(name) for name in names], dtype=np.uint64)
        rows = np.flatnonzero(batch.row_hanzi >= MIN_REPEAT_HANZI)
        if not len(rows):
            return
        powers = np.full(int(batch.row_hanzi.max()), _MULTIPLIER, dtype=np.uint64)
        powers[0] = 1
        powers = np.cumprod(powers)
        owners = np.repeat(np.arange(batch.n_rows), batch.row_hanzi)
        places = np.arange(len(batch.codes)) - batch.row_starts[owners]
        mixed = batch.codes.astype(np.uint64) * _MULTIPLIER
        mixed ^= mixed >> np.uint64(29)
        mixed *= powers[places]
        filled = np.flatnonzero(batch.row_hanzi)
        sums = np.zeros(batch.n_rows, dtype=np.uint64)
        sums[filled] = np.add.reduceat(mixed, batch.row_starts[filled])
        hashes = (sums[rows] >> np.uint64(_SPLIT_BITS)) << np.uint64(_SPLIT_BITS)
        self._hashes.append(hashes | numbers[indices[rows]])

    def summary(self) -> dict[str, int]:
        """Return counts of compared rows, of repeats, and of rows that another split has too."""
        hashes = np.concatenate([np.zeros(0, np.uint64), *self._hashes])
        hashes.sort()
        sentences = hashes >> np.uint64(_SPLIT_BITS)
        first = np.flatnonzero(np.concatenate(([True], sentences[1:] != sentences[:-1])))
        first = first[: len(hashes)]
        sizes = np.diff(np.append(first, len(hashes)))
        is_shared = np.zeros(len(first), dtype=np.bool_)
        if len(hashes):  # sorted, so the splits of equal sentences are sorted too
            splits = hashes & np.uint64((1 << _SPLIT_BITS) - 1)
            is_shared = splits[first] != splits[first + sizes - 1]
        return {
            "min_hanzi": MIN_REPEAT_HANZI,
            "rows": len(hashes),
            "repeated_rows": int((sizes - 1).sum()),
            "rows_in_several_splits": int(sizes[is_shared].sum()),
        }


@dataclass
class DatasetCounts:
    """All counts of a dataset; feed it every batch once, in any order."""

    groups: dict[tuple[Any, ...], GroupCount] = field(default_factory=dict)
    readings: ReadingCounts = field(default_factory=ReadingCounts)
    repeats: RepeatCounts = field(default_factory=RepeatCounts)
    sentence_lengths: Counter[int] = field(default_factory=Counter)
    run_lengths: Counter[int] = field(default_factory=Counter)
    n_characters: int = 0

    def add(self, batch: SentenceBatch) -> None:
        """Count a batch."""
        self.n_characters += batch.n_characters
        self._add_groups(batch)
        self._add_lengths(self.sentence_lengths, batch.row_hanzi)
        self._add_lengths(self.run_lengths, batch.run_lengths)
        self.readings.add(batch)
        self.repeats.add(batch)

    def by(self, *columns: str) -> dict[tuple[Any, ...], GroupCount]:
        """Return the sizes by some of `GROUP_COLUMNS`, most hanzi first."""
        places = [GROUP_COLUMNS.index(column) for column in columns]
        sums: dict[tuple[Any, ...], GroupCount] = {}
        for key, count in self.groups.items():
            sums.setdefault(tuple(key[place] for place in places), GroupCount()).add(count)
        return dict(sorted(sums.items(), key=lambda item: (-item[1].hanzi, str(item[0]))))

    def _add_groups(self, batch: SentenceBatch) -> None:
        combined = np.zeros(batch.n_rows, dtype=np.int64)
        for name in GROUP_COLUMNS:
            values, indices = batch.groups[name]
            combined = combined * max(len(values), 1) + indices
        keys, owners = np.unique(combined, return_inverse=True)
        sizes = [
            np.bincount(owners, weights=weights, minlength=len(keys)).astype(np.int64).tolist()
            for weights in (None, batch.row_hanzi, batch.row_doubtful)
        ]
        for key, *numbers in zip(keys.tolist(), *sizes, strict=True):
            parts = []
            rest = key
            for name in reversed(GROUP_COLUMNS):
                values = batch.groups[name][0]
                rest, index = divmod(rest, max(len(values), 1))
                parts.append(values[index])
            self.groups.setdefault(tuple(reversed(parts)), GroupCount()).add(GroupCount(*numbers))

    @staticmethod
    def _add_lengths(histogram: Counter[int], lengths: _Ints) -> None:
        values, counts = np.unique(lengths, return_counts=True)
        histogram.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(pa.large_string())


def _flat_codes(column: pa.Array) -> tuple[NDArray[np.uint32], _Ints]:
    """Return the code points of a string column in one array, and how many each row has."""
    strings = _plain(column)
    _, offset_buffer, data = strings.buffers()
    lengths = np.asarray(pc.fill_null(pc.utf8_length(strings), 0)).astype(np.int64)
    if not len(strings) or data is None:
        return np.zeros(0, np.uint32), lengths
    first = strings.offset
    offsets = np.frombuffer(offset_buffer, np.int64)[first : first + len(strings) + 1]
    text = str(data[int(offsets[0]) : int(offsets[-1])], "utf-8")
    return np.frombuffer(text.encode("utf-32-le"), np.uint32), lengths


def _flat_list(column: pa.Array) -> tuple[_Ints, _Ints]:
    """Return the values of a list column in one array, and how many each row has."""
    lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0)).astype(np.int64)
    return np.asarray(column.flatten()).astype(np.int64), lengths


def _indices(column: pa.Array) -> tuple[list[Any], _Ints]:
    """Return the distinct values of a column, and which of them each row has."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if column.null_count:
        raise DatasetError("a row without source, domain, licence, split or fold; build it again")
    return column.dictionary.to_pylist(), np.asarray(column.indices).astype(np.int64)


def _row_id(batch: pa.RecordBatch, row: int) -> str:
    if "id" in batch.schema.names:
        return repr(batch.column("id")[row].as_py())
    return f"number {row} of its batch"
