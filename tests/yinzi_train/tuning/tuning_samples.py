"""Studies of a formula instead of training, and of tiny runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna

from tests.yinzi_train.training.training_samples import DATA, ENCODER, ROOT
from yinzi.errors import ConfigError
from yinzi_train.tuning.config import StudyConfig, read_study
from yinzi_train.tuning.storage import claim_study
from yinzi_train.tuning.worker import work

FORMULA = """\
[study]
name = "formula"
n_trials = {n_trials}
startup_trials = 2
pruner = "{pruner}"
sampler = "{sampler}"
pruner_startup_trials = 1
grace_seconds = {grace}

[search."a.x"]
low = 0.0
high = {high}

[search."a.kind"]
choices = ["plain", "shifted"]

[search."a.shift"]
low = 1
high = 4
when = {{ "a.kind" = "shifted" }}
"""

RUNS = """\
[study]
name = "tiny"
base = "base.toml"
n_trials = 4
startup_trials = 2
pruner = "none"
grace_seconds = 3

[search."training.learning_rate"]
low = 1e-4
high = 1e-1
log = true

[search."training.schedule"]
choices = ["linear", "cosine"]

[search."model.dropout"]
low = 0.0
high = 0.4
step = 0.1
when = { "training.schedule" = "linear" }

[fixed.training]
eval_steps = 2
max_steps = 4
warmup_steps = 1
save_steps = 2
log_steps = 1

[fixed.evaluation]
validation_rows = 5
"""


def write_formula(path: Path, **changes: object) -> StudyConfig:
    """Write a study of the formula and read it."""
    defaults = {"n_trials": 5, "pruner": "none", "sampler": "tpe", "high": 1.0, "grace": 60}
    text = FORMULA.format(**{**defaults, **changes})
    path.write_text(text, encoding="utf-8")
    return read_study(path)


def write_runs(folder: Path, **changes: str) -> Path:
    """Write a study of tiny training runs; in its text, names are replaced by values."""
    text = RUNS
    for old, new in changes.items():
        text = text.replace(old, new)
    base = (ROOT / "configs" / "encoder.toml").read_text(encoding="utf-8")
    base = base.replace('schedule = "warmup_stable_decay"', 'schedule = "linear"')
    (folder / "base.toml").write_text(base, encoding="utf-8")
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder / "study.toml"


SETTINGS = [f"--set={one}" for one in (*DATA, *ENCODER)]
"""What makes runs tiny."""


class Formula:
    """The objective (x - 0.3)², and the shift; calls `happens` with slot and step."""

    direction = "minimize"
    n_steps = 4

    def __init__(self, happens: Callable[[int, int], None] = lambda slot, step: None) -> None:
        self.default: Mapping[str, Any] = {"a.x": 0.5, "a.kind": "plain"}
        self.made_from: Mapping[str, Any] = {"formula": 1}
        self.runs: list[int] = []
        self._happens = happens

    def run(
        self,
        trial: optuna.Trial,
        values: Mapping[str, Any],
        folder: Path,
        check: Callable[[], None],
    ) -> float:
        slot = trial.user_attrs["slot"]
        self.runs.append(slot)
        folder.mkdir(exist_ok=True)
        with (folder / "runs.txt").open("a") as file:
            file.write(f"{os.getpid()}\n")
        value = (values["a.x"] - 0.3) ** 2 + values.get("a.shift", 0)
        reported = trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        for step in range(1, self.n_steps + 1):
            self._happens(slot, step)
            check()
            if step not in reported:
                trial.report(value + 1 / step, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    def tidy(self, folder: Path, *, keeps_model: bool) -> None:
        (folder / "model").write_text("") if keeps_model else (folder / "model").unlink(True)

    def best_text(self, values: Mapping[str, Any]) -> str:
        return f"x = {values['a.x']}\n"


def fail_at(slots: tuple[int, ...]) -> Callable[[int, int], None]:
    """Return what fails in the second step of slots."""

    def happens(slot: int, step: int) -> None:
        if slot in slots and step == 2:
            raise ConfigError(f"slot {slot} cannot run")

    return happens


def kill_at(slot_killed: int, number: int) -> Callable[[int, int], None]:
    """Return what sends a signal to this process in the third step of a slot, once."""
    done: list[int] = []

    def happens(slot: int, step: int) -> None:
        if slot == slot_killed and step == 3 and not done:
            done.append(slot)
            os.kill(os.getpid(), number)

    return happens


def work_and_die(folder: Path, config: StudyConfig, mark: Path) -> None:
    """Run a worker that kills itself in its second trial; the target of a process."""
    slots: list[int] = []

    def happens(slot: int, step: int) -> None:
        slots.append(slot)
        if step == 3 and len(set(slots)) == 2:
            mark.write_text(str(slot))
            os.kill(os.getpid(), signal.SIGKILL)

    work(folder, config, Formula(happens))


def work_and_wait(folder: Path, config: StudyConfig, mark: Path) -> None:
    """Run a worker that does not end its first trial before the other one is dead."""

    def happens(slot: int, step: int) -> None:
        while not mark.exists():
            time.sleep(0.05)

    work(folder, config, Formula(happens))


def run_formula(folder: Path, config: StudyConfig, objective: Formula) -> optuna.Study:
    """Claim the study of a folder and run it in this process."""
    study = claim_study(folder, config, objective)
    work(folder, config, objective)
    return study
