"""Describe a finished dataset: what is in it, where it came from, what was dropped and why.

`manifest.json` is written last, so a folder with a manifest is a whole dataset. The format is
documented in docs/dataset.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from yinzi.artifact.checksum import sha256_hex
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.schema import SCHEMA_VERSION
from yinzi_train.dataset.storage import read_json, write_json

__all__ = [
    "MANIFEST_NAME",
    "ContaminationRecord",
    "Count",
    "DatasetManifest",
    "ShardRecord",
    "SourceRecord",
    "read_manifest",
    "write_manifest",
]

MANIFEST_NAME: Final = "manifest.json"


@dataclass(frozen=True)
class Count:
    """How much there is of something.

    Attributes:
        rows: sentences.
        hanzi: hanzi in them.
    """

    rows: int = 0
    hanzi: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.rows + other.rows, self.hanzi + other.hanzi)


@dataclass(frozen=True)
class ShardRecord:
    """One Parquet file.

    Attributes:
        file: path in the dataset folder, as ``data/chat__jokes-000.parquet``.
        rows: sentences in it.
        hanzi: hanzi in it.
        n_bytes: its size.
        sha256: of its bytes, hexadecimal.
    """

    file: str
    rows: int
    hanzi: int
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class SourceRecord:
    """One text that the dataset was made from.

    Attributes:
        source: value of the column `source`.
        domain: value of the column `domain`.
        licence: value of the column `licence`.
        origin: where it was published, and the version; empty if not known.
        rows: sentences of it in the dataset.
        hanzi: hanzi of it in the dataset.
        doubtful: hanzi of it whose reading is uncertain.
    """

    source: str
    domain: str
    licence: str
    origin: str
    rows: int
    hanzi: int
    doubtful: int


@dataclass(frozen=True)
class ContaminationRecord:
    """What was found of one evaluation set.

    Attributes:
        name: of the set.
        sha256: of its file, hexadecimal.
        items: its runs of hanzi that were looked for.
        short: its runs that were too short to be looked for.
        found: items that the training text shared text with.
        rows: training sentences dropped for it; one may count for several sets.
    """

    name: str
    sha256: str
    items: int
    short: int
    found: int
    rows: int


@dataclass(frozen=True)
class DatasetManifest:
    """What a dataset folder holds.

    Attributes:
        created: date the build was started, ISO 8601.
        config: every setting, defaults included.
        labeller: name and version of what gave the readings.
        sources: by name.
        shards: by file.
        splits: sentences and hanzi of each split.
        folds: sentences and hanzi of the train split by fold; the index is the fold.
        domains: sentences and hanzi of each domain.
        licences: sentences and hanzi under each licence.
        doubtful: hanzi whose reading is uncertain.
        rows_read: sentences or lines the corpus stage read.
        drops: rows dropped, by reason, over all stages.
        contamination: one record an evaluation set.
        schema_version: of the columns.
    """

    created: str
    config: Mapping[str, Any]
    labeller: Mapping[str, str]
    sources: tuple[SourceRecord, ...]
    shards: tuple[ShardRecord, ...]
    splits: Mapping[str, Count]
    folds: tuple[Count, ...]
    domains: Mapping[str, Count]
    licences: Mapping[str, Count]
    doubtful: int
    rows_read: int
    drops: Mapping[str, int]
    contamination: tuple[ContaminationRecord, ...] = ()
    schema_version: int = field(default=SCHEMA_VERSION)

    @property
    def total(self) -> Count:
        """All sentences and hanzi."""
        return sum(self.splits.values(), Count())


def write_manifest(folder: Path, manifest: DatasetManifest) -> None:
    """Write the manifest of a dataset folder.

    Raises:
        DatasetError: the disk is full, or the folder cannot be written.
    """
    write_json(folder / MANIFEST_NAME, asdict(manifest))


def read_manifest(folder: Path, *, verify: bool = False) -> DatasetManifest:
    """Read the manifest of a dataset folder and check that its shards are there.

    Args:
        folder: the dataset.
        verify: check the sha256 of every shard too, not its size alone.

    Raises:
        DatasetError: it is no dataset, not finished, of another version, or damaged.
    """
    label = f"dataset {str(folder)!r}"
    if not folder.is_dir():
        raise DatasetError(f"{label} is no folder: build it with yinzi-train dataset")
    value = read_json(folder / MANIFEST_NAME)
    if value is None:
        raise DatasetError(
            f"{label} has no readable {MANIFEST_NAME}: it is not finished, or not a dataset; run "
            "the yinzi-train dataset command that makes it (again)"
        )
    version = value.get("schema_version")
    if version != SCHEMA_VERSION:
        raise DatasetError(
            f"{label} has schema version {version!r}, this program reads {SCHEMA_VERSION}: build "
            "it again"
        )
    try:
        manifest = _from_dict(value)
    except (TypeError, KeyError) as error:
        raise DatasetError(f"{label}: {MANIFEST_NAME} is damaged: {error}") from error
    for shard in manifest.shards:
        _check_shard(folder, shard, label=label, verify=verify)
    return manifest


def _check_shard(folder: Path, shard: ShardRecord, *, label: str, verify: bool) -> None:
    path = folder / shard.file
    try:
        n_bytes = path.stat().st_size
    except OSError as error:
        raise DatasetError(
            f"{label}: cannot read {shard.file}: {error.strerror}; fetch or build it again"
        ) from error
    if n_bytes != shard.n_bytes:
        raise DatasetError(
            f"{label}: {shard.file} has {n_bytes} bytes, the manifest says {shard.n_bytes}; the "
            "file is damaged or edited, fetch or build it again"
        )
    if verify and (sha256 := sha256_hex(path)) != shard.sha256:
        raise DatasetError(
            f"{label}: {shard.file} sha256 is {sha256[:8]}…, the manifest says "
            f"{shard.sha256[:8]}…; the file is damaged or edited, fetch or build it again"
        )


def _from_dict(value: Mapping[str, Any]) -> DatasetManifest:
    def counts(name: str) -> dict[str, Count]:
        return {key: Count(**count) for key, count in value[name].items()}

    return DatasetManifest(
        **{
            **value,
            "sources": tuple(SourceRecord(**item) for item in value["sources"]),
            "shards": tuple(ShardRecord(**item) for item in value["shards"]),
            "splits": counts("splits"),
            "folds": tuple(Count(**item) for item in value["folds"]),
            "domains": counts("domains"),
            "licences": counts("licences"),
            "contamination": tuple(ContaminationRecord(**item) for item in value["contamination"]),
        }
    )
