"""Run the stages of a build in order, and keep those that are done.

Each stage says what it depends on and does its work; this module decides whether that work is
needed. The record of a stage is removed before it runs and written when it ends, so a job that was
killed leaves nothing that looks finished.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from yinzi.errors import ConfigError
from yinzi_train.pipeline import artifact_stage, count_stage, language_model_stage, lexicon_stage
from yinzi_train.pipeline.build import Build, Finished, ReportProgress
from yinzi_train.pipeline.records import StageRecord, read_record, write_record

__all__ = ["STAGES", "Build", "StageResult", "run_stage"]


class _Stage(NamedTuple):
    inputs: Callable[[Build, Mapping[str, StageRecord]], dict[str, Any]]
    run: Callable[[Build, Mapping[str, StageRecord], ReportProgress], Finished]


_STAGES: Final = {
    "lexicon": _Stage(lexicon_stage.inputs, lexicon_stage.run),
    "count": _Stage(count_stage.inputs, count_stage.run),
    "language-model": _Stage(language_model_stage.inputs, language_model_stage.run),
    "artifact": _Stage(artifact_stage.inputs, artifact_stage.run),
}

STAGES: Final = tuple(_STAGES)
"""Names of the stages in the order they run."""


@dataclass(frozen=True)
class StageResult:
    """What came of a stage.

    Attributes:
        is_kept: it was done already, with the same inputs.
        seconds: time it took now.
        report: figures of the stage.
    """

    is_kept: bool
    seconds: float
    report: Mapping[str, Any]


def run_stage(
    name: str,
    build: Build,
    *,
    on_progress: ReportProgress = lambda n_done, n_total: None,
    clock: Callable[[], float] = time.monotonic,
) -> StageResult:
    """Run one stage of a build, or keep it if it is done and nothing it depends on has changed.

    Args:
        name: one of `STAGES`.
        build: settings and folders.
        on_progress: called with the steps done and the steps in all.
        clock: gives seconds.

    Raises:
        ConfigError: a stage before it is not done or not up to date, or data are not as they must
            be.
    """
    started = clock()
    records: dict[str, StageRecord] = {}
    for earlier in STAGES[: STAGES.index(name)]:
        records[earlier] = _current_record(earlier, build, records)
    stage = _STAGES[name]
    inputs = _plain(stage.inputs(build, records))
    record = read_record(_record_path(build, name))
    if record and not record.changed_inputs(inputs) and not record.changed_outputs(build.out):
        return StageResult(True, clock() - started, record.report)
    build.out.mkdir(parents=True, exist_ok=True)
    _record_path(build, name).unlink(missing_ok=True)
    finished = stage.run(build, records, on_progress)
    record = StageRecord(inputs, finished.outputs, _plain(finished.report))
    write_record(_record_path(build, name), record)
    return StageResult(False, clock() - started, record.report)


def _current_record(name: str, build: Build, records: Mapping[str, StageRecord]) -> StageRecord:
    """Return the record of a stage that is done, or say why it does not count."""
    record = read_record(_record_path(build, name))
    if record is None:
        problem = f"is not done in {str(build.out)!r}"
    elif changed := record.changed_inputs(_plain(_STAGES[name].inputs(build, records))):
        problem = f"was done with other {' and '.join(changed)}"
    elif changed := record.changed_outputs(build.out):
        problem = f"is damaged: {changed[:5]} are gone or edited"
    else:
        return record
    raise ConfigError(f"the stage {name!r} {problem}: run yinzi-train {name}, or build, first")


def _record_path(build: Build, name: str) -> Path:
    return build.out / f"{name}.json"


def _plain(value: Any) -> Any:
    """Return a value as it comes back from JSON."""
    return json.loads(json.dumps(value))
