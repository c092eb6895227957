"""Fix what a study asks of the thing that it makes better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from yinzi.errors import ConfigError
from yinzi_train.tuning.config import StudyConfig

if TYPE_CHECKING:
    from optuna import Trial

    from yinzi_train.training.run_callback import TrainingProgress

__all__ = ["Objective", "Sources", "open_objective"]


@dataclass(frozen=True)
class Sources:
    """What a study is measured on.

    Attributes:
        data: folder of the dataset; for the kind "training".
        dev: development sets.
        artifact: folder of the artifact; for the kind "fusion".
        model: checkpoint that runs begin with, for the command "finetune".
    """

    data: Path | None = None
    dev: tuple[Path, ...] = ()
    artifact: Path | None = None
    model: str | None = None


class Objective(Protocol):
    """What is made better.

    Attributes:
        direction: "minimize" or "maximize".
        default: values of the searched settings in the default trial.
        made_from: what values of trials depend on besides the settings, by name.
        n_steps: the greatest step that a trial can report.
    """

    direction: str
    default: Mapping[str, Any]
    made_from: Mapping[str, Any]
    n_steps: int

    def run(
        self, trial: Trial, values: Mapping[str, Any], folder: Path, check: Callable[[], None]
    ) -> float:
        """Return the value of a trial; reports on the way.

        Args:
            trial: gets reports, and says when it is to be ended.
            values: settings to try.
            folder: of the trial; what is there already is gone on with.
            check: called now and then; raises when the work must stop.
        """
        ...

    def tidy(self, folder: Path, *, keeps_model: bool) -> None:
        """Remove from a trial's folder what nobody will ask for."""
        ...

    def best_text(self, values: Mapping[str, Any]) -> str:
        """Return the whole config with settings of a trial, as TOML."""
        ...


def open_objective(
    config: StudyConfig,
    sources: Sources,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> Objective:
    """Return the objective of a study, after all checks that need no run.

    Raises:
        ConfigError: study, base config and sources do not fit together.
        YinziError: dataset, artifact or a set cannot be read.
    """
    if config.study.kind == "fusion":
        from yinzi_train.tuning.fusion import FusionObjective

        if sources.artifact is None or not sources.dev:
            raise ConfigError(
                "a study with kind = 'fusion' needs --artifact, the folder whose weights are "
                "searched, and --dev, the sets that they are measured on"
            )
        if sources.data is not None or sources.model is not None:
            raise ConfigError(
                "--data and --model are for studies of the kind 'training': leave them out"
            )
        return FusionObjective(config, artifact=sources.artifact, dev=sources.dev)
    from yinzi_train.tuning.training_objective import TrainingObjective

    if sources.data is None:
        raise ConfigError("a study with kind = 'training' needs --data, the folder of a dataset")
    if sources.artifact is not None:
        raise ConfigError("--artifact is for studies of the kind 'fusion': leave it out")
    return TrainingObjective(
        config, data=sources.data, dev=sources.dev, model=sources.model, on_progress=on_progress
    )
