"""Read the TOML file that describes a dataset, and check it before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.dataset.contamination import ContaminationOptions
from yinzi_train.dataset.splits import SplitOptions
from yinzi_train.dataset.storage import StorageOptions
from yinzi_train.labelling import DecisionOptions
from yinzi_train.pipeline.options import build_options, read_toml

__all__ = ["DatasetConfig", "read_dataset_config"]


@dataclass(frozen=True)
class DatasetConfig:
    """All settings of a dataset, one section a stage; every key has a default.

    Attributes:
        corpus: what is read, cleaned and dropped.
        labelling: how readings are decided.
        splits: how sentences are divided.
        contamination: what counts as shared with an evaluation set.
        storage: how files are written.
    """

    corpus: CorpusOptions = field(default_factory=CorpusOptions)
    labelling: DecisionOptions = field(default_factory=DecisionOptions)
    splits: SplitOptions = field(default_factory=SplitOptions)
    contamination: ContaminationOptions = field(default_factory=ContaminationOptions)
    storage: StorageOptions = field(default_factory=StorageOptions)

    def to_dict(self) -> dict[str, Any]:
        """Return every setting, defaults included, as plain tables."""
        return asdict(self)


def read_dataset_config(path: Path, *, overrides: Sequence[str] = ()) -> DatasetConfig:
    """Read a dataset's TOML file.

    Args:
        path: the file.
        overrides: ``section.key=value`` each, the value in TOML: ``splits.seed=2``.

    Raises:
        ConfigError: the file cannot be read, or a key or value is not as it must be; names both.
    """
    tables = read_toml(path, overrides=overrides, example="splits.seed=2")
    return build_options(DatasetConfig, tables, label=path.name, key="")
