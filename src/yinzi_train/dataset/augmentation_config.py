"""Read the TOML file with the settings of augmentation and balance, and check it first.

Tables of free names (accent profiles, kinds of typing errors, domains) are taken out before the
strict reader, which knows fixed names only, and put in after it; their classes check the names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from yinzi.errors import ConfigError
from yinzi_train.dataset.augmentation import AugmentationOptions
from yinzi_train.dataset.balance import BalanceOptions
from yinzi_train.pipeline.options import build_options, read_toml

__all__ = ["AugmentationConfig", "build_augmentation_config", "read_augmentation_config"]

_FREE_TABLES: Final = (
    ("augmentation", "accents", "profiles"),
    ("augmentation", "typing_errors", "shares"),
    ("balance", "domain_factors"),
)


@dataclass(frozen=True)
class AugmentationConfig:
    """All settings of what is made of a finished dataset; every key has a default.

    Attributes:
        augmentation: how rows are typed.
        balance: how rows are weighed.
    """

    augmentation: AugmentationOptions = field(default_factory=AugmentationOptions)
    balance: BalanceOptions = field(default_factory=BalanceOptions)


def read_augmentation_config(
    path: Path | None = None, *, overrides: Sequence[str] = ()
) -> AugmentationConfig:
    """Read a TOML file with the sections augmentation and balance.

    >>> read_augmentation_config(overrides=["balance.temperature=2"]).balance.temperature
    2.0

    Args:
        path: the file; None for the defaults.
        overrides: ``section.key=value`` each, the value in TOML: ``augmentation.tones.rate=1``.

    Raises:
        ConfigError: the file cannot be read, or a key or value is not as it must be; names both.
    """
    tables = read_toml(path, overrides=overrides, example="augmentation.tones.rate=1")
    return build_augmentation_config(tables, label="--set" if path is None else path.name)


def build_augmentation_config(tables: dict[str, Any], *, label: str) -> AugmentationConfig:
    """Build the settings from the tables `augmentation` and `balance`; takes what it reads out.

    Raises:
        ConfigError: as `read_augmentation_config`.
    """
    free = [(names, _take_free_table(tables, names, label=label)) for names in _FREE_TABLES]
    config = build_options(AugmentationConfig, tables, label=label, key="")
    for names, table in free:
        if table is None:
            continue
        try:
            config = _replaced(config, names, table)
        except ConfigError as error:
            raise ConfigError(f"{label}: [{names[0]}]: {error}") from error
    return config


def _take_free_table(
    tables: dict[str, Any], names: Sequence[str], *, label: str
) -> dict[str, Any] | None:
    *outer, last = names
    inner: Any = tables
    for name in outer:
        inner = inner.get(name)
        if not isinstance(inner, dict):
            return None
    table = inner.pop(last, None)
    if table is None:
        return None
    if not isinstance(table, dict):
        raise ConfigError(f"{label}: {'.'.join(names)} is {table!r}, expected a table of numbers")
    return {
        name: float(value) if type(value) is int else value  # what is no number is told later
        for name, value in table.items()
    }


def _replaced(options: Any, names: Sequence[str], value: Any) -> Any:
    name, *rest = names
    inner = _replaced(getattr(options, name), rest, value) if rest else value
    return replace(options, **{name: inner})
