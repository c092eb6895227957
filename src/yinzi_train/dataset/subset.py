"""Write a small dataset of some rows of a large one, for trials, domains and replays.

Rows are drawn at random, evenly over all that may be drawn. The splits of the new dataset may be
drawn from others of the old one: held-out text of a domain, for example, from splits that no model
was trained on.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import ConfigError
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.manifest import (
    MANIFEST_NAME,
    Count,
    DatasetManifest,
    ShardRecord,
    SourceRecord,
    write_manifest,
)
from yinzi_train.dataset.reader import Dataset, open_dataset
from yinzi_train.dataset.schema import ROW_SCHEMA, SPLITS
from yinzi_train.dataset.shard_stage import count_groups
from yinzi_train.dataset.storage import FileRecord, StorageOptions, write_table_file

__all__ = ["subset_dataset"]

_FILE: Final = "data/subset-000.parquet"
_KEY: Final = "subset"


def subset_dataset(
    dataset: Dataset,
    out: Path,
    n_rows: Mapping[str, int],
    *,
    sources: Collection[str] | None = None,
    domains: Collection[str] | None = None,
    drawn_from: Sequence[str] | None = None,
    seed: int = 0,
) -> Dataset:
    """Write rows of a dataset as a dataset of its own, in one shard; columns and ids stay.

    `config["subset"]` of its manifest tells how they were drawn: `drawn` has, for each new split,
    how many rows are of which old one.

    Args:
        dataset: what rows are drawn from; nothing is written into it.
        out: folder of the new dataset, new or empty.
        n_rows: rows of each split of the new dataset.
        sources: sources that rows may come from; all if not given.
        domains: domains that rows may come from; all if not given.
        drawn_from: splits of the old dataset, used up one after another: they first fill the split
            "test", then "validation", then "train". If not given, each split is drawn from itself.
        seed: another seed draws other rows.

    Raises:
        ConfigError: a split is unknown, nothing is asked for, or the folder is taken.
        DatasetError: there are fewer rows than asked for, a shard cannot be read, or the disk is
            full. Nothing is left then.
    """
    _check(out, n_rows, drawn_from)
    generator = np.random.default_rng(seed)
    found = _find_rows(dataset, sources=sources, domains=domains)
    for name in found:
        found[name] = generator.permutation(found[name])
    chosen = _deal(found, n_rows, drawn_from, label=f"dataset {str(dataset.path)!r}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as work:
        folder = Path(work, "subset")
        groups: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
        written = write_table_file(
            folder / _FILE,
            _counted(_take(dataset, chosen), groups),
            schema=ROW_SCHEMA,
            options=StorageOptions(),
        )
        settings = {
            "dataset": sha256_hex(dataset.path / MANIFEST_NAME),
            "rows": dict(n_rows),
            "sources": None if sources is None else sorted(sources),
            "domains": None if domains is None else sorted(domains),
            "drawn_from": None if drawn_from is None else list(drawn_from),
            "drawn": chosen.drawn,
            "seed": seed,
        }
        write_manifest(folder, _summarize(groups, dataset.manifest, written, settings))
        if out.exists():
            out.rmdir()
        folder.rename(out)
    return open_dataset(out)


@dataclass(frozen=True)
class _Chosen:
    """Rows of the old dataset and where they go.

    Attributes:
        rows: int64 [n], their numbers over all shards, rising.
        splits: int64 [n], index in `SPLITS` of the new split.
        drawn: how many rows of each new split are of which old one.
    """

    rows: NDArray[np.int64]
    splits: NDArray[np.int64]
    drawn: Mapping[str, Mapping[str, int]]


def _check(out: Path, n_rows: Mapping[str, int], drawn_from: Sequence[str] | None) -> None:
    unknown = [name for name in (*n_rows, *(drawn_from or ())) if name not in SPLITS]
    if unknown:
        raise ConfigError(f"unknown split {unknown[0]!r}: expected one of {list(SPLITS)}")
    if min(n_rows.values(), default=0) < 0 or not sum(n_rows.values()):
        raise ConfigError(f"{dict(n_rows)} rows: expected at least one in all, none below 0")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{str(out)!r} is there already: give a new or empty folder")


def _find_rows(
    dataset: Dataset, *, sources: Collection[str] | None, domains: Collection[str] | None
) -> dict[str, NDArray[np.int64]]:
    """Return the numbers of the rows that may be drawn, by split."""
    parts: dict[str, list[NDArray[np.int64]]] = {name: [] for name in SPLITS}
    start = 0
    for table in dataset.iter_tables(columns=("split", "source", "domain")):
        may = np.ones(len(table), dtype=np.bool_)
        for name, wanted in (("source", sources), ("domain", domains)):
            if wanted is not None:
                values = pa.array(list(wanted), pa.string())
                may &= pc.is_in(table.column(name), value_set=values).to_numpy()
        for name in SPLITS:
            is_here = pc.equal(table.column("split"), name).to_numpy() & may
            parts[name].append(start + np.flatnonzero(is_here))
        start += len(table)
    return {
        name: np.concatenate([np.zeros(0, dtype=np.int64), *numbers])
        for name, numbers in parts.items()
    }


def _deal(
    found: Mapping[str, NDArray[np.int64]],
    n_rows: Mapping[str, int],
    drawn_from: Sequence[str] | None,
    *,
    label: str,
) -> _Chosen:
    """Give each new split its rows."""
    rows, splits = [], []
    empty = np.zeros(0, dtype=np.int64)
    pool = np.concatenate([empty, *(found[name] for name in dict.fromkeys(drawn_from or ()))])
    for name in reversed(SPLITS):  # test first
        wanted = n_rows.get(name, 0)
        available = found[name] if drawn_from is None else pool
        if len(available) < wanted:
            origin = name if drawn_from is None else ", ".join(drawn_from)
            raise DatasetError(
                f"{label} has {len(available)} rows left for the split {name!r} (from {origin}), "
                f"{wanted} are asked for: ask for fewer, or allow more sources, domains or splits"
            )
        rows.append(available[:wanted])
        splits.append(np.full(wanted, SPLITS.index(name), dtype=np.int64))
        pool = pool[wanted:]
    joined = np.concatenate(rows)
    order = np.argsort(joined)
    drawn = {
        name: {old: int(np.isin(part, found[old]).sum()) for old in SPLITS}
        for name, part in zip(reversed(SPLITS), rows, strict=True)
    }
    return _Chosen(joined[order], np.concatenate(splits)[order], drawn)


def _take(dataset: Dataset, chosen: _Chosen) -> Iterator[pa.Table]:
    """Yield the rows with their new split; row groups without any are not read."""
    start = 0
    for path in dataset.shard_paths:
        try:
            with pq.ParquetFile(path) as file:
                for group in range(file.metadata.num_row_groups):
                    end = start + file.metadata.row_group(group).num_rows
                    first, last = np.searchsorted(chosen.rows, (start, end))
                    if first < last:
                        table = file.read_row_group(group, columns=ROW_SCHEMA.names)
                        table = table.take(pa.array(chosen.rows[first:last] - start))
                        yield _with_split(table, chosen.splits[first:last])
                    start = end
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(
                f"cannot read shard {str(path)!r}: {error}; fetch or build the dataset again"
            ) from error


def _with_split(table: pa.Table, splits: NDArray[np.int64]) -> pa.Table:
    names = pa.array([SPLITS[index] for index in splits], pa.string())
    return table.set_column(ROW_SCHEMA.get_field_index("split"), "split", names).cast(ROW_SCHEMA)


def _counted(
    tables: Iterator[pa.Table], groups: dict[tuple[Any, ...], list[int]]
) -> Iterator[pa.Table]:
    for table in tables:
        count_groups(table, groups)
        yield table


def _summarize(
    groups: Mapping[tuple[Any, ...], Sequence[int]],
    base: DatasetManifest,
    written: FileRecord,
    settings: Mapping[str, Any],
) -> DatasetManifest:
    """Return the manifest of the old dataset with what is left of it."""
    totals: dict[tuple[str, Any], Count] = defaultdict(Count)
    by_source: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (source, domain, licence, split, fold), counts in groups.items():
        count = Count(*counts[:2])
        for column, name in (("domain", domain), ("licence", licence), ("split", split)):
            totals[column, name] += count
        if split == "train":
            totals["fold", fold] += count
        for index, value in enumerate(counts):
            by_source[source, domain, licence][index] += value
    sources = tuple(
        SourceRecord(one.source, one.domain, one.licence, one.origin, *by_source[key])
        for one in base.sources
        if (key := (one.source, one.domain, one.licence)) in by_source
    )
    rows, hanzi = (sum(getattr(one, name) for one in sources) for name in ("rows", "hanzi"))
    return replace(
        base,
        config={**base.config, _KEY: settings},
        sources=sources,
        shards=(ShardRecord(_FILE, rows, hanzi, written.n_bytes, written.sha256),),
        splits={name: totals["split", name] for name in SPLITS},
        folds=tuple(totals["fold", index] for index in range(len(base.folds))),
        domains={name: totals["domain", name] for name in sorted({one.domain for one in sources})},
        licences={
            name: totals["licence", name] for name in sorted({one.licence for one in sources})
        },
        doubtful=sum(one.doubtful for one in sources),
        rows_read=base.total.rows,
        drops={},
    )
