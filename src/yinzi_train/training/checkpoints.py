"""Keep the checkpoints of a run: each whole or not there at all.

A checkpoint is written into a folder of another name, flushed to the disk, given a marker with the
sizes of its files, and renamed. What has no marker, or misses a file, is no checkpoint.

    checkpoint-200/
      config.json, model.safetensors, …   the model and both vocabularies; see `save_checkpoint`
      ema/                                the same with averaged weights
      optimizer.pt, scheduler.pt          AdamW
      rng_state*.pth, stream-*.json       random numbers and place in the data, one a process
      trainer_state.json, progress.json   steps, targets, minutes, best evaluation
      complete.json                       the marker
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from yinzi_train.training.errors import TrainingError

__all__ = ["Checkpoints", "finish_folder", "flush_folder"]

_MARKER: Final = "complete.json"
_PREFIX: Final = "checkpoint-"
_UNFINISHED: Final = ".unfinished"


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints in a run folder.

    Attributes:
        folder: the run folder.
    """

    folder: Path

    @property
    def unfinished_path(self) -> Path:
        """Folder in which checkpoints are written."""
        return self.folder / _UNFINISHED

    def path(self, step: int) -> Path:
        """Return where the checkpoint of a step is."""
        return self.folder / f"{_PREFIX}{step}"

    def steps(self) -> list[int]:
        """Return the steps of all whole checkpoints, rising."""
        return [step for step, problem in self._found() if problem is None]

    def problems(self) -> list[str]:
        """Say of every folder that should be a checkpoint and is none what is wrong with it."""
        return [problem for _, problem in self._found() if problem is not None]

    def newest(self) -> Path | None:
        """Return the newest whole checkpoint, if there is one."""
        steps = self.steps()
        return self.path(steps[-1]) if steps else None

    def rotate(self, n_kept: int) -> None:
        """Remove all but the newest whole checkpoints."""
        for step in self.steps()[:-n_kept]:
            # Under its name it must be whole at any time.
            gone = self.unfinished_path / f"old-{step}"
            self.unfinished_path.mkdir(exist_ok=True)
            shutil.rmtree(gone, ignore_errors=True)
            self.path(step).rename(gone)
            shutil.rmtree(gone)

    def clean(self) -> None:
        """Remove what a killed run has left unfinished."""
        shutil.rmtree(self.unfinished_path, ignore_errors=True)

    def _found(self) -> Iterator[tuple[int, str | None]]:
        names = [path.name for path in self.folder.glob(f"{_PREFIX}*")]
        numbers = [name.removeprefix(_PREFIX) for name in names]
        for step in sorted(int(number) for number in numbers if number.isdecimal()):
            yield step, _problem(self.path(step))


def finish_folder(part: Path, path: Path) -> None:
    """Mark a written folder as complete and give it its name; one of that name is replaced.

    Raises:
        TrainingError: the disk is full, or the folder cannot be written.
    """
    try:
        sizes = {
            file.relative_to(part).as_posix(): file.stat().st_size
            for file in sorted(part.rglob("*"))
            if file.is_file()
        }
        (part / _MARKER).write_text(json.dumps({"files": sizes}, indent=1), encoding="utf-8")
        flush_folder(part)
        if path.exists():
            old = part.with_name(f"{part.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            path.rename(old)
            part.rename(path)
            shutil.rmtree(old)
        else:
            part.rename(path)
        _flush(path.parent)
    except OSError as error:
        raise TrainingError(
            f"cannot write {str(path)!r}: {error.strerror or error}; make room, then go on with "
            "--resume"
        ) from error


def flush_folder(folder: Path) -> None:
    """Bring all files of a folder to the disk."""
    for path in [*folder.rglob("*"), folder]:
        _flush(path)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _problem(path: Path) -> str | None:
    marker = path / _MARKER
    try:
        sizes = json.loads(marker.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return f"{str(path)!r} has no readable {_MARKER}: it was not written to its end"
    for name, size in sizes.items():
        file = path / name
        if not file.is_file() or file.stat().st_size != size:
            return f"{str(path)!r} is damaged: {name} is not there or not {size} bytes long"
    return None
