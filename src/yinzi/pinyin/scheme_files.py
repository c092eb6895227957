"""Read and write shuangpin layouts as TOML files; docs/input-schemes.md describes the format."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yinzi.errors import ConfigError, MissingExtra
from yinzi.pinyin.shuangpin import Layout, LayoutError

__all__ = ["format_layout", "read_layout"]

_TABLES = ("initials", "finals", "syllables")
_LISTS = ("zero_initial", "shared")


def read_layout(path: str | Path) -> tuple[str, Layout]:
    """Return the name and the layout that a file describes.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or describes no layout; the message gives
            the lines that are to blame where there are such.
        MissingExtra: Python is older than 3.11 and tomli is not installed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or error) if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"cannot read the scheme file {str(path)!r}: {reason}") from error
    toml = _import_toml()
    try:
        content: dict[str, Any] = toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise ConfigError(f"scheme file {str(path)!r} is not valid TOML: {error}") from error
    try:
        return _read_name(content, path), _read_layout(content)
    except LayoutError as error:
        lines = sorted({_line_of(text, table, key) for table, key in error.where} - {0})
        place = f" line {', '.join(map(str, lines))}" if lines else ""
        raise ConfigError(f"scheme file {str(path)!r}{place}: {error}") from error


def format_layout(name: str, layout: Layout) -> str:
    """Return a layout as a scheme file; `read_layout` gives the same layout back."""
    lines = [
        f"name = {_quote(name)}",
        f"zero_initial = [{', '.join(map(_quote, layout.zero_initial))}]",
        f"shared = [{', '.join(map(_quote, layout.shared))}]",
    ]
    for table in _TABLES:
        entries: dict[str, list[str]] = {}
        for key, value in getattr(layout, table):
            entries.setdefault(key, []).append(value)
        if entries:
            lines += ["", f"[{table}]"]
        for key, values in entries.items():
            quoted = ", ".join(map(_quote, values))
            lines.append(f"{key} = {quoted if len(values) == 1 else f'[{quoted}]'}")
    return "\n".join(lines) + "\n"


def _import_toml() -> Any:
    name = "tomllib" if sys.version_info >= (3, 11) else "tomli"
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtra(
            "reading a scheme file with Python 3.10 needs tomli: pip install 'yinzi[schemes]'"
        ) from error


def _read_name(content: Mapping[str, Any], path: Path) -> str:
    name = content.get("name", path.stem)
    if not isinstance(name, str) or not name:
        raise LayoutError(f"name is {name!r}: expected a text", ("", "name"))
    return name


def _read_layout(content: Mapping[str, Any]) -> Layout:
    known = ("name", *_LISTS, *_TABLES)
    unknown = next((key for key in content if key not in known), None)
    if unknown is not None:
        raise LayoutError(
            f"unknown entry {unknown!r}: expected {', '.join(known)}", ("", unknown), (unknown, "")
        )
    pairs = [_read_pairs(content, table) for table in _TABLES]
    return Layout(
        pairs[0],
        pairs[1],
        _texts(content.get("zero_initial", "spelled"), "", "zero_initial"),
        pairs[2],
        _texts(content.get("shared", []), "", "shared"),
    )


def _read_pairs(content: Mapping[str, Any], table: str) -> tuple[tuple[str, str], ...]:
    entries = content.get(table, {})
    if not isinstance(entries, Mapping):
        raise LayoutError(
            f"{table} is {entries!r}: expected a table [{table}] of names and keys", ("", table)
        )
    return tuple(
        (name, value) for name, values in entries.items() for value in _texts(values, table, name)
    )


def _texts(values: object, table: str, name: str) -> tuple[str, ...]:
    """Return one text or a list of them as a tuple."""
    texts = values if isinstance(values, list) else [values]
    if not all(isinstance(text, str) for text in texts):
        raise LayoutError(f"{name} is {values!r}: expected a text or a list of them", (table, name))
    return tuple(texts)


def _line_of(text: str, table: str, key: str) -> int:
    """Return the line where a key stands, or where its table starts if `key` is empty; 0: none."""
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*[\"']?([^\]\"']*?)[\"']?\s*\]", line)
        if header:
            current = header[1]
            if current == table and not key:
                return number
        elif current == table and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return 0


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\") + '"'
