"""Check where an adapted artifact goes, and put it there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from yinzi.artifact.reader import MANIFEST_NAME, artifact_home, is_artifact_name, is_packaged
from yinzi.errors import ConfigError

__all__ = ["artifact_place", "work_folder"]

_WORK: Final = ".adapting-"


def artifact_place(name: str, out: Path | None, *, replaces: bool) -> Path:
    """Return the folder of a new artifact.

    Args:
        name: of the artifact.
        out: folder that artifacts stand in; the user's own if not given.
        replaces: an artifact of this name may be there.

    Raises:
        ConfigError: the name is none, or taken.
    """
    if not is_artifact_name(name):
        raise ConfigError(
            f"--name {name!r} cannot be the name of an artifact: give letters, digits, '.', '_' "
            "and '-', the first a letter or digit, such as clinic"
        )
    if out is None and is_packaged(name):
        raise ConfigError(f"--name {name!r} is an artifact that ships with yinzi: give another")
    folder = (artifact_home() / "artifacts" if out is None else out) / name
    if folder.exists() and not (folder / MANIFEST_NAME).is_file():
        raise ConfigError(
            f"{str(folder)!r} is there and is no artifact: give another --name, or remove it"
        )
    if folder.exists() and not replaces:
        raise ConfigError(
            f"--name {name!r} is taken by {str(folder)!r}: give another, or pass --replace"
        )
    return folder


@contextmanager
def work_folder(place: Path) -> Iterator[Path]:
    """Give an empty folder beside a place; it is removed at the end, whatever happens.

    What a job that was killed has left there is removed, too.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    for left_over in place.parent.glob(f".{place.name}{_WORK}*"):
        if not _is_running(left_over.name.rpartition("-")[2]):
            shutil.rmtree(left_over, ignore_errors=True)
    folder = place.with_name(f".{place.name}{_WORK}{os.getpid()}")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_running(process_id: str) -> bool:
    try:
        os.kill(int(process_id), 0)
    except (ValueError, ProcessLookupError):
        return False
    except OSError:
        return True
    return True
