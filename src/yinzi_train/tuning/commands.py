"""Name the commands whose runs a study can search over, with one way to check and to run each.

A command is imported when a study asks for it, so the registry costs nothing and knows only names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from yinzi.errors import ConfigError

if TYPE_CHECKING:
    from yinzi_train.training.config import TrainingConfig

__all__ = ["COMMANDS", "Command", "Ended", "find_command"]


class Ended(Protocol):
    """What a study asks of the result of a run; `TrainingResult` has it."""

    @property
    def best(self) -> float | None:
        """The best figure of an evaluation, None without evaluations."""

    @property
    def best_step(self) -> int:
        """When that was."""

    @property
    def minutes(self) -> float:
        """How long it has trained."""

    @property
    def end_reason(self) -> str:
        """Why it has ended."""


@dataclass(frozen=True)
class Command:
    """A command that trains.

    All have one config, `TrainingConfig`.

    Attributes:
        check: checks a config against the folder of a dataset before anything runs; returns the
            digests of what runs are made from, by name.
        claim: begins an empty run folder for a config, the folder of a dataset and that folder.
        run: goes on with a claimed run, with the keywords data, out, resumes, make_evaluation
            and on_progress.
        model_name: folder of the plain model of the best evaluation, in the run folder.
    """

    check: Callable[[TrainingConfig, Path], Mapping[str, str]]
    claim: Callable[[TrainingConfig, Path, Path], None]
    run: Callable[..., Ended]
    model_name: str


def _train(model: str | None) -> Command:
    from yinzi_train.dataset.reader import open_dataset
    from yinzi_train.model.families import check_model_settings
    from yinzi_train.training.run_folder import check_dataset, dataset_digest
    from yinzi_train.training.train import train

    if model is not None:
        raise ConfigError("--model is for studies of the command 'finetune': leave it out")

    def check(config: TrainingConfig, data: Path) -> Mapping[str, str]:
        check_model_settings(config.family, config.sizes)
        dataset = open_dataset(data)
        check_dataset(dataset, config)
        return {"dataset": dataset_digest(dataset)}

    return Command(check, _claim, train, "best")


def _finetune(model: str | None) -> Command:
    from yinzi_train.dataset.reader import open_dataset
    from yinzi_train.finetuning import finetune
    from yinzi_train.finetuning.start import open_start
    from yinzi_train.training.run_folder import check_dataset, dataset_digest

    if model is None:
        raise ConfigError(
            "a study of the command 'finetune' needs --model, the checkpoint that trials begin with"
        )

    begun_with = model

    def check(config: TrainingConfig, data: Path) -> Mapping[str, str]:
        dataset = open_dataset(data)
        check_dataset(dataset, config)
        start = open_start(begun_with, config)
        return {"dataset": dataset_digest(dataset), "model": str(start.digest)}

    def claim(config: TrainingConfig, data: Path, out: Path) -> None:
        _claim(open_start(begun_with, config).config, data, out)

    def run(config: TrainingConfig, **others: Any) -> Ended:
        ended: Ended = finetune(config, model=begun_with, **others)
        return ended

    return Command(check, claim, run, "final")


def _claim(config: TrainingConfig, data: Path, out: Path) -> None:
    """Begin an empty run folder."""
    from yinzi_train.dataset.reader import open_dataset
    from yinzi_train.training.run_folder import RunFolder, dataset_digest

    digest = dataset_digest(open_dataset(data))
    out.mkdir(parents=True)
    RunFolder(out).claim(config, dataset=digest, n_processes=1, resumes=False)


COMMANDS: Final[Mapping[str, Callable[[str | None], Command]]] = {
    "train": _train,
    "finetune": _finetune,
}
"""What makes each command from the model that its runs begin with, by its name."""


def find_command(name: str, *, model: str | None = None) -> Command:
    """Return a command by its name.

    Args:
        name: of the command.
        model: checkpoint that its runs begin with, for commands that take one.

    Raises:
        ConfigError: there is none of that name, this version does not have it, or it does not take,
            or needs, a model.
    """
    if name not in COMMANDS:
        raise ConfigError(f"command is {name!r}: expected one of {', '.join(COMMANDS)}")
    return COMMANDS[name](model)
