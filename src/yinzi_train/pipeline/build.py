"""Name what every stage of a build is given: settings, data, folders, workers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from yinzi_train.pipeline.config import BuildConfig
from yinzi_train.pipeline.data_folder import DataFolder

__all__ = ["Build", "Finished", "ReportProgress", "replaced_folder"]

ReportProgress = Callable[[int, int], None]
"""Takes the steps done and the steps in all."""


class Finished(NamedTuple):
    """What a stage made: digests of files by path, and figures."""

    outputs: dict[str, str]
    report: dict[str, Any]


@dataclass(frozen=True)
class Build:
    """One build.

    Attributes:
        config: all settings.
        data: texts and word lists.
        out: folder that the stages work in; an absolute path.
        artifacts: folder that the artifact goes into, under its name; an absolute path.
        created: date the artifact gets, ISO 8601.
        n_workers: processes, at least 1.
        uses_ray: count with Ray instead of processes of this machine.
    """

    config: BuildConfig
    data: DataFolder
    out: Path
    artifacts: Path
    created: str
    n_workers: int = 1
    uses_ray: bool = False

    @property
    def lexicon_path(self) -> Path:
        """Arrays of the lexicon, as they ship."""
        return self.out / "lexicon"

    @property
    def words_path(self) -> Path:
        """Words in the order of their ids, and their counts; both stay in the workshop."""
        return self.out / "words"

    @property
    def counts_path(self) -> Path:
        """Shards."""
        return self.out / "counts"

    @property
    def language_model_path(self) -> Path:
        """Arrays of the language model, as they ship."""
        return self.out / "language_model"

    @property
    def artifact_path(self) -> Path:
        """The artifact."""
        return self.artifacts / self.config.artifact.name

    def shard_weights(self) -> dict[str, float]:
        """Weights of the texts that enter the language model, by shard."""
        weights = self.config.weights.by_shard(corpus.shard for corpus in self.data.corpora())
        return {shard: weight for shard, weight in weights.items() if weight > 0}


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder that takes another one's place when all went well."""
    temporary = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    yield temporary
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
