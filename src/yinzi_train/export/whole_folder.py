"""Write a folder whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["whole_folder"]


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write into, which takes its name, or its place, at the end.

    If the block raises, what is there stays, and nothing else is left. The parent folder is made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     with whole_folder(Path(parent, "new")) as temporary:
    ...         _ = Path(temporary, "a.txt").write_text("a")
    ...     sorted(path.name for path in Path(parent).rglob("*"))
    ['a.txt', 'new']
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the rename stays on one file system; the number of the process
    # keeps two writers apart.
    temporary = folder.with_name(f".{folder.name}.writing-{os.getpid()}")
    replaced = folder.with_name(f".{folder.name}.replaced-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        yield temporary
        if folder.exists():
            folder.rename(replaced)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        shutil.rmtree(replaced, ignore_errors=True)
