"""Write settings as TOML that `read_toml` reads back as it was; the standard library only reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from yinzi.errors import ConfigError

__all__ = ["flat_values", "toml_text", "toml_value"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_value(value: Any) -> str:
    """Return a value as TOML.

    >>> toml_value([0.001, True, "lora"])
    '[0.001, true, "lora"]'

    Raises:
        ConfigError: TOML has no such value.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {toml_value(one)}' for key, one in value.items())}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(toml_value, value))}]"
    raise ConfigError(f"{value!r} cannot be written as TOML: expected number, text, list or table")


def toml_text(tables: Mapping[str, Any]) -> str:
    """Return tables as TOML; values that are None are left out.

    >>> print(toml_text({"a": {"x": 1, "b": {"1 c": 2.0}}, "empty": {}}))
    [a]
    x = 1
    <BLANKLINE>
    [a.b]
    "1 c" = 2.0
    <BLANKLINE>
    [empty]
    <BLANKLINE>
    """
    return "\n".join(_blocks(tables, ())) + "\n"


def flat_values(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return all values by their dotted names.

    >>> flat_values({"a": {"b": {"c": 1}}, "d": 2, "empty": {}})
    {'a.b.c': 1, 'd': 2, 'empty': {}}
    """
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        if isinstance(value, Mapping) and value:
            flat |= flat_values(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = list(value) if isinstance(value, tuple) else value
    return flat


def _blocks(table: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    inner = {name: value for name, value in table.items() if isinstance(value, Mapping)}
    lines = [
        f"{_key(name)} = {toml_value(value)}"
        for name, value in table.items()
        if name not in inner and value is not None
    ]
    blocks = []
    if names and (lines or not inner):
        head = f"[{'.'.join(map(_key, names))}]"
        blocks.append("\n".join([head, *lines, ""]) if lines else head)
    elif lines:
        blocks.append("\n".join([*lines, ""]))
    for name, value in inner.items():
        blocks += _blocks(value, (*names, name))
    return blocks


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_value(name)
