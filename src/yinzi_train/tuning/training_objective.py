"""Make a training run better: each trial is a run of a command in a folder of its own.

Reports come from the run's `metrics.csv`, which every command writes at each evaluation; so a
command needs no hook for studies, and a run that is gone on with reports what it had reported.
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import ConfigError
from yinzi.evaluation.outcomes import METRICS
from yinzi_train.dataset.storage import read_json
from yinzi_train.model.families import FAMILIES, model_settings
from yinzi_train.training.config import (
    METRICS_BY_LESS,
    TrainingConfig,
    read_training_config,
)
from yinzi_train.training.evaluation import development_evaluation
from yinzi_train.training.metrics_log import read_metrics
from yinzi_train.training.run_folder import RUN_NAME
from yinzi_train.tuning.commands import find_command
from yinzi_train.tuning.config import StudyConfig, overrides_of
from yinzi_train.tuning.errors import TuningError
from yinzi_train.tuning.toml_text import flat_values, toml_text

if TYPE_CHECKING:
    from optuna import Trial

    from yinzi_train.training.run_callback import TrainingProgress

__all__ = ["TrainingObjective"]

logger = logging.getLogger(__name__)

_FIGURES: Final = (RUN_NAME, "metrics.csv", "curves.png", "tensorboard")
_SHARED: Final = "prepared"
_PREPARED: Final = (
    *("vocabulary", "weights.npy", "weights.made-from.json"),
    *("validation.parquet", "validation.made-from.json"),
)
"""What a run reads besides the dataset, made by the first trial and copied for the others; a run
that needs something else makes it anew."""


class TrainingObjective:
    """See the module; the protocol is `Objective`.

    Raises:
        ConfigError: study and base config do not fit together.
        DatasetError: the dataset cannot be read.
        EvaluationError: a development set cannot be read.
    """

    def __init__(
        self,
        config: StudyConfig,
        *,
        data: Path,
        dev: Sequence[Path],
        model: str | None,
        on_progress: Callable[[TrainingProgress], None],
    ) -> None:
        self._config = config
        self._command = find_command(config.study.command, model=model)
        self._data = data
        self._dev = tuple(dev)
        self._on_progress = on_progress
        self._metric = config.study.metric
        self.direction = "minimize" if self._metric in METRICS_BY_LESS else "maximize"
        if config.study.direction not in ("", self.direction):
            raise ConfigError(
                f"study.direction is {config.study.direction!r}, but runs keep the model whose "
                f"{self._metric} is best, which means {self.direction!r}: leave direction out"
            )
        self.default: Mapping[str, Any] = self._find_default()
        built = self._build(self.default)
        self._check(built)
        self._check_edges()
        self.n_steps = int(built.training.max_steps)
        development_evaluation(self._dev, built.evaluation)
        self.made_from: Mapping[str, Any] = {
            **self._command.check(built, data),
            "dev": {path.name: sha256_hex(path) for path in self._dev},
            "base": built.to_dict(),
        }

    def run(
        self, trial: Trial, values: Mapping[str, Any], folder: Path, check: Callable[[], None]
    ) -> float:
        """Train; see `Objective.run`.

        Raises:
            TrialPruned: the pruner has ended the run.
            TrainingStopped: a signal came; the run was saved.
            YinziError: the run has failed.
        """
        config = self._build(values)
        shared = folder.parent / _SHARED
        if read_json(folder / RUN_NAME) is None:
            shutil.rmtree(folder, ignore_errors=True)
            self._command.claim(config, self._data, folder)
            _copy_prepared(shared, folder)
        watch = _Watch(trial, folder, self._metric)

        def progressed(progress: TrainingProgress) -> None:
            check()
            self._on_progress(progress)
            watch.look()

        result = self._command.run(
            config,
            data=self._data,
            out=folder,
            resumes=True,  # from the newest checkpoint, or from step 0
            make_evaluation=(
                development_evaluation(self._dev, config.evaluation) if self._dev else None
            ),
            on_progress=progressed,
        )
        if not shared.exists():
            _keep_prepared(folder, shared)
        watch.look(prunes=False)
        if result.best is None:
            raise TuningError(
                f"the run in {str(folder)!r} ended by {result.end_reason} before it was evaluated: "
                "set training.eval_steps lower, or training.max_minutes higher"
            )
        trial.set_user_attr("best_step", result.best_step)
        trial.set_user_attr("minutes", round(result.minutes, 2))
        trial.set_user_attr("end_reason", result.end_reason)
        return result.best

    def tidy(self, folder: Path, *, keeps_model: bool) -> None:
        """Keep figures and, if wanted, the best model; see `Objective.tidy`."""
        kept = (*_FIGURES, *[self._command.model_name] * keeps_model)
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name in kept:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def best_text(self, values: Mapping[str, Any]) -> str:
        """Return the config of the run; see `Objective.best_text`."""
        return toml_text(self._build(values).to_dict())

    def _build(self, values: Mapping[str, Any]) -> TrainingConfig:
        settings = {**self._config.fixed, **values, "training.metric": self._metric}
        return read_training_config(self._config.base_path, overrides=overrides_of(settings))

    def _find_default(self) -> dict[str, Any]:
        """Return the values of the default trial."""
        built = self._build({})
        known = flat_values(built.to_dict())
        if built.family in FAMILIES:
            sizes = model_settings(FAMILIES[built.family].config_class)
            known = {**{f"model.{name}": value for name, value in sizes.items()}, **known}
        values: dict[str, Any] = {}
        for parameter in self._config.parameters:
            if not parameter.is_active(values):
                continue
            value = known.get(parameter.key) if parameter.default is None else parameter.default
            if value is None:
                close = sorted(key for key in known if key.split(".")[0] in parameter.key)
                raise ConfigError(
                    f"search {parameter.key!r} is no setting of the base config: expected one "
                    f"such as {', '.join(close[:5]) or 'training.learning_rate'}; give default = … "
                    "if it is one that has no value there"
                )
            parameter.check_value(value, origin="base config")
            values[parameter.key] = value
        return values

    def _check(self, built: TrainingConfig) -> None:
        if not built.training.eval_steps:
            raise ConfigError(
                "training.eval_steps is 0 in the base config, so trials have no value: set it in "
                "[fixed] or with --set training.eval_steps=…"
            )
        has_rows = bool(built.evaluation.validation_rows)
        known = ["validation_loss", "validation_accuracy"] if has_rows else []
        known += METRICS if self._dev else ()
        if len(self._dev) > 1:
            known += [f"{metric}/{path.stem}" for path in self._dev for metric in METRICS]
        if self._metric not in known:
            raise ConfigError(
                f"study.metric is {self._metric!r}, but evaluations give "
                f"{', '.join(known) or 'none'}: name one of these, or give development sets with "
                "--dev"
            )

    def _check_edges(self) -> None:
        """Check ends and choices of each parameter, the others as in the default trial."""
        for parameter in self._config.parameters:
            conditions = {key: wanted[0] for key, wanted in parameter.when.items()}
            for value in parameter.edges:
                values = {**self.default, **conditions, parameter.key: value}
                try:
                    built = self._build(values)
                    if parameter.key.startswith("model."):  # only a model knows its sizes
                        self._command.check(built, self._data)
                except ConfigError as error:
                    raise ConfigError(
                        f"search {parameter.key!r}: a trial with {value!r} could not run: {error}; "
                        "search a narrower range"
                    ) from error


class _Watch:
    """Report evaluations of a run to its trial as they are written."""

    def __init__(self, trial: Trial, folder: Path, metric: str) -> None:
        self._trial = trial
        self._path = folder / "metrics.csv"
        self._metric = metric
        self._size = -1
        # What a run that is gone on with has reported already.
        frozen = trial.study.get_trials(deepcopy=False)[trial.number]
        self._reported = set(frozen.intermediate_values)

    def look(self, *, prunes: bool = True) -> None:
        """Report what is new.

        Raises:
            TrialPruned: the trial is to be ended.
            TuningError: a figure is no finite number.
        """
        import optuna

        size = self._path.stat().st_size if self._path.exists() else -1
        if size == self._size:
            return
        self._size, has_new = size, False
        for row in read_metrics(self._path):
            step = int(row.get("step", 0))
            if self._metric not in row or step in self._reported:
                continue
            value = row[self._metric]
            if not math.isfinite(value):
                raise TuningError(
                    f"step {step}: {self._metric} is {value:g}, expected a finite number"
                )
            self._trial.report(value, step)
            self._reported.add(step)
            has_new = True
        if prunes and has_new and self._trial.should_prune():
            raise optuna.TrialPruned(f"pruned at step {max(self._reported)}")


def _copy_prepared(source: Path, folder: Path) -> None:
    for name in _PREPARED:
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name)
        elif (source / name).exists():
            shutil.copy2(source / name, folder / name)


def _keep_prepared(folder: Path, shared: Path) -> None:
    """Copy what a run has prepared for later ones; whole or, if another was faster, not at all."""
    part = shared.with_name(f"{shared.name}-{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _copy_prepared(folder, part)
    try:
        part.rename(shared)
    except OSError:
        logger.debug("another worker has kept %s already", shared)
        shutil.rmtree(part)
