"""Add up what the units of a dataset counted: the manifest, and the lists of dropped rows."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from yinzi_train.corpus.result import CorpusResult
from yinzi_train.dataset.config import DatasetConfig
from yinzi_train.dataset.contamination import EvaluationSet
from yinzi_train.dataset.manifest import (
    ContaminationRecord,
    Count,
    DatasetManifest,
    ShardRecord,
    SourceRecord,
)
from yinzi_train.dataset.schema import SPLITS
from yinzi_train.dataset.storage import atomic_path
from yinzi_train.dataset.units import UnitRecord

__all__ = ["summarize", "write_dropped"]


def summarize(
    records: Mapping[str, UnitRecord],
    *,
    created: str,
    config: DatasetConfig,
    labeller: Mapping[str, str],
    corpus: CorpusResult,
    n_unlabelled: int,
    origins: Mapping[str, str],
    sets: Sequence[EvaluationSet],
    digests: Sequence[str],
) -> DatasetManifest:
    """Add up what the units counted.

    Args:
        records: of the shards, by the name of the unit.
        created: date of the build.
        config: of the build.
        labeller: name and version.
        corpus: what the corpus stage read and dropped.
        n_unlabelled: rows the labelling stage dropped, for want of hanzi.
        origins: where each source was published.
        sets: evaluation sets.
        digests: sha256 of their files.
    """
    by_source: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    totals: dict[str, dict[Any, Count]] = {
        "split": {name: Count() for name in SPLITS},
        "fold": {fold: Count() for fold in range(config.splits.n_folds)},
        "domain": {},
        "licence": {},
    }
    shards = []
    for name, record in records.items():
        n_hanzi = 0
        for *key, rows, hanzi, doubtful in record.figures["groups"]:
            source, domain, licence, split, fold = key
            _add(by_source[source, domain, licence], (rows, hanzi, doubtful))
            count = Count(rows, hanzi)
            groups: dict[str, Any] = {"split": split, "domain": domain, "licence": licence}
            if split == "train":
                groups["fold"] = fold
            for column, value in groups.items():
                totals[column][value] = totals[column].get(value, Count()) + count
            n_hanzi += hanzi
        output = record.output
        shards.append(
            ShardRecord(f"data/{name}.parquet", output.rows, n_hanzi, output.n_bytes, output.sha256)
        )
    sources = tuple(
        SourceRecord(source, domain, licence, origins.get(source, ""), *counted)
        for (source, domain, licence), counted in sorted(by_source.items())
    )
    dropped = [row for record in records.values() for row in record.figures["dropped"]]
    drops = {
        **corpus.drops,
        "no_hanzi": corpus.drops.get("no_hanzi", 0) + n_unlabelled,
        "contamination": len(dropped),
    }
    return DatasetManifest(
        created=created,
        config=config.to_dict(),
        labeller=labeller,
        sources=sources,
        shards=tuple(shards),
        splits=totals["split"],
        folds=tuple(totals["fold"][fold] for fold in range(config.splits.n_folds)),
        domains=dict(sorted(totals["domain"].items())),
        licences=dict(sorted(totals["licence"].items())),
        doubtful=sum(source.doubtful for source in sources),
        rows_read=corpus.n_lines + corpus.n_added,
        drops={reason: n_rows for reason, n_rows in sorted(drops.items()) if n_rows},
        contamination=tuple(_contamination_records(dropped, sets, digests)),
    )


def _contamination_records(
    dropped: Sequence[Mapping[str, Any]], sets: Sequence[EvaluationSet], digests: Sequence[str]
) -> Iterator[ContaminationRecord]:
    found: list[set[int]] = [set() for _ in sets]
    rows: Counter[int] = Counter()
    for row in dropped:
        rows.update({set_index for set_index, _ in row["matches"]})
        for set_index, item in row["matches"]:
            found[set_index].add(item)
    for index, (one, sha256) in enumerate(zip(sets, digests, strict=True)):
        yield ContaminationRecord(
            name=one.name,
            sha256=sha256,
            items=len(one.items),
            short=one.n_short,
            found=len(found[index]),
            rows=rows[index],
        )


def write_dropped(
    folder: Path,
    records: Iterable[UnitRecord],
    *,
    corpus: CorpusResult,
    sets: Sequence[EvaluationSet],
) -> None:
    """Write samples of the rows the corpus stage dropped, and all rows dropped as contaminated."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in corpus.sample_files.values():
        with atomic_path(folder / path.name) as part:
            shutil.copyfile(path, part)
    lines = []
    for record in records:
        for row in record.figures["dropped"]:
            shared = [
                {"evaluation": sets[set_index].name, "hanzi": sets[set_index].items[item]}
                for set_index, item in row["matches"]
            ]
            line = {"id": row["id"], "text": row["text"], "reason": "contamination"}
            lines.append(json.dumps({**line, "shared": shared}, ensure_ascii=False) + "\n")
    if lines:
        with atomic_path(folder / "contamination.jsonl") as part:
            part.write_text("".join(lines), encoding="utf-8")


def _add(total: list[int], values: Sequence[int]) -> None:
    for index, value in enumerate(values):
        total[index] += value
