"""Keep two builds from mixing in one folder.

A folder remembers what each stage in it was made from. A command with other settings or other texts
is refused, because half of one dataset and half of another would look like a whole one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from yinzi.errors import ConfigError
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.manifest import MANIFEST_NAME
from yinzi_train.dataset.storage import read_json, write_json

__all__ = ["Claims"]

BUILD_NAME: Final = "build.json"


class Claims:
    """What each stage of a folder was made from, in its file `build.json`.

    Args:
        out: the folder.
        created: date of the build, unless the folder has one already.
        restarts: replace what was made from something else.
        folders: what each stage makes, by the stages' names in the order they run.
    """

    def __init__(
        self, out: Path, *, created: str, restarts: bool, folders: Mapping[str, Sequence[Path]]
    ) -> None:
        self._out = out
        self._path = out / BUILD_NAME
        self._restarts = restarts
        self._folders = folders
        found = read_json(self._path)
        if found is None and out.is_dir() and any(out.iterdir()):
            raise ConfigError(
                f"{str(out)!r} holds files but no build of a dataset: give --out a new or "
                "empty folder"
            )
        self._found: dict[str, Any] = dict(found or {"created": created})

    @property
    def created(self) -> str:
        """Date the build was started."""
        return str(self._found["created"])

    def made_from(self, stage: str) -> Mapping[str, Any]:
        """Return what a stage was made from."""
        found: Mapping[str, Any] = self._found[stage]
        return found

    def claim(self, stage: str, made_from: Mapping[str, Any]) -> None:
        """Make the folder that of this build, or refuse.

        Raises:
            ConfigError: the stage was made from something else, and `restarts` is not set.
        """
        held = self._found.get(stage)
        wanted = _plain(made_from)
        if held is not None and held != wanted:
            changed = _changed_keys(held, wanted)
            if not self._restarts:
                raise ConfigError(
                    f"{str(self._out)!r} holds another build: its {stage} stage was made "
                    f"with other {', '.join(changed[:5])}; give another --out, or --restart to "
                    "replace it"
                )
            self._clear_from(stage)
        if self._found.get(stage) != wanted:
            self._found[stage] = wanted
            write_json(self._path, self._found)

    def require(self, stage: str) -> None:
        """Check that a stage before has begun here.

        Raises:
            DatasetError: it has not.
        """
        if stage not in self._found:
            command = {"corpus": "corpus", "labelling": "label"}[stage]
            raise DatasetError(
                f"the {stage} stage is not done in {str(self._out)!r}: run yinzi-train "
                f"{command} first, or yinzi-train dataset for all"
            )

    def _clear_from(self, stage: str) -> None:
        (self._out / MANIFEST_NAME).unlink(missing_ok=True)
        for later in self._from(stage):
            self._found.pop(later, None)
        write_json(self._path, self._found)
        for later in self._from(stage):
            for folder in self._folders[later]:
                shutil.rmtree(folder, ignore_errors=True)

    def _from(self, stage: str) -> list[str]:
        stages = list(self._folders)
        return stages[stages.index(stage) :]


def _plain(value: Any) -> Any:
    """Return a value as it comes back from JSON."""
    return json.loads(json.dumps(value))


def _changed_keys(held: Any, wanted: Any, prefix: str = "") -> list[str]:
    """Name the entries in which two tables differ, by their dotted names.

    >>> _changed_keys({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2})
    ['a.b']
    """
    if not (isinstance(held, dict) and isinstance(wanted, dict)):
        return [prefix] if held != wanted else []
    names = sorted({*held, *wanted})
    dotted = [(name, f"{prefix}.{name}" if prefix else name) for name in names]
    return [
        key
        for name, full in dotted
        for key in _changed_keys(held.get(name), wanted.get(name), full)
    ]
