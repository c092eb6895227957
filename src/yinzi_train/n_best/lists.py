"""Read candidate lists as flat arrays, and choose some of them for a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.lexicon import ragged_arange
from yinzi.scoring import PairTable
from yinzi_train.dataset.storage import read_json

__all__ = [
    "FORMAT_VERSION",
    "LIST_SCHEMA",
    "MANIFEST_NAME",
    "NBestBatch",
    "NBestLists",
    "open_lists",
]

FORMAT_VERSION: Final = 2
MANIFEST_NAME: Final = "lists.json"

LIST_SCHEMA: Final = pa.schema(
    [
        pa.field("domain", pa.string()),
        pa.field("context", pa.string()),  # text before the run, "" for none
        # What was typed for each hanzi: the syllables from `low` up to, but not including, `high`.
        pa.field("low", pa.list_(pa.int16())),
        pa.field("high", pa.list_(pa.int16())),
        pa.field("candidates", pa.list_(pa.string())),  # as many hanzi each
        pa.field("readings", pa.list_(pa.int16())),  # syllables of all candidates, one by one
        pa.field("logprobs", pa.list_(pa.float32())),  # natural log, without the neural model
        pa.field("right", pa.int16()),  # index of what was written
        pa.field("weight", pa.float32()),  # how many such lists it stands for
    ]
)
"""One run of hanzi a row: it has at least two candidates, and the right one is among them."""


@dataclass(frozen=True, eq=False)
class NBestBatch:
    """Some lists. Places are numbered through their runs, candidates through their lists.

    Attributes:
        contexts: the text before each run, "" for none.
        weights: float32 [n_lists], how many such lists each stands for.
        low: int64 [n_places], first syllable that each place can be, run after run.
        high: int64 [n_places], syllable behind the last one.
        run_starts: int64 [n_lists + 1], first place of each run.
        right_pairs: int64 [n_places], the pair ids of the right candidates.
        list_starts: int64 [n_lists + 1], first candidate of each list.
        logprobs: float32 [n_candidates], natural log, without the neural model.
        right: int64 [n_lists], the right candidate of each list.
        term_place: int64 [n_terms]; a term is a hanzi of a candidate where those of its list
            differ.
        term_pair: int64 [n_terms], its pair id.
        term_candidate: int64 [n_terms], whose hanzi it is.
    """

    contexts: Sequence[str]
    weights: NDArray[np.float32]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    run_starts: NDArray[np.int64]
    right_pairs: NDArray[np.int64]
    list_starts: NDArray[np.int64]
    logprobs: NDArray[np.float32]
    right: NDArray[np.int64]
    term_place: NDArray[np.int64]
    term_pair: NDArray[np.int64]
    term_candidate: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class NBestLists:
    """All lists of a folder, numbered from 0.

    Attributes:
        manifest: how they were made; see `make_lists`.
        contexts: the text before each run, "" for none.
        weights: float32 [n_lists], how many such lists each stands for.
        low: int16 [n_places], first syllable that each place can be, run after run.
        high: int16 [n_places], syllable behind the last one.
        run_starts: int64 [n_lists + 1].
        pairs: int32 [sum of candidates × hanzi], pair ids, list by list, candidate by candidate.
        pair_starts: int64 [n_lists + 1].
        logprobs: float32 [n_candidates].
        list_starts: int64 [n_lists + 1].
        right: int64 [n_lists], within the list.
    """

    manifest: dict[str, Any]
    contexts: pa.ChunkedArray
    weights: NDArray[np.float32]
    low: NDArray[np.int16]
    high: NDArray[np.int16]
    run_starts: NDArray[np.int64]
    pairs: NDArray[np.int32]
    pair_starts: NDArray[np.int64]
    logprobs: NDArray[np.float32]
    list_starts: NDArray[np.int64]
    right: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.right)

    @property
    def temperature(self) -> float:
        """What a weighted sum is multiplied by to be the log of a probability."""
        return float(self.manifest["temperature"])

    @property
    def encoder_weight(self) -> float:
        """Weight of the neural model against the `logprobs`."""
        return float(self.manifest["encoder_weight"])

    @property
    def prior_weight(self) -> float:
        """Weight of how frequent the hanzi are."""
        return float(self.manifest["prior_weight"])

    @property
    def abbreviated_factor(self) -> float:
        """What the model counts at a place that is no full syllable, against one that is."""
        return float(self.manifest["abbreviated_factor"])

    def batch(self, numbers: NDArray[np.integer]) -> NBestBatch:
        """Return some lists, in the order of their numbers."""
        sizes = np.diff(self.run_starts)[numbers]
        n_candidates = np.diff(self.list_starts)[numbers]
        places, _ = ragged_arange(self.run_starts[numbers], sizes)
        candidates, _ = ragged_arange(self.list_starts[numbers], n_candidates)
        run_starts = _starts(sizes)
        list_starts = _starts(n_candidates)
        # All hanzi of all candidates: of which candidate, at which place of the batch.
        wide, of_list = ragged_arange(self.pair_starts[numbers], sizes * n_candidates)
        pairs = self.pairs[wide].astype(np.int64)
        within = np.arange(len(wide)) - _starts(sizes * n_candidates)[of_list]
        row, column = np.divmod(within, sizes[of_list])
        place = run_starts[of_list] + column
        candidate = list_starts[of_list] + row
        right = list_starts[:-1] + self.right[numbers]
        right_pairs = np.empty(len(places), dtype=np.int64)
        is_right = candidate == right[of_list]
        right_pairs[place[is_right]] = pairs[is_right]
        differs = np.zeros(len(places), dtype=np.bool_)
        differs[place[pairs != right_pairs[place]]] = True
        term = np.flatnonzero(differs[place])
        return NBestBatch(
            self.contexts.take(pa.array(numbers)).to_pylist(),
            self.weights[numbers],
            self.low[places].astype(np.int64),
            self.high[places].astype(np.int64),
            run_starts,
            right_pairs,
            list_starts,
            self.logprobs[candidates],
            right,
            place[term],
            pairs[term],
            candidate[term],
        )


def open_lists(folder: Path | str, pairs: PairTable) -> NBestLists:
    """Read the lists of a folder; candidates with a hanzi that is no pair are left out.

    Lists that lose the right candidate so, or all others, are left out too.

    Raises:
        ConfigError: the folder has no finished lists, a file of them is damaged, or none is left.
    """
    path = Path(folder)
    manifest = read_json(path / MANIFEST_NAME)
    if manifest is None or manifest.get("format_version") != FORMAT_VERSION:
        raise ConfigError(
            f"{str(path)!r} has no {MANIFEST_NAME} of version {FORMAT_VERSION}: make the lists "
            "with `yinzi-train n-best`, and let it finish"
        )
    tables = []
    for name in manifest["files"]:
        try:
            tables.append(pq.read_table(path / name, schema=LIST_SCHEMA))
        except (OSError, pa.ArrowException) as error:
            raise ConfigError(
                f"cannot read {str(path / name)!r}: {error}; make the lists again"
            ) from error
    table = pa.concat_tables(tables) if tables else LIST_SCHEMA.empty_table()
    found = _known(dict(manifest), table, pairs)
    if not len(found):
        raise ConfigError(f"{str(path)!r} has no list with two candidates whose hanzi are known")
    return found


def _known(manifest: dict[str, Any], table: pa.Table, pairs: PairTable) -> NBestLists:
    """Number the pairs of all candidates, and leave out what has one that is not known."""
    low, sizes = _flat(table, "low")
    high, _ = _flat(table, "high")
    readings, _ = _flat(table, "readings")
    logprobs, counts = _flat(table, "logprobs")
    texts: Sequence[str] = _flat(table, "candidates")[0]
    right = table.column("right").to_numpy().astype(np.int64)
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    of_candidate = np.repeat(np.arange(len(sizes)), counts)
    owner = np.repeat(np.arange(len(of_candidate)), sizes[of_candidate])
    ids = pairs.ids(readings.astype(np.int64), codes)
    is_known = np.ones(len(of_candidate), dtype=np.bool_)
    is_known[owner[ids < 0]] = False
    at_right = _starts(counts)[:-1] + right
    n_left = np.bincount(of_candidate[is_known], minlength=len(sizes))
    is_kept = is_known[at_right] & (n_left > 1)
    stays = is_known & is_kept[of_candidate]
    number = np.cumsum(stays) - 1
    kept_counts = n_left[is_kept]
    kept_sizes = sizes[is_kept]
    kept_rows = pa.array(is_kept)
    return NBestLists(
        manifest,
        table.column("context").filter(kept_rows),
        table.column("weight").filter(kept_rows).to_numpy(),
        low[np.repeat(is_kept, sizes)].astype(np.int16),
        high[np.repeat(is_kept, sizes)].astype(np.int16),
        _starts(kept_sizes),
        ids[stays[owner]].astype(np.int32),
        _starts(kept_sizes * kept_counts),
        logprobs[stays].astype(np.float32),
        _starts(kept_counts),
        number[at_right[is_kept]] - _starts(kept_counts)[:-1],
    )


def _flat(table: pa.Table, name: str) -> tuple[Any, NDArray[np.int64]]:
    """Return the values of a column of lists one after another, and the length of each list."""
    column = table.column(name).combine_chunks()
    values = column.flatten()
    lengths = column.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    if pa.types.is_string(values.type):
        return values.to_pylist(), lengths
    return values.to_numpy(zero_copy_only=False), lengths


def _starts(sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
