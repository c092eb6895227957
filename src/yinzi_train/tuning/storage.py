"""Keep a study in one folder: what it is made from, and all trials in SQLite, shared by workers.

A trial to be run is a *slot*, numbered from 0. Slots are put into the queue of the study when it
begins, and a worker takes one in a single change of the storage, so no slot is run twice or lost
however many workers share it. A slot whose process was killed is known by its missing heartbeat;
it is put back, and the new attempt goes on from the checkpoint of the last one.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from yinzi.errors import ConfigError, MissingExtra
from yinzi_train.dataset.storage import read_json, write_json
from yinzi_train.tuning.config import StudyConfig
from yinzi_train.tuning.errors import TuningError
from yinzi_train.tuning.objective import Objective
from yinzi_train.tuning.toml_text import flat_values

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

__all__ = [
    "MAX_KILLS",
    "STORAGE_NAME",
    "STUDY_NAME",
    "claim_study",
    "fail_silent_trials",
    "latest_attempts",
    "open_study",
    "requeue",
    "storage_errors",
]

STUDY_NAME: Final = "study.json"
STORAGE_NAME: Final = "study.db"
MAX_KILLS: Final = 3
"""A trial whose process was killed so often has failed: it likely needs too much memory."""

_UNFINISHED: Final = frozenset((STORAGE_NAME, f"{STORAGE_NAME}-journal", ".lock"))
_FORMAT_VERSION: Final = 1
_BEATS: Final = 4
"""Heartbeats in the time after which a trial is taken for killed."""
_TIMEOUT_SECONDS: Final = 60
"""How long a worker waits for another one that writes."""
_MAY_CHANGE: Final = (
    *("study.name", "study.n_trials", "study.max_minutes", "study.grace_seconds"),
    *("study.pruner", "study.base"),
)
"""Keys that change neither what a trial is worth nor what is drawn; the content of the base config
is compared instead of its name. Those of the pruner begin alike."""


def claim_study(folder: Path, config: StudyConfig, objective: Objective) -> optuna.Study:
    """Begin a study in a folder, or go on with the one that is there.

    Raises:
        ConfigError: the folder holds something else, or a study with other settings.
        TuningError: the storage is damaged or missing.
    """
    content = {
        "format_version": _FORMAT_VERSION,
        "study": config.to_dict(),
        "direction": objective.direction,
        "made_from": dict(objective.made_from),
    }
    content = json.loads(json.dumps(content))  # as it will be read
    is_new = read_json(folder / STUDY_NAME) is None
    if is_new and folder.is_dir():
        others = {path.name for path in folder.iterdir()} - _UNFINISHED
        if others:
            raise ConfigError(
                f"{str(folder)!r} holds files but no readable {STUDY_NAME}: give --out a new or "
                "empty folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        recorded = read_json(folder / STUDY_NAME)
        if recorded is None:  # a start that was cut off may have left a storage without content
            (folder / STORAGE_NAME).unlink(missing_ok=True)
        else:
            _check_same(folder, recorded, content)
            if not (folder / STORAGE_NAME).exists():
                raise TuningError(
                    f"{str(folder)!r} has {STUDY_NAME} but no {STORAGE_NAME}, where its trials "
                    "were: restore the file, or begin the study in a new folder"
                )
        study = open_study(folder, config, objective)
        with storage_errors(folder):
            _fill_slots(study, config.study.n_trials, objective.default)
        write_json(folder / STUDY_NAME, content)
    return study


def open_study(folder: Path, config: StudyConfig, objective: Objective) -> optuna.Study:
    """Open the study of a folder; one that is not there is made.

    Raises:
        MissingExtra: Optuna is not installed.
        TuningError: the storage is damaged.
    """
    try:
        import optuna
        import sqlalchemy
    except ImportError as error:
        raise MissingExtra(
            "studies need optuna: install it with pip install 'yinzi[train]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url = sqlalchemy.URL.create("sqlite", database=str((folder / STORAGE_NAME).resolve()))
    grace = config.study.grace_seconds
    with storage_errors(folder), warnings.catch_warnings():
        # The heartbeat is marked as experimental.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            storage = optuna.storages.RDBStorage(
                url.render_as_string(),
                engine_kwargs={"connect_args": {"timeout": _TIMEOUT_SECONDS}},
                heartbeat_interval=max(1, grace // _BEATS),
                grace_period=grace,
                heartbeat_stale_trial_callback=_requeue_killed,
            )
        except RuntimeError as error:  # tables of another version
            raise TuningError(
                f"{str(folder / STORAGE_NAME)!r} was written by another version of Optuna: {error}"
            ) from error
        return optuna.create_study(
            study_name="study",
            storage=storage,
            direction=optuna.study.StudyDirection[objective.direction.upper()],
            pruner=_pruner(config, objective.n_steps),
            load_if_exists=True,
        )


def latest_attempts(trials: Iterable[FrozenTrial]) -> dict[int, FrozenTrial]:
    """Return the last attempt at each slot, by slot.

    Trials without a slot were asked for when another worker had just taken the last one; they
    never ran.
    """
    latest: dict[int, FrozenTrial] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        if "slot" in trial.user_attrs:
            latest[trial.user_attrs["slot"]] = trial
    return dict(sorted(latest.items()))


def requeue(study: optuna.Study, trial: FrozenTrial, *, n_kills: int) -> None:
    """Put a trial that was cut off back into the queue, with its settings and its reports."""
    import optuna

    attributes = {**trial.user_attrs, "previous": trial.number, "n_kills": n_kills}
    attributes.pop("begun", None)
    study.add_trial(
        optuna.create_trial(
            state=optuna.trial.TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=attributes,
            system_attrs=trial.system_attrs,
            intermediate_values=trial.intermediate_values,
        )
    )


def fail_silent_trials(study: optuna.Study, *, grace_seconds: float) -> None:
    """End trials whose processes give no sign any more; they are put back into the queue."""
    import optuna

    storage: Any = study._storage
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        begin = trial.datetime_start
        is_old = begin is None or (datetime.now() - begin).total_seconds() > grace_seconds
        if "begun" not in trial.user_attrs and is_old:
            # Killed before its first heartbeat, without which it would never be missed.
            storage.record_heartbeat(trial._trial_id)
            storage.set_trial_user_attr(trial._trial_id, "begun", False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def _requeue_killed(study: optuna.Study, trial: FrozenTrial) -> None:
    n_kills = trial.user_attrs.get("n_kills", 0) + 1
    if "slot" in trial.user_attrs and n_kills < MAX_KILLS:
        requeue(study, trial, n_kills=n_kills)


def _fill_slots(study: optuna.Study, n_trials: int, default: Mapping[str, Any]) -> None:
    """Put what is to be run into the queue, the default first, and take out what is not."""
    import optuna

    latest = latest_attempts(study.get_trials(deepcopy=False))
    waiting = optuna.trial.TrialState.WAITING
    for slot, trial in latest.items():
        if slot >= n_trials and trial.state is waiting:
            # The storage is asked itself: a study only ends trials that have begun.
            storage, trial_id = study._storage, trial._trial_id
            storage.set_trial_user_attr(trial_id, "withdrawn", True)
            storage.set_trial_state_values(trial_id, optuna.trial.TrialState.FAIL)
    for slot in range(n_trials):
        if slot not in latest or "withdrawn" in latest[slot].user_attrs:
            study.enqueue_trial(dict(default) if slot == 0 else {}, user_attrs={"slot": slot})


def _pruner(config: StudyConfig, n_steps: int) -> optuna.pruners.BasePruner:
    import optuna

    options = config.study
    if options.pruner == "median":
        return optuna.pruners.MedianPruner(
            n_startup_trials=options.pruner_startup_trials,
            n_warmup_steps=options.pruner_warmup_steps,
        )
    if options.pruner == "hyperband":
        least = max(1, options.pruner_warmup_steps)
        return optuna.pruners.HyperbandPruner(min_resource=least, max_resource=max(least, n_steps))
    return optuna.pruners.NopPruner()


def _check_same(folder: Path, recorded: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    """Check that a study may be gone on with.

    Raises:
        ConfigError: it may not; names the key that differs.
    """
    where = f"the study in {str(folder)!r}"
    if recorded.get("format_version") != _FORMAT_VERSION:
        raise ConfigError(f"{where} was made by another version: begin one in a new folder")
    before, now = (_compared(tables) for tables in (recorded, content))
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            raise ConfigError(
                f"{where} has {key} = {_shown(before.get(key))}, given {_shown(now.get(key))}: its "
                "trials would not be comparable with new ones; go on with the same settings, or "
                "give --out a new folder"
            )


def _compared(content: Mapping[str, Any]) -> dict[str, Any]:
    tables = dict(content["study"])
    search = {f"search.{key}": value for key, value in flat_values(tables.pop("search")).items()}
    fixed = {f"fixed.{key}": value for key, value in tables.pop("fixed").items()}
    settings = {
        key: value for key, value in flat_values(tables).items() if not key.startswith(_MAY_CHANGE)
    }
    return {**settings, **fixed, **search, **flat_values(content["made_from"])}


def _shown(value: Any) -> str:
    return "none" if value is None else repr(value)


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the storage into advice."""
    import optuna
    import sqlalchemy.exc

    errors: Sequence[type[Exception]] = (
        sqlalchemy.exc.DatabaseError,
        optuna.exceptions.StorageInternalError,
    )
    try:
        yield
    except tuple(errors) as error:
        cause = str(getattr(error.__cause__, "orig", None) or getattr(error, "orig", error))
        raise TuningError(
            f"cannot read or write {str(folder / STORAGE_NAME)!r}: {cause}; restore it if it is "
            "damaged, or begin the study in a new folder"
        ) from error


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Let one command at a time fill the queue; the system gives the lock back if it dies."""
    import fcntl

    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
