"""Write files whole or not at all."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from yinzi_train.corpus.errors import writing_error

__all__ = ["read_json", "write_json", "writing"]


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary path that takes the place of `path` if all goes well, and is removed if not.

    Its name is of its own: two processes that make the same file do not meet in it.

    Raises:
        CorpusError: the file cannot be written, as when the disk is full.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise writing_error(error, path.name) from error
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write plain data as JSON."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    with writing(path) as part:
        part.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """Return the data of a JSON file; None if there is none or it is not whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
