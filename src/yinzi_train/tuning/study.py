"""Run a study from its file to a summary: in this process, in several, or on Ray."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yinzi.errors import ConfigError
from yinzi_train.training.errors import TrainingStopped
from yinzi_train.tuning.config import StudyConfig
from yinzi_train.tuning.objective import Objective, Sources, open_objective
from yinzi_train.tuning.storage import claim_study, latest_attempts
from yinzi_train.tuning.summary import write_summary
from yinzi_train.tuning.worker import best_trial, check_failures, work

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from yinzi_train.training.run_callback import TrainingProgress

__all__ = ["EndedTrial", "StudyResult", "run_study"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EndedTrial:
    """A trial that has just ended, and the best one so far.

    Attributes:
        number: of the trial.
        state: "complete", "pruned" or "failed".
        value: what it is worth; the last report of a pruned one; None without any.
        values: settings that were tried, by dotted name.
        error: why it has failed; empty otherwise.
        n_ended: trials that have ended.
        n_trials: trials in all.
        best: the best value so far, None before the first.
        best_number: which trial has it.
    """

    number: int
    state: str
    value: float | None
    values: dict[str, Any]
    error: str
    n_ended: int
    n_trials: int
    best: float | None
    best_number: int | None


@dataclass(frozen=True)
class StudyResult:
    """How a study stands.

    Attributes:
        summary: the file with the table.
        n_ended: trials that have ended, whatever the way.
        n_trials: trials in all.
        best: the best value, None if no trial was completed.
        best_number: which trial has it.
        default: the value of the default trial, None if it was not completed.
        best_config: the whole config of the best trial, None without one.
    """

    summary: Path
    n_ended: int
    n_trials: int
    best: float | None
    best_number: int | None
    default: float | None
    best_config: Path | None


def run_study(
    config: StudyConfig,
    *,
    out: Path,
    sources: Sources,
    n_workers: int = 1,
    uses_ray: bool = False,
    on_trial: Callable[[EndedTrial], None] = lambda trial: None,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> StudyResult:
    """Run the trials of a study that have not ended yet, and write its summary.

    The same call goes on with a study that was stopped or killed. Several calls on several machines
    can work on one folder.

    Args:
        config: of the study.
        out: its folder.
        sources: what it is measured on.
        n_workers: trials at a time, a process each.
        uses_ray: the processes are tasks of Ray; they must see the folder under the same path.
        on_trial: called when a trial has ended.
        on_progress: called after each step of a run, with one worker only.

    Raises:
        ConfigError: the study is wrong, or the folder holds another one.
        TuningError: the storage is damaged, or the first trials have all failed.
        TrainingStopped: SIGINT or SIGTERM came; all is saved.
    """
    if n_workers < 1:
        raise ConfigError(f"{n_workers} workers: expected at least 1")
    objective = open_objective(config, sources, on_progress)
    study = claim_study(out, config, objective)
    watch = _Watch(config, objective, study, on_trial)
    try:
        if n_workers == 1 and not uses_ray:
            work(out, config, objective, on_trial=lambda _: watch.look())
        else:
            from yinzi_train.tuning.processes import run_workers

            run_workers(
                out, config, sources, n_workers=n_workers, uses_ray=uses_ray, poll=watch.look
            )
            watch.look()
            check_failures(study.get_trials(deepcopy=False))
    except TrainingStopped:
        _summarise(out, config, objective, study)
        raise
    return _summarise(out, config, objective, study)


class _Watch:
    """Tell of trials as they end."""

    def __init__(
        self,
        config: StudyConfig,
        objective: Objective,
        study: optuna.Study,
        on_trial: Callable[[EndedTrial], None],
    ) -> None:
        self._config = config
        self._objective = objective
        self._study = study
        self._on_trial = on_trial
        self._known = {trial.number for trial in _ended(study.get_trials(deepcopy=False))}

    def look(self) -> None:
        """Tell of what has ended since the last look."""
        trials = self._study.get_trials(deepcopy=False)
        ended = _ended(trials)
        best = best_trial(trials, self._objective.direction)
        for trial in ended:
            if trial.number in self._known:
                continue
            self._known.add(trial.number)
            reports = trial.intermediate_values
            last = reports[max(reports)] if reports else None
            self._on_trial(
                EndedTrial(
                    number=trial.number,
                    state={"COMPLETE": "complete", "PRUNED": "pruned"}.get(
                        trial.state.name, "failed"
                    ),
                    value=trial.value if trial.state.name == "COMPLETE" else last,
                    values=dict(trial.params),
                    error=trial.user_attrs.get("error", ""),
                    n_ended=len(self._known),
                    n_trials=self._config.study.n_trials,
                    best=None if best is None else best.value,
                    best_number=None if best is None else best.number,
                )
            )


def _ended(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    return [
        trial
        for trial in latest_attempts(trials).values()
        if trial.state.is_finished() and "withdrawn" not in trial.user_attrs
    ]


def _summarise(
    out: Path, config: StudyConfig, objective: Objective, study: optuna.Study
) -> StudyResult:
    trials = study.get_trials(deepcopy=False)
    latest = latest_attempts(trials)
    best = best_trial(trials, objective.direction)
    default = latest.get(0)
    summary = write_summary(out, config, objective, study)
    return StudyResult(
        summary=summary,
        n_ended=len(_ended(trials)),
        n_trials=config.study.n_trials,
        best=None if best is None else best.value,
        best_number=None if best is None else best.number,
        default=default.value if default and default.state.name == "COMPLETE" else None,
        best_config=None if best is None else out / "best.toml",
    )
