"""Turn tables of a TOML file into options dataclasses, strictly.

An unknown key, a value of the wrong type and a value out of range are errors that name file and
key. Nothing is converted silently but whole numbers given for fractions.
"""

from __future__ import annotations

import difflib
import importlib
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from yinzi.errors import ConfigError

__all__ = ["build_options", "check_sections", "read_toml", "unknown_key_error"]

_Options = TypeVar("_Options")


def read_toml(path: Path | None, *, overrides: Sequence[str] = (), example: str) -> dict[str, Any]:
    """Read the tables of a TOML file and set single values of them.

    >>> read_toml(None, overrides=["a.b=2"], example="splits.seed=2")
    {'a': {'b': 2}}

    Args:
        path: the file; None for no tables but those of the overrides.
        overrides: ``section.key=value`` each; what is no TOML value is taken as text.
        example: an override, for the message about a wrong one.

    Raises:
        ConfigError: the file cannot be read, or an override is none; names it.
    """
    tables: dict[str, Any] = {}
    if path is not None:
        try:
            text = path.read_bytes().decode("utf-8")
        except OSError as error:
            raise ConfigError(f"cannot read config {str(path)!r}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path.name} is not UTF-8 at byte {error.start}") from error
        tables = _parse_toml(text, label=path.name)
    for override in overrides:
        _override(tables, override, example=example)
    return tables


def check_sections(tables: Mapping[str, Any], known: Sequence[str], label: str) -> None:
    """Check that a file has known sections only, and that each is a table.

    Raises:
        ConfigError: one is not; names it.
    """
    for name, table in tables.items():
        if name not in known:
            raise unknown_key_error(name, list(known), label)
        if not isinstance(table, dict):
            raise ConfigError(f"{label}: {name} is {table!r}, expected a table [{name}]")


def _parse_toml(text: str, *, label: str) -> dict[str, Any]:
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        tables: dict[str, Any] = toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise ConfigError(f"{label} is not TOML: {error}") from error
    return tables


def _override(tables: dict[str, Any], override: str, *, example: str) -> None:
    key, equals, text = override.partition("=")
    names = [name.strip() for name in key.split(".")]
    if not (equals and len(names) > 1 and all(names)):
        raise ConfigError(f"--set {override!r}: expected section.key=value, as {example}")
    try:
        value = _parse_toml(f"value = {text}", label=override)["value"]
    except ConfigError:
        value = text.strip()
    for name in names[:-1]:
        tables = tables.setdefault(name, {})
        if not isinstance(tables, dict):
            raise ConfigError(f"--set {override!r}: {name} is a value, expected a table")
    tables[names[-1]] = value


def build_options(
    kind: type[_Options], table: Mapping[str, Any], *, label: str, key: str
) -> _Options:
    """Build a dataclass from a table with the names of its fields.

    >>> from yinzi_train.ngram.tables import TableBits
    >>> build_options(TableBits, {"value_bits": 6}, label="a.toml", key="tables.bigram")
    TableBits(value_bits=6, fingerprint_bits=11)
    >>> build_options(TableBits, {"value_bit": 6}, label="a.toml", key="tables.bigram")
    Traceback (most recent call last):
    ...
    yinzi.errors.ConfigError: a.toml: unknown key 'tables.bigram.value_bit': did you mean ...

    Args:
        kind: a dataclass whose fields are numbers, strings, tuples of them, or such dataclasses.
        table: values by field name; missing ones keep their defaults.
        label: how messages name the file.
        key: dotted name of the table, for messages; may be empty.

    Raises:
        ConfigError: a key is unknown or missing, or a value is of the wrong type or out of range.
    """
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    prefix = f"{key}." if key else ""
    for name in table:
        if name not in known:
            raise unknown_key_error(f"{prefix}{name}", [prefix + other for other in known], label)
    for field in fields(kind):  # type: ignore[arg-type]
        required = field.default is MISSING and field.default_factory is MISSING
        if required and field.name not in table:
            raise ConfigError(f"{label}: no {prefix}{field.name!s}: add it")
    values = {
        name: _read(hints[name], value, label=label, key=f"{prefix}{name}")
        for name, value in table.items()
    }
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{label}: [{key}]: {error}") from error


def unknown_key_error(key: str, known: list[str], label: str) -> ConfigError:
    """Return the error for an unknown key, with the nearest known ones."""
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {known[:5]}"
    return ConfigError(f"{label}: unknown key {key!r}: {hint}")


def _read(hint: Any, value: Any, *, label: str, key: str) -> Any:
    if isinstance(hint, type) and is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise _type_error(value, f"a table [{key}]", label, key)
        return build_options(hint, value, label=label, key=key)
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for option in options:
        matched, result = _match(option, value)
        if matched:
            return result
    names = [_name(option) for option in options if option is not type(None)]
    raise _type_error(value, " or ".join(names), label, key)


def _match(hint: Any, value: Any) -> tuple[bool, Any]:
    """Tell whether a value is of a type, and return it as that type."""
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        if not isinstance(value, list) or len(value) != len(parts):
            return False, None
        matches = [_match(part, item) for part, item in zip(parts, value, strict=True)]
        return all(found for found, _ in matches), tuple(item for _, item in matches)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return True, float(value)
    return type(value) is hint, value


def _name(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return f"[{', '.join(_name(part) for part in get_args(hint))}]"
    return {int: "whole number", float: "number", str: "text in quotes", bool: "true or false"}.get(
        hint, str(hint)
    )


def _type_error(value: Any, expected: str, label: str, key: str) -> ConfigError:
    return ConfigError(f"{label}: {key} is {value!r}, expected {expected}")
