"""Hold what is typed for many rows at once, in flat arrays with one place for each hanzi.

Each operation of augmentation changes some of these arrays; hanzi and labelled syllables are never
touched, so place i of every array speaks of the same hanzi from first to last. The few places with
a wrong letter, and the few words typed between, are kept apart in dictionaries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES
from yinzi_train.dataset.augmentation_draws import hash_ids, mix_keys

__all__ = [
    "RUN_SEPARATOR",
    "SYLLABLE_LENGTHS",
    "InputKind",
    "TypedRows",
    "WrongLetters",
    "hanzi_codes",
]

RUN_SEPARATOR: Final = ","
"""Stands between the runs (MIUs) of a row in its typed letters; borders are blanks."""

SYLLABLE_LENGTHS: Final = np.array([len(syllable) for syllable in SYLLABLES], dtype=np.int8)
"""int8 [n_syllables], letters of each syllable."""

_MAX_LETTERS: Final = int(SYLLABLE_LENGTHS.max())
_N_TONES: Final = 6
_SEPARATORS: Final = ("", " ", RUN_SEPARATOR)


class InputKind(IntEnum):
    """How one place of an input is given; the first four are the values of `EdgeKind`."""

    FULL = 0
    INITIAL = 1
    INCOMPLETE = 2
    LITERAL = 3
    HANZI = 4
    BREAK = 5
    PAD = 6


class WrongLetters(NamedTuple):
    """A typing error: which one, the letters that were meant, and the letters typed."""

    kind: str
    before: str
    after: str


@dataclass
class TypedRows:
    """Rows and how they are typed.

    Operations replace arrays, they do not write into them; a shallow copy is a safe copy.

    Attributes:
        row_ids: id of each row.
        keys: uint64 [n_rows], what random numbers of a row start from.
        row_start: int64 [n_rows + 1], first place of each row.
        hanzi: uint32 [n], code point.
        syllables: int16 [n], labelled syllable id.
        tones: int8 [n], labelled tone, 1 to 5, 0 where none is known.
        is_run_end: bool [n], the last hanzi of its run (MIU).
        typed_syllables: int16 [n], the syllable the typist has in mind.
        typed_tones: int8 [n], typed tone, 0 for none.
        n_letters: int8 [n], how many letters of the syllable are typed.
        kinds: int8 [n], FULL, INITIAL or INCOMPLETE of `InputKind`.
        is_joined: bool [n], no border is typed after it; run ends always have one.
        profiles: accent profile of rows that have one, by row.
        wrong_letters: typing errors by place.
        literals: words and numbers typed before a place, by place; `row_start[r + 1]` is never a
            key for row r: words at its end are in `last_literals`.
        last_literals: the same behind the last place of a row, by row.
    """

    row_ids: Sequence[str]
    keys: NDArray[np.uint64]
    row_start: NDArray[np.int64]
    hanzi: NDArray[np.uint32]
    syllables: NDArray[np.int16]
    tones: NDArray[np.int8]
    is_run_end: NDArray[np.bool_]
    typed_syllables: NDArray[np.int16]
    typed_tones: NDArray[np.int8]
    n_letters: NDArray[np.int8]
    kinds: NDArray[np.int8]
    is_joined: NDArray[np.bool_]
    profiles: dict[int, str] = field(default_factory=dict)
    wrong_letters: dict[int, WrongLetters] = field(default_factory=dict)
    literals: dict[int, str] = field(default_factory=dict)
    last_literals: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = np.diff(self.row_start)
        self.row_of = np.repeat(np.arange(len(lengths)), lengths)
        self.positions = np.arange(len(self.hanzi)) - self.row_start[self.row_of]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.row_ids)

    @classmethod
    def from_table(cls, table: pa.Table, *, seed: int = 0, epoch: int = 0) -> TypedRows:
        """Read labelled rows: typed in full, with tones and with borders.

        Columns: id, hanzi, run_lengths, syllables, tones; `repeat` if there is one tells copies of
        a row apart, which then are typed differently.

        Raises:
            ConfigError: a column is missing, or a row's columns do not fit together; names the row.
        """
        names = ("id", "hanzi", "run_lengths", "syllables", "tones")
        missing = [name for name in names if name not in table.column_names]
        if missing:
            raise ConfigError(
                f"rows have no column {missing[0]!r}: "
                f"expected labelled rows with {', '.join(names)}"
            )
        runs, n_runs = _flat_list(table.column("run_lengths"))
        syllables, lengths = _flat_list(table.column("syllables"))
        tones, n_tones = _flat_list(table.column("tones"))
        repeats = None
        if "repeat" in table.column_names:
            repeats = table.column("repeat").combine_chunks().to_numpy(zero_copy_only=False)
        return cls.from_arrays(
            table.column("id").to_pylist(),
            table.column("hanzi").to_pylist(),
            syllables=(syllables, lengths),
            tones=(tones, n_tones),
            runs=(runs, n_runs),
            repeats=repeats,
            seed=seed,
            epoch=epoch,
        )

    @classmethod
    def from_features(
        cls, features: Sequence[Mapping[str, Any]], *, seed: int = 0, epoch: int = 0
    ) -> TypedRows:
        """Read labelled rows given one by one, as `datasets` and torch's loaders give them."""

        def flat(name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            lists = [feature[name] for feature in features]
            lengths = np.array([len(values) for values in lists], dtype=np.int64)
            values = [np.asarray(values, dtype=np.int64) for values in lists]
            return np.concatenate([*values, np.zeros(0, np.int64)]), lengths

        repeats = None
        if features and "repeat" in features[0]:
            repeats = np.array([feature["repeat"] for feature in features])
        return cls.from_arrays(
            [feature["id"] for feature in features],
            [feature["hanzi"] for feature in features],
            syllables=flat("syllables"),
            tones=flat("tones"),
            runs=flat("run_lengths"),
            repeats=repeats,
            seed=seed,
            epoch=epoch,
        )

    @classmethod
    def from_arrays(
        cls,
        row_ids: Sequence[str],
        hanzi: Sequence[str],
        *,
        syllables: tuple[NDArray[np.integer], NDArray[np.int64]],
        tones: tuple[NDArray[np.integer], NDArray[np.int64]],
        runs: tuple[NDArray[np.integer], NDArray[np.int64]],
        repeats: NDArray[np.integer] | None,
        seed: int,
        epoch: int,
    ) -> TypedRows:
        """Read rows whose lists are given as flat values and the length of each."""
        codes = hanzi_codes(hanzi)
        lengths = np.array([len(text) for text in hanzi], dtype=np.int64)
        run_lengths = runs[0].astype(np.int64)
        run_start = np.concatenate(([0], np.cumsum(run_lengths)))
        run_row = np.repeat(np.arange(len(row_ids)), runs[1])
        in_runs = np.bincount(run_row, weights=run_lengths, minlength=len(row_ids))
        for name, found in (
            ("syllables", syllables[1]),
            ("tones", tones[1]),
            ("run_lengths", in_runs.astype(np.int64)),
        ):
            unfit = np.flatnonzero(found != lengths)
            if len(unfit):
                row = int(unfit[0])
                raise ConfigError(
                    f"row {row_ids[row]!r}: {name} speaks of {int(found[row])} hanzi, "
                    f"the row has {int(lengths[row])}; label it again"
                )
        ids = syllables[0].astype(np.int16)
        if len(ids) and int(ids.min()) == -1:
            row = int(np.searchsorted(np.cumsum(lengths), int(ids.argmin()), side="right"))
            raise ConfigError(
                f"row {row_ids[row]!r} has a hanzi without a reading (syllable id -1): expected "
                "one for each; leave such rows out with drop_unlabelled"
            )
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < len(SYLLABLES):
            raise ConfigError(
                f"syllable ids run from {int(ids.min())} to {int(ids.max())}: expected 0 to "
                f"{len(SYLLABLES) - 1}; the rows were labelled with another inventory"
            )
        if len(run_lengths) and int(run_lengths.min()) < 1:
            row = int(run_row[int(run_lengths.argmin())])
            raise ConfigError(f"row {row_ids[row]!r}: a run has no hanzi; label it again")
        is_run_end = np.zeros(len(codes), dtype=np.bool_)
        is_run_end[run_start[1:] - 1] = True
        keys = mix_keys(hash_ids(row_ids), seed, epoch)
        if repeats is not None:
            keys = np.where(repeats == 0, keys, mix_keys(keys, repeats))
        marks = tones[0].astype(np.int8)
        return cls(
            row_ids=row_ids,
            keys=keys,
            row_start=np.concatenate(([0], np.cumsum(lengths))),
            hanzi=codes,
            syllables=ids,
            tones=marks,
            is_run_end=is_run_end,
            typed_syllables=ids,
            typed_tones=marks,
            n_letters=SYLLABLE_LENGTHS[ids],
            kinds=np.zeros(len(codes), dtype=np.int8),
            is_joined=np.zeros(len(codes), dtype=np.bool_),
        )

    def letters(self, place: int) -> str:
        """Return the letters typed for one hanzi, without its tone."""
        if place in self.wrong_letters:
            return self.wrong_letters[place].after
        return SYLLABLES[int(self.typed_syllables[place])][: int(self.n_letters[place])]

    def typed_texts(self) -> list[str]:
        """Return the whole line of letters of each row.

        Borders are blanks, runs are parted by `RUN_SEPARATOR`, words and numbers typed between
        stand between blanks.
        """
        separators = np.where(self.is_run_end, 2, np.where(self.is_joined, 0, 1))
        last_places = self.row_start[1:][np.diff(self.row_start) > 0] - 1
        separators[last_places] = 0
        pieces: list[str] = _pieces()[
            (
                (self.typed_syllables.astype(np.int64) * (_MAX_LETTERS + 1) + self.n_letters)
                * _N_TONES
                + self.typed_tones
            )
            * len(_SEPARATORS)
            + separators
        ].tolist()
        for place, wrong in self.wrong_letters.items():
            tone = str(self.typed_tones[place] or "")
            pieces[place] = wrong.after + tone + _SEPARATORS[separators[place]]
        for place, literal in self.literals.items():
            is_apart = self.positions[place] == 0 or not self.is_joined[place - 1]
            pieces[place] = f"{'' if is_apart else ' '}{literal} {pieces[place]}"
        starts = self.row_start.tolist()
        texts = ["".join(pieces[start:end]) for start, end in pairwise(starts)]
        for row, literal in self.last_literals.items():
            texts[row] = f"{texts[row]} {literal}".lstrip()
        return texts


def hanzi_codes(texts: Sequence[str]) -> NDArray[np.uint32]:
    """Return the code points of texts, one after another.

    >>> hanzi_codes(["一二", "三"]).tolist()
    [19968, 20108, 19977]
    """
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _flat_list(column: pa.ChunkedArray) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Return the values of a column of lists, one list after another, and the list lengths."""
    if column.null_count:
        raise ConfigError("a column of lists has empty cells: expected a list in every row")
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # of no rows
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    lengths = pc.list_value_length(array).to_numpy(zero_copy_only=False).astype(np.int64)
    return array.flatten().to_numpy(zero_copy_only=False), lengths


@lru_cache(maxsize=1)
def _pieces() -> NDArray[np.object_]:
    """Return every way to write one place: [syllable, letters, tone, separator], flat."""
    return np.array(
        [
            syllable[:n_letters] + (str(tone) if tone else "") + separator
            for syllable in SYLLABLES
            for n_letters in range(_MAX_LETTERS + 1)
            for tone in range(_N_TONES)
            for separator in _SEPARATORS
        ],
        dtype=object,
    )
