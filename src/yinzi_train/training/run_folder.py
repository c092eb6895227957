"""Claim the folder of a run: a new one, or one to go on with under the same settings."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import yinzi
from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import ConfigError
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.manifest import MANIFEST_NAME, Count
from yinzi_train.dataset.reader import Dataset, open_dataset
from yinzi_train.dataset.storage import read_json, write_json
from yinzi_train.training.checkpoints import Checkpoints
from yinzi_train.training.config import TrainingConfig, TrainingOptions

__all__ = ["RUN_NAME", "RunFolder", "check_dataset", "check_run", "dataset_digest"]

logger = logging.getLogger(__name__)

RUN_NAME: Final = "run.json"
_FORMAT_VERSION: Final = 1
_MAY_CHANGE: Final = (
    *("training.max_minutes", "training.save_minutes", "training.save_steps"),
    *("training.keep_checkpoints", "training.log_steps", "training.eval_steps"),
    *("training.metric", "training.patience", "evaluation"),
)
"""Keys that do not change what is learnt, or only how long."""
_LENGTH: Final = ("training.max_steps", "training.decay_steps")
"""Keys that may change as long as the learning rate has not begun to fall."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run.

    Attributes:
        path: of the folder.
    """

    path: Path

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints in it."""
        return Checkpoints(self.path)

    def check(
        self, config: TrainingConfig, *, dataset: str, n_processes: int, resumes: bool
    ) -> None:
        """Check that a run may begin, or go on, in this folder; writes nothing.

        Args:
            config: of the run.
            dataset: digest of its dataset.
            n_processes: how many train together.
            resumes: go on with the run that is there, rather than begin one.

        Raises:
            ConfigError: it may not; says why and names the key that differs.
        """
        recorded = read_json(self.path / RUN_NAME)
        if not resumes:
            if self.path.is_dir() and any(self.path.iterdir()):
                what = "a run" if recorded is not None else "files"
                raise ConfigError(
                    f"{str(self.path)!r} holds {what} already: give --resume to go on with a run, "
                    "or --out a new or empty folder"
                )
            return
        if recorded is None:
            raise ConfigError(
                f"{str(self.path)!r} has no readable {RUN_NAME}, so there is no run to resume: "
                "leave --resume out to begin one"
            )
        self._check_same(recorded, config, dataset=dataset, n_processes=n_processes)

    def claim(
        self, config: TrainingConfig, *, dataset: str, n_processes: int, resumes: bool
    ) -> None:
        """Check as `check` does, then write down what the run is made from.

        Folders that should be checkpoints and are not whole are named in the log.
        """
        self.check(config, dataset=dataset, n_processes=n_processes, resumes=resumes)
        self.checkpoints.clean()
        for problem in self.checkpoints.problems():
            logger.warning("passed over: %s", problem)
        content = {
            "format_version": _FORMAT_VERSION,
            "config": config.to_dict(),
            "dataset": dataset,
            "processes": n_processes,
            "versions": {
                "yinzi": yinzi.__version__,
                **{name: version(name) for name in ("torch", "transformers", "numpy")},
            },
        }
        write_json(self.path / RUN_NAME, content)

    def _check_same(
        self,
        recorded: Mapping[str, Any],
        config: TrainingConfig,
        *,
        dataset: str,
        n_processes: int,
    ) -> None:
        where = f"the run in {str(self.path)!r}"
        if recorded.get("format_version") != _FORMAT_VERSION:
            raise ConfigError(f"{where} was made by another version: train anew")
        if recorded["dataset"] != dataset:
            raise ConfigError(
                f"{where} was trained on another dataset (manifest {recorded['dataset'][:12]}…, "
                f"given {dataset[:12]}…): give --data the same one"
            )
        if recorded["processes"] != n_processes:
            raise ConfigError(
                f"{where} has {recorded['processes']} processes, given {n_processes}: give "
                f"--processes {recorded['processes']}, each has its own place in the data"
            )
        # Runs of earlier versions lack keys that have come since: these had their defaults.
        defaults = _flat({"training": asdict(TrainingOptions())})
        before, now = {**defaults, **_flat(recorded["config"])}, _flat(config.to_dict())
        for key in sorted({*before, *now}):
            if before.get(key) == now.get(key) or key.startswith(_MAY_CHANGE):
                continue
            is_stable = config.training.schedule == "warmup_stable_decay"
            if key in _LENGTH and is_stable and not config.training.max_epochs:
                self._check_length(before, key, now[key])
                continue
            raise ConfigError(
                f"{where} has {key} = {_shown(before.get(key))}, given {_shown(now.get(key))}: "
                "resume with the same settings, or begin another run in a new folder"
            )

    def _check_length(self, before: Mapping[str, Any], key: str, value: Any) -> None:
        steps = self.checkpoints.steps()
        first = before["training.max_steps"] - before["training.decay_steps"]
        if steps and steps[-1] > first:
            raise ConfigError(
                f"the run in {str(self.path)!r} has {key} = {before[key]}, given {value}: its "
                f"learning rate has been falling since step {first} and the newest checkpoint is "
                f"of step {steps[-1]}; keep the value, or remove the checkpoints behind {first}"
            )


def check_run(
    config: TrainingConfig, *, data: Path, out: Path, n_processes: int, resumes: bool = False
) -> Dataset:
    """Check all that can be checked before anything is read or written; return the dataset.

    Raises:
        ConfigError: the run folder is taken, or holds a run with other settings.
        DatasetError: the dataset cannot be opened, or a split has no rows.
    """
    dataset = open_dataset(data)
    check_dataset(dataset, config)
    RunFolder(out).check(
        config, dataset=dataset_digest(dataset), n_processes=n_processes, resumes=resumes
    )
    return dataset


def dataset_digest(dataset: Dataset) -> str:
    """Return the sha256 of a dataset's manifest, which has those of its shards."""
    return sha256_hex(dataset.path / MANIFEST_NAME)


def check_dataset(dataset: Dataset, config: TrainingConfig) -> None:
    """Check that there is something to train on, without reading rows.

    Raises:
        DatasetError: a split that is needed has no rows.
    """
    needed = ["train"]
    if config.training.eval_steps and config.evaluation.validation_rows:
        needed.append("validation")
    for split in needed:
        if not dataset.manifest.splits.get(split, Count()).rows:
            hint = (
                "build it from more text"
                if split == "train"
                else "build it with splits.validation above 0, or set evaluation.validation_rows=0"
            )
            raise DatasetError(
                f"dataset {str(dataset.path)!r} has no rows of the split {split!r}: {hint}"
            )


def _shown(value: Any) -> str:
    return "none" if value is None else repr(value)


def _flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return all values by their dotted names."""
    return dict(_items(tables, prefix))


def _items(tables: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tables.items():
        if isinstance(value, Mapping):
            yield from _items(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", list(value) if isinstance(value, tuple) else value
