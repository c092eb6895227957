"""Take over from a manifest what a report tells, and check that report and manifest agree.

What can be counted is counted from the rows; the manifest was counted by the build. If the two
differ, one of them is wrong, and no report is written.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from yinzi_train.dataset.manifest import DatasetManifest

__all__ = ["differences", "manifest_statistics", "read_dropped_samples"]

SAMPLE_CHARACTERS: Final = 40

_DUPLICATE_MARK: Final = "duplicate"
_NUMBER: Final = re.compile(r"\d[\d -]{3,}\d[Xx]?")
_ADDRESS: Final = re.compile(r"[\w.+-]+@[\w.-]+\w|https?://\S+")


def manifest_statistics(manifest: DatasetManifest) -> dict[str, Any]:
    """Return the figures that only the manifest knows."""
    dropped = sum(manifest.drops.values())
    n_read = manifest.rows_read
    drops = sorted(manifest.drops.items(), key=lambda item: (-item[1], item[0]))
    return {
        "dataset": {
            "created": manifest.created,
            "schema_version": manifest.schema_version,
            "labeller": dict(manifest.labeller),
            "shards": len(manifest.shards),
            "bytes": sum(shard.n_bytes for shard in manifest.shards),
        },
        "drops": {
            "rows_read": n_read,
            "rows_dropped": dropped,
            "duplicates": sum(n for reason, n in drops if _DUPLICATE_MARK in reason),
            "reasons": [
                {
                    "reason": reason,
                    "rows": n_rows,
                    "share": float(f"{n_rows / max(n_read, 1):.4g}"),
                    "is_duplicate": _DUPLICATE_MARK in reason,
                }
                for reason, n_rows in drops
            ],
        },
        "contamination": [asdict(record) for record in manifest.contamination],
        "origins": {record.source: record.origin for record in manifest.sources},
    }


def differences(report: Mapping[str, Any], manifest: DatasetManifest) -> list[str]:
    """List what a report says otherwise than the manifest; empty if they agree.

    Args:
        report: the figures, as in report.json.
        manifest: of the same dataset.
    """
    expected = manifest_statistics(manifest)
    found: list[str] = []

    def compare(what: str, given: Any, wanted: Any) -> None:
        if given != wanted:
            found.append(f"{what}: the report says {given}, the manifest {wanted}")

    for name in ("dataset", "drops", "contamination", "origins"):
        given = (
            {key: report[name].get(key) for key in expected[name]}
            if isinstance(expected[name], dict)
            else report[name]
        )
        compare(name, given, expected[name])
    total = manifest.total
    compare("rows", report["totals"]["rows"], total.rows)
    compare("hanzi", report["totals"]["hanzi"], total.hanzi)
    compare("doubtful hanzi", report["totals"]["doubtful"], manifest.doubtful)
    for column, counts in (
        ("domain", manifest.domains),
        ("licence", manifest.licences),
        ("split", manifest.splits),
    ):
        found += _group_differences(
            column,
            {row[column]: (row["rows"], row["hanzi"]) for row in report[f"{column}s"]},
            {name: (count.rows, count.hanzi) for name, count in counts.items()},
        )
    found += _group_differences(
        "fold",
        {row["fold"]: (row["rows"], row["hanzi"]) for row in report["folds"]},
        {index: (count.rows, count.hanzi) for index, count in enumerate(manifest.folds)},
    )
    found += _group_differences(
        "source",
        {
            row["source"]: (
                row["domain"],
                row["licence"],
                row["rows"],
                row["hanzi"],
                row["doubtful"],
            )
            for row in report["sources"]
        },
        {
            row.source: (row.domain, row.licence, row.rows, row.hanzi, row.doubtful)
            for row in manifest.sources
        },
    )
    return found


def _group_differences(
    column: str, given: Mapping[Any, tuple[Any, ...]], wanted: Mapping[Any, tuple[Any, ...]]
) -> Iterator[str]:
    for name in sorted({*given, *wanted}, key=str):
        ours, theirs = given.get(name), wanted.get(name)
        # The build may list what came out empty; the rows cannot.
        if ours != theirs and not (
            ours is None and theirs is not None and not any(_numbers(theirs))
        ):
            yield f"{column} {name!r}: the report says {ours}, the manifest {theirs}"


def _numbers(cells: tuple[Any, ...]) -> list[int]:
    return [cell for cell in cells if isinstance(cell, int)]


def read_dropped_samples(folder: Path, *, n_samples: int) -> dict[str, list[str]]:
    """Return the first texts of the samples of dropped rows, by reason.

    Args:
        folder: the dataset; samples are in ``dropped/<reason>.jsonl``.
        n_samples: texts of each reason, shortened.
    """
    samples: dict[str, list[str]] = {}
    for path in sorted((folder / "dropped").glob("*.jsonl")) if n_samples else []:
        with path.open(encoding="utf-8") as file:
            lines = itertools.islice(file, n_samples)
            samples[path.stem] = [_excerpt(json.loads(line)["text"]) for line in lines]
    return samples


def _excerpt(text: str) -> str:
    r"""Return the beginning of a text on one line, without what may be personal.

    A dropped text has not been through all cleaning, so numbers and addresses may still be in it.

    >>> _excerpt("打 13812345678 或 写信 给 li@example.com\n谢谢")
    '打 ##### 或 写信 给 @ 谢谢'
    """
    line = _ADDRESS.sub("@", _NUMBER.sub("#####", " ".join(text.split())))
    line = line.replace("`", "'")
    return line if len(line) <= SAMPLE_CHARACTERS else f"{line[:SAMPLE_CHARACTERS]}…"
