"""Run one stage over many Parquet files, on datatrove's local or Ray executor.

A unit is one file in, one file out, with a record beside it that says from what it was made. A unit
whose record still holds is kept, so a job that was killed goes on with the unfinished units. Units
do not depend on each other: any number of workers, on any executor, makes the same bytes.

A running task notes how many rows it has done, because a unit may take minutes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import YinziError
from yinzi_train.corpus.execution import Progress, run_steps
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.storage import (
    FileRecord,
    read_json,
    remove_parts,
    write_json,
)

__all__ = [
    "Execution",
    "ReportProgress",
    "Unit",
    "UnitRecord",
    "UnitStage",
    "digest",
    "list_units",
    "read_unit",
    "read_unit_record",
    "run_units",
]

ReportProgress = Callable[[int, int], None]
"""Takes the rows done and the rows in all."""

_BATCH_ROWS: Final = 1 << 15


@dataclass(frozen=True)
class Execution:
    """Where units are worked on.

    Attributes:
        n_workers: units at a time, at least 1.
        uses_ray: on the Ray cluster that is connected, instead of processes of this machine.
    """

    n_workers: int = 1
    uses_ray: bool = False


@dataclass(frozen=True)
class Unit:
    """One input file of a stage.

    Attributes:
        name: of the file, without the ending; the output has the same.
        path: the file.
        rows: rows in it.
        sha256: of its bytes, hexadecimal.
    """

    name: str
    path: Path
    rows: int
    sha256: str

    @property
    def n_bytes(self) -> int:
        """Weight of the work."""
        return self.rows


@dataclass(frozen=True)
class UnitRecord:
    """A finished unit.

    Attributes:
        made_from: digest of the input file and the stage's settings.
        output: the file that was made.
        figures: what the stage counted.
    """

    made_from: str
    output: FileRecord
    figures: Mapping[str, Any] = field(default_factory=dict)


class UnitStage(Protocol):
    """What a stage does to one file; pickled to the workers.

    Attributes:
        name: for messages.
        settings: plain data that decides, with the input, what is made.
        output_folder: of the files that are made.
        record_folder: of their records.
        schema: of the input files.
    """

    name: str
    settings: Mapping[str, Any]
    output_folder: Path
    record_folder: Path
    schema: pa.Schema

    def process(
        self, tables: Iterator[pa.Table], output: Path
    ) -> tuple[FileRecord, Mapping[str, Any]]:
        """Make the output file from the rows of the input file; return it and its figures."""


def digest(value: Any) -> str:
    """Return a digest of plain data: the same for equal tables, lists, texts and numbers.

    >>> digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    True
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def list_units(paths: Iterable[Path]) -> list[Unit]:
    """Return Parquet files as units, in the order given.

    Raises:
        DatasetError: a file is missing, or no Parquet file.
    """
    units = []
    for path in paths:
        try:
            rows = pq.read_metadata(path).num_rows
            units.append(Unit(path.stem, path, rows, sha256_hex(path)))
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(path, error) from error
    return units


def read_unit(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of a unit in tables of a fixed number of rows.

    Raises:
        DatasetError: the file cannot be read, or lacks a column.
    """
    try:
        with pq.ParquetFile(path) as file:
            missing = [name for name in schema.names if name not in file.schema_arrow.names]
            if missing:
                raise DatasetError(
                    f"{str(path)!r} has no column {missing[0]!r}: expected {schema.names}"
                )
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=schema.names):
                yield pa.Table.from_batches([batch]).select(schema.names).cast(schema)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def read_unit_record(stage: UnitStage, unit: Unit) -> UnitRecord | None:
    """Return the record of a unit if it is finished, from the same input with the same settings."""
    value = read_json(stage.record_folder / f"{unit.name}.json") or {}
    try:
        record = UnitRecord(value["made_from"], FileRecord(**value["output"]), value["figures"])
    except (TypeError, KeyError):
        return None
    if record.made_from != _made_from(stage, unit):
        return None
    if not record.output.describes(_output_path(stage, unit)):
        return None
    return record


def run_units(
    stage: UnitStage,
    units: Sequence[Unit],
    *,
    execution: Execution,
    logging_folder: Path,
    on_progress: ReportProgress = lambda n_done, n_total: None,
) -> list[UnitRecord]:
    """Make the output of every unit that has none yet; return the records of all, in order.

    Args:
        stage: what is done.
        units: on what.
        execution: where.
        logging_folder: for logs and notes of running tasks; stays if a task fails.
        on_progress: called from time to time, in this process.

    Raises:
        YinziError: a unit failed; finished units are kept.
    """
    for folder in (stage.output_folder, stage.record_folder):
        folder.mkdir(parents=True, exist_ok=True)
        remove_parts(folder)
    shutil.rmtree(logging_folder, ignore_errors=True)
    logging_folder.mkdir(parents=True)
    records = {unit.name: read_unit_record(stage, unit) for unit in units}
    waiting = [unit for unit in units if records[unit.name] is None]
    # The largest first, so that workers end at about the same time.
    waiting.sort(key=lambda unit: (-unit.rows, unit.name))
    n_total = sum(unit.rows for unit in units)
    n_kept = n_total - sum(unit.rows for unit in waiting)
    on_progress(n_kept, n_total)
    notes = logging_folder / "rows"
    notes.mkdir()

    def tell(progress: Progress) -> None:
        on_progress(n_kept + sum(_read_note(path) for path in notes.iterdir()), n_total)

    tasks: Any = waiting  # what it asks of units is a name and a weight
    run_steps(
        [_UnitStep(stage, tuple(waiting), notes)],
        tasks,
        stage=stage.name,
        is_done=partial(_has_record, stage),
        log_folder=logging_folder / "tasks",
        executor="ray" if execution.uses_ray else "local",
        workers=execution.n_workers,
        progress=tell,
    )
    shutil.rmtree(logging_folder, ignore_errors=True)
    on_progress(n_total, n_total)
    made = {unit.name: records[unit.name] or read_unit_record(stage, unit) for unit in units}
    for name, record in made.items():
        if record is None:
            raise DatasetError(
                f"{stage.name} of {name!r} was changed by another process: let only one command "
                "work in a folder, and run it again"
            )
    return [record for record in made.values() if record is not None]


class _UnitStep(PipelineStep):
    """The block that both executors run: task n works on unit n."""

    type = "UNIT"
    name = "one file in, one file out"

    def __init__(self, stage: UnitStage, units: tuple[Unit, ...], notes: Path) -> None:
        super().__init__()
        self.stage = stage
        self.units = units
        self.notes = notes

    def run(
        self, data: DocumentsPipeline = None, rank: int = 0, world_size: int = 1
    ) -> DocumentsPipeline:
        unit = self.units[rank]
        try:
            _work(self.stage, unit, note=self.notes / unit.name)
        except YinziError as error:
            raise DatasetError(f"{self.stage.name} of {unit.name!r}: {error}") from error
        yield from ()


def _work(stage: UnitStage, unit: Unit, *, note: Path) -> None:
    """Make the output of one unit, and its record after it."""
    (stage.record_folder / f"{unit.name}.json").unlink(missing_ok=True)

    def noted() -> Iterator[pa.Table]:
        n_done = 0
        for table in read_unit(unit.path, stage.schema):
            yield table
            n_done += len(table)
            with contextlib.suppress(OSError):  # a note is no reason to fail
                note.write_text(str(n_done))

    output, figures = stage.process(noted(), _output_path(stage, unit))
    record = UnitRecord(_made_from(stage, unit), output, figures)
    write_json(stage.record_folder / f"{unit.name}.json", asdict(record))


def _has_record(stage: UnitStage, unit: Any) -> bool:
    """Tell whether a unit was finished from this input, without looking at what was made."""
    value = read_json(stage.record_folder / f"{unit.name}.json")
    return value is not None and value.get("made_from") == _made_from(stage, unit)


def _made_from(stage: UnitStage, unit: Unit) -> str:
    return digest([stage.settings, unit.sha256])


def _output_path(stage: UnitStage, unit: Unit) -> Path:
    return stage.output_folder / f"{unit.name}.parquet"


def _read_note(path: Path) -> int:
    try:
        return int(path.read_text() or 0)
    except (OSError, ValueError):
        return 0


def _unreadable(path: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"cannot read {str(path)!r}: {error}; remove it and run the stage that makes it again"
    )
