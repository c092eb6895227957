"""Run trials of a study, one after another, until none is left; several workers can do so at once.

What is drawn for a trial depends on the seed, the number of its slot and, with the sampler "tpe",
the trials that have ended, not on the process. A trial that was cut off keeps its settings and
comes last.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from yinzi.errors import YinziError
from yinzi_train.training.errors import TrainingStopped
from yinzi_train.training.run_callback import Signals
from yinzi_train.tuning.config import StudyConfig
from yinzi_train.tuning.errors import TuningError
from yinzi_train.tuning.objective import Objective
from yinzi_train.tuning.parameters import suggest
from yinzi_train.tuning.storage import (
    fail_silent_trials,
    latest_attempts,
    open_study,
    requeue,
    storage_errors,
)

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

__all__ = ["TRIALS_NAME", "best_trial", "check_failures", "trial_folder", "work"]

logger = logging.getLogger(__name__)

TRIALS_NAME: Final = "trials"
_POLL_SECONDS: Final = 0.5
_MAX_FAILURES: Final = 3
"""A study whose first trials all fail is wrong itself."""


class _TrialFailed(Exception):  # noqa: N818 - caught where it is raised
    """A trial has failed; the study goes on."""


def trial_folder(folder: Path, number: int) -> Path:
    """Return the folder of a trial of the study in a folder."""
    return folder / TRIALS_NAME / str(number)


def work(
    folder: Path,
    config: StudyConfig,
    objective: Objective,
    *,
    parent: int | None = None,
    on_trial: Callable[[optuna.Study], None] = lambda study: None,
) -> None:
    """Run trials until all of a study have ended, or its time is over.

    Args:
        folder: of the study, which is claimed.
        config: of the study.
        objective: what is made better.
        parent: process that has started this one; without it, this one saves and stops.
        on_trial: called after each trial.

    Raises:
        TrainingStopped: SIGINT or SIGTERM came; the running trial was put back into the queue.
        TuningError: the storage is damaged, or the first trials have all failed.
    """
    study = open_study(folder, config, objective)
    end = time.monotonic() + config.study.max_minutes * 60
    with Signals() as signals, storage_errors(folder):
        worker = _Worker(folder, config, objective, study=study, signals=signals, parent=parent)
        while True:
            worker.check()
            trials = study.get_trials(deepcopy=False)
            check_failures(trials)
            states = {trial.state.name for trial in latest_attempts(trials).values()}
            is_over = bool(config.study.max_minutes) and time.monotonic() >= end
            if "WAITING" in states and not is_over:
                worker.run_one()
                on_trial(study)
            elif "RUNNING" in states and not is_over:
                # Another worker has it; should that be killed, it is this one's.
                fail_silent_trials(study, grace_seconds=config.study.grace_seconds)
                time.sleep(_POLL_SECONDS)
            else:
                return


def check_failures(trials: list[FrozenTrial]) -> None:
    """Check that not all trials fail.

    Raises:
        TuningError: all that have ended have failed, and they are several.
    """
    ended = [trial for trial in latest_attempts(trials).values() if trial.state.is_finished()]
    failed = [trial for trial in ended if trial.state.name == "FAIL"]
    failed = [trial for trial in failed if "withdrawn" not in trial.user_attrs]
    if len(failed) >= _MAX_FAILURES and len(failed) == len(ended):
        message = failed[0].user_attrs.get("error", "its process was killed")
        raise TuningError(
            f"all of the first {len(failed)} trials have failed, trial {failed[0].number} with: "
            f"{message} — correct the study or its base config and begin in a new folder"
        )


class _Worker:
    """One process that runs trials."""

    def __init__(
        self,
        folder: Path,
        config: StudyConfig,
        objective: Objective,
        *,
        study: optuna.Study,
        signals: Signals,
        parent: int | None,
    ) -> None:
        self._folder = folder
        self._config = config
        self._objective = objective
        self._study = study
        self._signals = signals
        self._parent = parent
        self._number = -1

    def check(self) -> None:
        """Stop if that is asked for.

        Raises:
            TrainingStopped: a signal came.
        """
        if self._parent is not None and os.getppid() != self._parent:
            logger.warning("the process that has started this worker is gone: stopping")
            self._parent = None
            os.kill(os.getpid(), signal.SIGTERM)  # a run that is under way saves
        received = self._signals.received
        if received is not None:
            raise TrainingStopped(
                f"stopped by {signal.Signals(received).name}; give the same command to go on",
                received,
            )

    def run_one(self) -> None:
        """Run the next trial of the queue."""
        self._number = -1
        try:
            self._study.optimize(self._run, n_trials=1, catch=(_TrialFailed,))
        except (TrainingStopped, KeyboardInterrupt) as stopped:
            if self._number >= 0 and not self._is_taken_over():
                trial = self._study.get_trials(deepcopy=False)[self._number]
                requeue(self._study, trial, n_kills=trial.user_attrs.get("n_kills", 0))
            number = getattr(stopped, "signal_number", signal.SIGINT)
            raise TrainingStopped(
                f"stopped by {signal.Signals(number).name} in trial {max(0, self._number)}; all is "
                "saved, give the same command to go on",
                number,
            ) from stopped
        except (ValueError, RuntimeError):
            # Told or reported to a trial that has ended: others took this process for killed.
            if not self._is_taken_over():
                raise
            logger.warning(
                "trial %d gave no sign for %d seconds and was put back into the queue: give "
                "study.grace_seconds more, or run fewer workers",
                self._number,
                self._config.study.grace_seconds,
            )
        self._tidy()

    def _is_taken_over(self) -> bool:
        """Tell whether another attempt at the running trial is in the queue or further."""
        trials = self._study.get_trials(deepcopy=False)
        return any(trial.user_attrs.get("previous") == self._number for trial in trials)

    def _run(self, trial: optuna.Trial) -> float:
        import optuna

        if "slot" not in trial.user_attrs:
            raise _TrialFailed("another worker has taken the last slot")
        trial.set_user_attr("begun", True)
        self._number = trial.number
        trial.study.sampler = _sampler(self._config, trial.user_attrs["slot"])
        folder = trial_folder(self._folder, trial.number)
        self._take_over(trial, folder)
        try:
            values = suggest(trial, self._config.parameters)
            return self._objective.run(trial, values, folder, self.check)
        except (optuna.TrialPruned, TrainingStopped):
            raise
        except YinziError as error:
            trial.set_user_attr("error", str(error))
            raise _TrialFailed from error
        except optuna.exceptions.UpdateFinishedTrialError:
            raise
        except Exception as error:
            if self._is_taken_over():  # and its folder is gone
                raise RuntimeError(f"trial {trial.number} was taken over") from error
            logger.debug("trial %d", trial.number, exc_info=True)
            trial.set_user_attr("error", f"unexpected {type(error).__name__}: {error}")
            raise _TrialFailed from error

    def _take_over(self, trial: optuna.Trial, folder: Path) -> None:
        """Give an attempt the folder of the one before, which then has none to write into."""
        previous = trial.user_attrs.get("previous")
        folder.parent.mkdir(exist_ok=True)
        if previous is not None and not folder.exists():
            before = trial_folder(self._folder, previous)
            if before.is_dir():
                before.rename(folder)

    def _tidy(self) -> None:
        """Keep the model of the best trial alone; all that is looked at has ended."""
        trials = self._study.get_trials(deepcopy=False)
        best = best_trial(trials, self._objective.direction)
        for trial in latest_attempts(trials).values():
            path = trial_folder(self._folder, trial.number)
            if trial.state.is_finished() and path.is_dir():
                is_best = best is not None and trial.number == best.number
                self._objective.tidy(path, keeps_model=is_best)


def best_trial(trials: list[FrozenTrial], direction: str) -> FrozenTrial | None:
    """Return the completed trial with the best value; of equals the first, None without any."""
    found = [trial for trial in trials if trial.state.name == "COMPLETE"]
    sign = 1 if direction == "minimize" else -1
    return min(found, key=lambda trial: (sign * (trial.value or 0.0), trial.number), default=None)


def _sampler(config: StudyConfig, slot: int) -> Any:
    import optuna

    seed = (config.study.seed * 1_000_003 + slot) % 2**32
    if config.study.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(n_startup_trials=config.study.startup_trials, seed=seed)
