"""Read the TOML file that describes a dataset, and check it before anything runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from yinzi.errors import ConfigError
from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.dataset.contamination import ContaminationOptions
from yinzi_train.dataset.splits import SplitOptions
from yinzi_train.dataset.storage import StorageOptions
from yinzi_train.labelling import DecisionOptions
from yinzi_train.pipeline.options import build_options

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
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read config {str(path)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name} is not UTF-8 at byte {error.start}") from error
    tables = _parse(text, label=path.name)
    for override in overrides:
        key, equals, value = override.partition("=")
        section, dot, name = key.strip().partition(".")
        if not (equals and dot and section and name):
            raise ConfigError(f"--set {override!r}: expected section.key=value, as splits.seed=2")
        table = tables.setdefault(section, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {override!r}: {section} is a value, expected a table")
        table[name] = _value(value, label=override)
    return build_options(DatasetConfig, tables, label=path.name, key="")


def _value(text: str, *, label: str) -> Any:
    """Read one value; what is no TOML value is taken as text."""
    try:
        return _parse(f"value = {text}", label=label)["value"]
    except ConfigError:
        return text.strip()


def _parse(text: str, *, label: str) -> dict[str, Any]:
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        tables: dict[str, Any] = toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise ConfigError(f"{label} is not TOML: {error}") from error
    return tables
