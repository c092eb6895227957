"""Write a dataset with what people would type for each sentence beside it, and read it back.

The folder is a dataset like the one it was made from: a manifest with the same fields, shards with
the same names and the same columns, and the columns `typed`, `kinds` and `operations` added. One
shard makes one shard, so a killed job goes on with the unfinished ones and ends with the same
bytes, whatever the number of workers. `augmentation.json` has seed, options and counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import ConfigError
from yinzi_train.dataset.augmentation import TYPED_FIELDS, AugmentationOptions, augment_table
from yinzi_train.dataset.augmentation_operations import OPERATION_KINDS
from yinzi_train.dataset.claims import BUILD_NAME
from yinzi_train.dataset.derived import run_on_shards
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
from yinzi_train.dataset.storage import (
    FileRecord,
    StorageOptions,
    atomic_path,
    read_json,
    write_json,
    write_table_file,
)
from yinzi_train.dataset.units import ReportProgress, UnitRecord, read_unit
from yinzi_train.dataset.unlabelled_rows import drop_unlabelled

__all__ = [
    "AUGMENTATION_NAME",
    "TYPED_SCHEMA",
    "AugmentStage",
    "AugmentedDataset",
    "augment_dataset",
    "open_augmented_dataset",
]

AUGMENTATION_NAME: Final = "augmentation.json"

TYPED_SCHEMA: Final = pa.schema([*ROW_SCHEMA, *TYPED_FIELDS])
"""What an augmented dataset holds: one sentence, and what was typed for it, a row."""

_STAGE: Final = "augmentation"
_CARD: Final = """---
language:
- zh
license: other
license_name: by-source
license_link: manifest.json
configs:
- config_name: default
  data_files:
  - split: {split}
    path: data/*.parquet
---

# Typed sentences

{rows:,} sentences of the split `{split}` of a dataset of labelled sentences, with what people
would type for them (`typed`), how complete each syllable is (`kinds`) and what was changed
(`operations`). What is typed was made by rules with seed {seed}, not by people.
`augmentation.json` has the options and the counts, `manifest.json` sources and licences.
"""


@dataclass(frozen=True)
class AugmentedDataset(Dataset):
    """A dataset with typed letters.

    Attributes:
        augmentation: seed, split, options and counts, as `augmentation.json` has them.
    """

    augmentation: Mapping[str, Any] = field(default_factory=dict)

    def iter_typed(self, *, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows as tables, with the columns of `TYPED_SCHEMA` or some of them.

        Raises:
            ConfigError: an unknown column.
            DatasetError: a shard cannot be read.
        """
        names = TYPED_SCHEMA.names if columns is None else list(columns)
        unknown = [name for name in names if name not in TYPED_SCHEMA.names]
        if unknown:
            raise ConfigError(f"unknown columns {unknown[:5]}: expected {TYPED_SCHEMA.names}")
        schema = pa.schema([TYPED_SCHEMA.field(name) for name in names])
        for path in self.shard_paths:
            yield from read_unit(path, schema)


@dataclass
class AugmentStage:
    """A shard in, a shard with typed letters out; a `UnitStage`.

    Attributes:
        output_folder: of the shards.
        record_folder: of their records.
        options: how rows are typed.
        seed: of all draws.
        split: rows to write; those of other splits are left out.
        settings: plain data that decides, with the input, what is made.
    """

    output_folder: Path
    record_folder: Path
    options: AugmentationOptions
    seed: int
    split: str
    settings: Mapping[str, Any]
    name: str = _STAGE
    schema: pa.Schema = ROW_SCHEMA

    def process(
        self, tables: Iterator[pa.Table], output: Path
    ) -> tuple[FileRecord, Mapping[str, Any]]:
        """Write a shard.

        Returns:
            The file, and figures: `groups` (rows, hanzi and doubtful hanzi for each value of
            source, domain, licence, split and fold together), `operations` (how many of each kind,
            and in how many rows), `profiles` (rows typed with each accent), `changed` (rows with an
            operation), `unlabelled` (rows left out because a hanzi has no reading).
        """
        groups: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
        operations: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        profiles: Counter[str] = Counter()
        n_changed, n_unlabelled = 0, 0

        def rows() -> Iterator[pa.Table]:
            nonlocal n_changed, n_unlabelled
            for table in tables:
                kept, n_dropped = drop_unlabelled(
                    table.filter(pc.equal(table.column("split"), self.split))
                )
                n_unlabelled += n_dropped
                if not len(kept):
                    continue
                typed = augment_table(kept, self.options, seed=self.seed).cast(TYPED_SCHEMA)
                count_groups(typed, groups)
                n_changed += _count_operations(typed, operations, profiles)
                yield typed

        record = write_table_file(output, rows(), schema=TYPED_SCHEMA, options=StorageOptions())
        return record, {
            "groups": [[*key, *groups[key]] for key in sorted(groups)],
            "operations": dict(operations),
            "profiles": dict(sorted(profiles.items())),
            "changed": n_changed,
            "unlabelled": n_unlabelled,
        }


def augment_dataset(
    dataset: Dataset,
    out: Path,
    *,
    options: AugmentationOptions | None = None,
    seed: int = 0,
    split: str = "train",
    n_workers: int = 1,
    restarts: bool = False,
    on_progress: ReportProgress = lambda n_done, n_total: None,
) -> AugmentedDataset:
    """Write the typed letters of one split of a dataset; shards that are finished are kept.

    Args:
        dataset: what is typed; nothing is written into it.
        out: folder of the new dataset; an absolute path.
        options: how rows are typed.
        seed: of all draws.
        split: train, validation or test.
        n_workers: shards at a time.
        restarts: replace what was made with other settings or from another dataset.
        on_progress: called from time to time with the rows done and the rows in all.

    Raises:
        ConfigError: the split is unknown, or the folder holds something else.
        DatasetError: the disk is full, a shard is damaged, or the split has no rows.
    """
    if split not in SPLITS:
        raise ConfigError(f"unknown split {split!r}: expected one of {list(SPLITS)}")
    if not dataset.manifest.splits.get(split, Count()).rows:
        raise DatasetError(f"dataset {str(dataset.path)!r} has no rows of the split {split!r}")
    _check_folder(out, dataset)
    settings = {
        "dataset": sha256_hex(dataset.path / MANIFEST_NAME),
        "seed": seed,
        "split": split,
        "options": asdict(options or AugmentationOptions()),
    }
    stage = AugmentStage(
        output_folder=out / "data",
        record_folder=out / "work" / "records",
        options=options or AugmentationOptions(),
        seed=seed,
        split=split,
        settings=settings,
    )
    named = run_on_shards(
        stage,
        dataset,
        out,
        manifest_name=MANIFEST_NAME,
        n_workers=n_workers,
        restarts=restarts,
        on_progress=on_progress,
    )
    manifest = _summarize(named, dataset.manifest, settings)
    augmentation = {
        **settings,
        "rows": manifest.total.rows,
        "hanzi": manifest.total.hanzi,
        **_sum_operations(list(named.values())),
    }
    write_json(out / AUGMENTATION_NAME, augmentation)
    with atomic_path(out / "README.md") as part:
        card = _CARD.format(rows=manifest.total.rows, split=split, seed=seed)
        part.write_text(card, encoding="utf-8")
    write_manifest(out, manifest)
    return AugmentedDataset(out, manifest, augmentation)


def open_augmented_dataset(folder: Path | str, *, verify: bool = False) -> AugmentedDataset:
    """Open a finished augmented dataset; `verify` checks the sha256 of every shard.

    Raises:
        DatasetError: it is none, not finished, of another version, or damaged.
    """
    base = open_dataset(folder, verify=verify)
    augmentation = read_json(base.path / AUGMENTATION_NAME)
    if augmentation is None:
        raise DatasetError(
            f"dataset {str(folder)!r} has no readable {AUGMENTATION_NAME}: make it with "
            "yinzi-train augment"
        )
    return AugmentedDataset(base.path, base.manifest, augmentation)


def _check_folder(out: Path, dataset: Dataset) -> None:
    """Refuse the folder of a dataset that was not augmented, the given one above all."""
    found = read_json(out / BUILD_NAME)
    is_other = found is not None and _STAGE not in found
    if is_other or out.resolve() == dataset.path.resolve():
        raise ConfigError(
            f"{str(out)!r} holds a dataset that is not augmented: give --out a new or empty folder"
        )


def _count_operations(
    table: pa.Table, operations: dict[str, list[int]], profiles: Counter[str]
) -> int:
    """Add the operations of a table; return how many rows have one."""
    lists = table.column("operations").combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.chunk(0)
    values = lists.flatten()
    flat = pa.table(
        {
            "row": pc.list_parent_indices(lists),
            "kind": values.field("kind"),
            "after": values.field("after"),
        }
    )
    sums = flat.group_by("kind").aggregate([([], "count_all"), ("row", "count_distinct")])
    for row in sums.to_pylist():
        operations[row["kind"]][0] += row["count_all"]
        operations[row["kind"]][1] += row["row_count_distinct"]
    accents = flat.filter(pc.equal(flat.column("kind"), "profile")).column("after")
    profiles.update({one["values"]: one["counts"] for one in pc.value_counts(accents).to_pylist()})
    return int(pc.count_distinct(flat.column("row")).as_py())


def _sum_operations(records: Sequence[UnitRecord]) -> dict[str, Any]:
    counts = {kind: {"n": 0, "rows": 0} for kind in OPERATION_KINDS}
    profiles: Counter[str] = Counter()
    for record in records:
        for kind, (n, n_rows) in record.figures["operations"].items():
            counts[kind]["n"] += n
            counts[kind]["rows"] += n_rows
        profiles.update(record.figures["profiles"])
    return {
        "changed_rows": sum(record.figures["changed"] for record in records),
        "unlabelled_rows": sum(record.figures.get("unlabelled", 0) for record in records),
        "operations": counts,
        "profiles": dict(sorted(profiles.items())),
    }


def _summarize(
    records: Mapping[str, UnitRecord], base: DatasetManifest, settings: Mapping[str, Any]
) -> DatasetManifest:
    """Return the manifest of the base dataset with what is left of it after choosing a split."""
    totals: dict[tuple[str, Any], Count] = defaultdict(Count)
    by_source: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    shards = []
    for name, record in records.items():
        shard = Count()
        for source, domain, licence, split, fold, rows, hanzi, doubtful in record.figures["groups"]:
            count = Count(rows, hanzi)
            shard += count
            for column, value in (("domain", domain), ("licence", licence), ("split", split)):
                totals[column, value] += count
            if split == "train":
                totals["fold", fold] += count
            for index, value in enumerate((rows, hanzi, doubtful)):
                by_source[source, domain, licence][index] += value
        output = record.output
        file = f"data/{name}.parquet"
        shards.append(ShardRecord(file, shard.rows, shard.hanzi, output.n_bytes, output.sha256))
    sources = tuple(
        SourceRecord(one.source, one.domain, one.licence, one.origin, *by_source[key])
        for one in base.sources
        if (key := (one.source, one.domain, one.licence)) in by_source
    )
    return replace(
        base,
        config={**base.config, _STAGE: settings},
        sources=sources,
        shards=tuple(shards),
        splits={name: totals["split", name] for name in SPLITS},
        folds=tuple(totals["fold", index] for index in range(len(base.folds))),
        domains={name: totals["domain", name] for name in base.domains},
        licences={name: totals["licence", name] for name in base.licences},
        doubtful=sum(one.doubtful for one in sources),
        rows_read=base.total.rows,
        drops={},
    )
