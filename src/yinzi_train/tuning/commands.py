"""Name the commands whose runs a study can search over, with one way to read and to run each.

A command is imported when a study asks for it, so the registry costs nothing and knows only names.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from yinzi.errors import ConfigError

if TYPE_CHECKING:
    from yinzi_train.training.evaluation import MakeEvaluation
    from yinzi_train.training.run_callback import TrainingProgress

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

    Attributes:
        read: reads its config, from a file or None and overrides.
        check: checks a config against the folder of a dataset before anything runs; returns the
            digest of the dataset.
        claim: begins an empty run folder for a config, the folder of a dataset and that folder.
        run: goes on with a claimed run, with the keywords data, out, resumes, make_evaluation
            and on_progress.
    """

    read: Callable[[Path | None, Sequence[str]], Any]
    check: Callable[[Any, Path], str]
    claim: Callable[[Any, Path, Path], None]
    run: Callable[..., Ended]


def _train() -> Command:
    import numpy as np

    from yinzi.scoring import InputVocabulary
    from yinzi_train.dataset.pair_vocabulary import PairVocabulary
    from yinzi_train.dataset.reader import open_dataset
    from yinzi_train.model.families import build_model
    from yinzi_train.training.config import TrainingConfig, read_training_config
    from yinzi_train.training.run_folder import RunFolder, check_dataset, dataset_digest
    from yinzi_train.training.train import train

    def check(config: TrainingConfig, data: Path) -> str:
        pairs = PairVocabulary(np.zeros(1, np.int16), np.zeros(1, np.uint32), np.zeros(1, np.int64))
        build_model(config.family, config.sizes, InputVocabulary(), pairs)
        dataset = open_dataset(data)
        check_dataset(dataset, config)
        return dataset_digest(dataset)

    def read(path: Path | None, overrides: Sequence[str]) -> TrainingConfig:
        return read_training_config(path, overrides=overrides)

    def claim(config: TrainingConfig, data: Path, out: Path) -> None:
        digest = dataset_digest(open_dataset(data))
        out.mkdir(parents=True)
        RunFolder(out).claim(config, dataset=digest, n_processes=1, resumes=False)

    return Command(read, check, claim, train)


def _finetune() -> Command:
    try:
        module = importlib.import_module("yinzi_train.finetuning")
    except ModuleNotFoundError as error:
        raise ConfigError(
            "command is 'finetune', which this version does not have: expected command = 'train'"
        ) from error
    command = _train()

    def run(
        config: Any,
        *,
        data: Path,
        out: Path,
        resumes: bool,
        make_evaluation: MakeEvaluation | None,
        on_progress: Callable[[TrainingProgress], None],
    ) -> Ended:
        ended: Ended = module.finetune(
            config,
            data=data,
            out=out,
            resumes=resumes,
            make_evaluation=make_evaluation,
            on_progress=on_progress,
        )
        return ended

    return Command(command.read, command.check, command.claim, run)


COMMANDS: Final[Mapping[str, Callable[[], Command]]] = {"train": _train, "finetune": _finetune}
"""What makes each command, by its name."""


def find_command(name: str) -> Command:
    """Return a command by its name.

    Raises:
        ConfigError: there is none of that name, or this version does not have it.
    """
    if name not in COMMANDS:
        raise ConfigError(f"command is {name!r}: expected one of {', '.join(COMMANDS)}")
    return COMMANDS[name]()
