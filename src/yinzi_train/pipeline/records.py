"""Record what a stage was made from and what it made, so that finished work is kept.

A record holds digests of a stage's inputs (settings, data, stages before, and the code that
decides the result) and of its outputs. A stage whose inputs and outputs still agree with its record
is not run again.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import ConfigError

__all__ = ["StageRecord", "code_digest", "digest", "file_digests", "read_record", "write_record"]


@dataclass(frozen=True)
class StageRecord:
    """What a finished stage was made from, and what it made.

    Attributes:
        inputs: digests and settings by name.
        outputs: digest of each file by its path; relative ones are in the build folder.
        report: figures for people and for later stages.
    """

    inputs: Mapping[str, Any]
    outputs: Mapping[str, str]
    report: Mapping[str, Any]

    def changed_inputs(self, inputs: Mapping[str, Any]) -> list[str]:
        """Name the inputs that are not as recorded.

        >>> StageRecord({"options": 1}, {}, {}).changed_inputs({"options": 2, "texts": 1})
        ['options', 'texts']
        """
        names = sorted({*self.inputs, *inputs})
        return [name for name in names if self.inputs.get(name) != inputs.get(name)]

    def changed_outputs(self, folder: Path) -> list[str]:
        """Name the recorded files that are gone or edited."""
        return [
            name
            for name, recorded in self.outputs.items()
            if not (folder / name).is_file() or sha256_hex(folder / name) != recorded
        ]


def read_record(path: Path) -> StageRecord | None:
    """Read a record; None if there is none or it was not written whole."""
    try:
        return StageRecord(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_record(path: Path, record: StageRecord) -> None:
    """Write a record whole or not at all."""
    temporary = path.with_name(f"{path.name}.part")
    text = json.dumps(asdict(record), ensure_ascii=False, indent=2)
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)


def digest(value: Any) -> str:
    """Return a digest of plain data: the same for equal tables, lists, texts and numbers.

    >>> digest({"a": 1, "b": (2,)}) == digest({"b": [2], "a": 1})
    True
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def file_digests(paths: Iterable[Path], *, folder: Path | None = None) -> dict[str, str]:
    """Return the sha256 of files by name, or by path relative to a folder they are in.

    Raises:
        ConfigError: a file cannot be read.
    """
    digests = {}
    for path in sorted(paths):
        try:
            name = path.name if folder is None else path.relative_to(folder).as_posix()
            digests[name] = sha256_hex(path)
        except OSError as error:
            raise ConfigError(f"cannot read {str(path)!r}: {error.strerror}") from error
    return digests


def code_digest(modules: Iterable[str]) -> str:
    """Return a digest of what modules do; comments, docstrings and layout do not count."""
    trees = []
    for name in modules:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            _drop_docstrings(node)
        trees.append(ast.dump(tree))
    return digest(trees)


def _drop_docstrings(node: ast.AST) -> None:
    body = getattr(node, "body", None)
    if isinstance(body, list):
        body[:] = [
            part
            for part in body
            if not (
                isinstance(part, ast.Expr)
                and isinstance(part.value, ast.Constant)
                and isinstance(part.value.value, str)
            )
        ]
