"""Build a corpus: text files in, clean shards without duplicates out.

    paths → units ─ pass 1: read, clean ─► rows and keys ─ find duplicates ─ pass 2 ─► shards

Everything is in the folder that is given: `corpus.json` (what was made from what), `shards/`
(Parquet), `dropped/` (samples of dropped rows by reason), and while the run lasts `work/`. A killed
run goes on with the unfinished units; shards and `corpus.json` come out as from an unbroken run.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from yinzi.artifact.checksum import sha256_hex
from yinzi_train.corpus.cleaning import cleaning_blocks
from yinzi_train.corpus.dropped import DroppedRows, sample_rank
from yinzi_train.corpus.duplicates import find_duplicates
from yinzi_train.corpus.errors import CorpusError
from yinzi_train.corpus.execution import Progress, ProgressCallback, run_steps
from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.corpus.planning import Plan, plan_units
from yinzi_train.corpus.result import CORPUS_NAME, CorpusResult
from yinzi_train.corpus.sources import find_sources
from yinzi_train.corpus.steps import ShardWriter, UnitReader, UnitWriter, load_keys
from yinzi_train.corpus.streams import ReadLog
from yinzi_train.corpus.units import Unit
from yinzi_train.corpus.writing import read_json, write_json, writing

__all__ = ["run_corpus"]

EXACT: Final = "exact_duplicate"
NEAR: Final = "near_duplicate"


def run_corpus(
    paths: Sequence[Path | str],
    out: Path,
    options: CorpusOptions | None = None,
    *,
    executor: str = "local",
    workers: int = 1,
    progress: ProgressCallback | None = None,
) -> CorpusResult:
    """Clean the texts below the paths into the folder `out`; finished work in it is kept.

    The rows are the same for any executor and number of workers. With Ray, all nodes must see the
    same files.

    Raises:
        CorpusError: there is nothing to read, a file cannot be read (`UnreadableSource`), the disk
            is full, or every row was dropped.
        ConfigError: `executor` or `workers` is out of range.
    """
    options = options or CorpusOptions()
    out = Path(out)
    plan = plan_units(find_sources(paths, options), options)
    result = _finished(out, plan)
    if result is not None:
        return result
    work = out / "work"
    for folder in (out, work, out / "shards"):
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".*.part"):
            leftover.unlink(missing_ok=True)
    (out / CORPUS_NAME).unlink(missing_ok=True)
    run = _Run(plan, options, out, executor, workers, progress)
    records = run.clean()
    run.mark_duplicates(records)
    shards = run.write()
    result = run.finish(records, shards)
    shutil.rmtree(work)
    return result


def _finished(out: Path, plan: Plan) -> CorpusResult | None:
    """Return the corpus in the folder if it is whole and made from the same text and options."""
    data = read_json(out / CORPUS_NAME)
    if not isinstance(data, dict) or data.get("digest") != plan.digest:
        return None
    result = CorpusResult.open(out)
    for shard in result.shards:
        if not shard.path.is_file() or sha256_hex(shard.path) != shard.sha256:
            return None
    return result


@dataclass(frozen=True)
class _Run:
    """One run: what its stages share."""

    plan: Plan
    options: CorpusOptions
    out: Path
    executor: str
    workers: int
    progress: ProgressCallback | None

    @property
    def work(self) -> Path:
        return self.out / "work"

    def clean(self) -> list[dict[str, Any]]:
        """Pass 1: return the records of all units."""

        def is_done(unit: Unit) -> bool:
            record = read_json(self.work / f"{unit.work_name}.json")
            return isinstance(record, dict) and record.get("digest") == unit.digest

        units = self._pending(is_done)
        dropped = DroppedRows(self.options.sample_rows)
        reader = UnitReader(units, self.options, ReadLog(skip=self.options.skip_unreadable))
        blocks = cleaning_blocks(self.options, dropped)
        writer = UnitWriter(self.work, reader, blocks, dropped)
        self._run([reader, *blocks, writer], units, "clean", is_done)
        records = [read_json(self.work / f"{unit.work_name}.json") for unit in self.plan.units]
        if not any(record["n_rows"] for record in records):
            n_lines = sum(record["n_lines"] for record in records)
            drops = _summed(record["drops"] for record in records)
            told = ", ".join(f"{n} {reason}" for reason, n in drops.items()) or "no line at all"
            raise CorpusError(
                f"empty corpus: {n_lines} lines read and none kept ({told}); "
                "is it Chinese text, in the encoding that was found?"
            )
        return records

    def mark_duplicates(self, records: list[dict[str, Any]]) -> None:
        """Write for each unit which rows go, and why; they depend on all units."""
        if (self.work / "duplicates.json").is_file():
            known = read_json(self.work / "duplicates.json")
            if known == {"digest": self.plan.digest}:
                return
        begin = time.monotonic()
        self._tell("duplicates", 0, begin)
        keys = [
            batch
            for unit, record in zip(self.plan.units, records, strict=True)
            for batch in load_keys(
                self.work / f"{unit.work_name}.keys",
                record["batch_rows"],
                with_bands=self.options.drop_near,
            )
        ]
        found = find_duplicates(keys, self.options)
        reasons = (found.exact_of >= 0) + 2 * (found.near_of >= 0)
        start = 0
        for unit, record in zip(self.plan.units, records, strict=True):
            stop = start + record["n_rows"]
            with (
                writing(self.work / f"{unit.work_name}.reasons.npy") as part,
                part.open("wb") as file,
            ):
                np.save(file, reasons[start:stop].astype(np.uint8))
            start = stop
        with writing(self.work / "originals.npy") as part, part.open("wb") as file:
            np.save(file, np.maximum(found.exact_of, found.near_of))
        write_json(self.work / "duplicates.json", {"digest": self.plan.digest})
        self._tell("duplicates", 1, begin)

    def write(self) -> list[dict[str, Any]]:
        """Pass 2: return the records of all shards."""

        def is_done(unit: Unit) -> bool:
            record = read_json(self.work / f"{unit.work_name}.shard.json")
            return isinstance(record, dict) and record.get("digest") == self.plan.digest

        units = self._pending(is_done)
        writer = ShardWriter(
            units,
            self.work,
            self.out / "shards",
            reasons=(EXACT, NEAR),
            digest=self.plan.digest,
            sample_rows=self.options.sample_rows,
        )
        self._run([writer], units, "write", is_done)
        return [read_json(self.work / f"{unit.work_name}.shard.json") for unit in self.plan.units]

    def finish(self, records: list[dict[str, Any]], shards: list[dict[str, Any]]) -> CorpusResult:
        """Write the samples and, last of all, `corpus.json`."""
        wanted = {f"{unit.name}.parquet" for unit in self.plan.units}
        for path in (self.out / "shards").iterdir():
            if path.name not in wanted:
                path.unlink()
        self._write_samples(records, shards)
        sources = {part.source.name: part.source for unit in self.plan.units for part in unit.parts}
        counts: dict[str, list[int]] = {}
        for shard in shards:
            for name, (n_rows, n_hanzi) in shard["sources"].items():
                total = counts.setdefault(name, [0, 0])
                total[0] += n_rows
                total[1] += n_hanzi
        data = {
            "digest": self.plan.digest,
            "options": self.options.as_dict(),
            "n_lines": sum(record["n_lines"] for record in records),
            "n_added": sum(record["n_added"] for record in records),
            "n_rows": sum(shard["n_rows"] for shard in shards),
            "n_hanzi": sum(shard["n_hanzi"] for shard in shards),
            "n_lines_cut": sum(record["n_lines_cut"] for record in records),
            "drops": _summed(record["drops"] for record in [*records, *shards]),
            "changed": _summed(record["changed"] for record in records),
            "unreadable": [
                *(message for _, message in self.plan.skipped),
                *(message for record in records for message in record["messages"]),
            ],
            "sources": [
                {
                    "name": name,
                    "file": source.relative,
                    "domain": source.domain,
                    "licence": source.licence,
                    "n_rows": counts.get(name, [0, 0])[0],
                    "n_hanzi": counts.get(name, [0, 0])[1],
                }
                for name, source in sources.items()
            ],
            "shards": [
                {
                    **{
                        key: shard[key]
                        for key in ("file", "n_rows", "n_hanzi", "n_bytes", "sha256")
                    },
                    "sources": sorted(shard["sources"]),
                }
                for shard in shards
            ],
        }
        write_json(self.out / CORPUS_NAME, data)
        return CorpusResult.open(self.out)

    def _write_samples(self, records: list[dict[str, Any]], shards: list[dict[str, Any]]) -> None:
        samples: dict[str, list[dict[str, Any]]] = {}
        for record in [*records, *shards]:
            for reason, rows in record["samples"].items():
                samples.setdefault(reason, []).extend(rows)
        shutil.rmtree(self.out / "dropped", ignore_errors=True)
        (self.out / "dropped").mkdir()
        chosen = {
            reason: sorted(rows, key=lambda row: (sample_rank(row["id"]), row["id"]))[
                : self.options.sample_rows
            ]
            for reason, rows in sorted(samples.items())
        }
        self._add_originals([*chosen.get(EXACT, []), *chosen.get(NEAR, [])])
        for reason, rows in chosen.items():
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            with writing(self.out / "dropped" / f"{reason}.jsonl") as part:
                part.write_text(text, encoding="utf-8")

    def _add_originals(self, rows: list[dict[str, Any]]) -> None:
        """Add to sampled duplicates the row that they are like."""
        if not rows:
            return
        originals = np.load(self.work / "originals.npy", mmap_mode="r")
        wanted = {row["id"]: row for row in rows}
        of: dict[int, list[dict[str, Any]]] = {}
        tables = [self.work / f"{unit.work_name}.parquet" for unit in self.plan.units]
        start = 0
        for path in tables:
            ids = pq.read_table(path, columns=["id"]).column("id").to_pylist()
            for at, row_id in enumerate(ids, start):
                if row_id in wanted:
                    of.setdefault(int(originals[at]), []).append(wanted[row_id])
            start += len(ids)
        start = 0
        for path in tables:
            n_rows = pq.read_metadata(path).num_rows
            inside = [at for at in of if start <= at < start + n_rows]
            if inside:
                found = pq.read_table(path, columns=["id", "text"])
                for at in inside:
                    original = found.slice(at - start, 1).to_pylist()[0]
                    for row in of[at]:
                        row["like_id"], row["like_text"] = original["id"], original["text"]
            start += n_rows

    def _pending(self, is_done: Any) -> list[Unit]:
        """Units still to do, the largest first, so that workers end together."""
        pending = [unit for unit in self.plan.units if not is_done(unit)]
        return sorted(pending, key=lambda unit: (-unit.n_bytes, unit.name))

    def _run(self, steps: Sequence[Any], units: list[Unit], stage: str, is_done: Any) -> None:
        log_folder = self.work / "logs" / stage
        shutil.rmtree(log_folder, ignore_errors=True)
        run_steps(
            steps,
            units,
            stage=stage,
            is_done=is_done,
            log_folder=log_folder,
            executor=self.executor,
            workers=self.workers,
            progress=self.progress,
            n_before=len(self.plan.units) - len(units),
        )

    def _tell(self, stage: str, n_done: int, begin: float) -> None:
        if self.progress is not None:
            seconds = time.monotonic() - begin
            self.progress(Progress(stage, n_done, 1, float(n_done), seconds, None))


def _summed(counts: Any) -> dict[str, int]:
    """Sum tables of counts, largest first."""
    total: Counter[str] = Counter()
    one: Mapping[str, int]
    for one in counts:
        total.update(one)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))
