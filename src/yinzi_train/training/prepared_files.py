"""Keep what a run has made from its dataset, each file with a note of what it was made from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from yinzi.artifact.checksum import sha256_hex
from yinzi_train.dataset.balance import BalanceOptions, weigh_rows
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.reader import Dataset
from yinzi_train.dataset.storage import atomic_path, read_json, write_json
from yinzi_train.dataset.units import ReportProgress

__all__ = [
    "VALIDATION",
    "WEIGHTS",
    "counted_reads",
    "is_made",
    "note_made",
    "rows_of_split",
    "spread_rows",
    "write_weights",
]

WEIGHTS: Final = "weights.npy"
VALIDATION: Final = "validation.parquet"
_BALANCE_COLUMNS: Final = ("split", "domain", "hanzi", "syllables")


def note_made(folder: Path, names: Sequence[str], made_from: Mapping[str, Any]) -> None:
    """Write down beside the first of some files what they all were made from."""
    files = {name: sha256_hex(folder / name) for name in names}
    write_json(_note_path(folder, names), {"made_from": made_from, "files": files})


def is_made(folder: Path, names: Sequence[str], made_from: Mapping[str, Any]) -> bool:
    """Tell whether files are there, whole, and made from the same."""
    note = read_json(_note_path(folder, names))
    if note is None or note.get("made_from") != json.loads(json.dumps(made_from)):
        return False
    try:
        return all(sha256_hex(folder / name) == note["files"][name] for name in names)
    except (OSError, KeyError):
        return False


def counted_reads(
    dataset: Dataset, n_passes: int, on_progress: ReportProgress
) -> Callable[[Sequence[str]], Iterator[pa.Table]]:
    """Return what reads columns of all rows, and tells the rows read in all passes."""
    n_rows, n_done = n_passes * dataset.manifest.total.rows, 0

    def read(columns: Sequence[str]) -> Iterator[pa.Table]:
        nonlocal n_done
        for table in dataset.iter_tables(columns=columns):
            yield table
            n_done += len(table)
            on_progress(n_done, n_rows)

    return read


def write_weights(
    folder: Path,
    read: Callable[[Sequence[str]], Iterable[pa.Table]],
    pairs: PairVocabulary,
    balance: BalanceOptions,
    made_from: Mapping[str, Any],
) -> None:
    """Weigh the rows of the train split, and keep how often each is seen in an epoch."""
    weighed = weigh_rows(read(_BALANCE_COLUMNS), pairs, balance, split="train")
    with atomic_path(folder / WEIGHTS) as part, part.open("wb") as file:
        np.save(file, weighed.weights)
    note_made(folder, (WEIGHTS,), made_from)


def spread_rows(tables: Sequence[pa.Table], n_wanted: int, *, columns: Sequence[str]) -> pa.Table:
    """Return some columns of rows at equal distances, so that every source has its share."""
    joined = pa.concat_tables(tables) if tables else pa.table({name: [] for name in columns})
    n_taken = min(n_wanted, len(joined))
    places = np.arange(n_taken) * len(joined) // max(n_taken, 1)
    return joined.take(pa.array(places)).select([*columns]).combine_chunks()


def rows_of_split(table: pa.Table, split: str) -> pa.Table:
    """Return the rows of a split."""
    return table.filter(pc.equal(table.column("split"), split))


def _note_path(folder: Path, names: Sequence[str]) -> Path:
    return (folder / names[0]).with_suffix(".made-from.json")
