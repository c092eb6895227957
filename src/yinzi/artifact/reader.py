"""Open an artifact: find its folder, check its files, hand out its arrays.

An artifact is checked before anything in it is used, so that damage is told as such and does not
show up as odd candidates. Arrays are mapped from disk and read-only: opening costs the checksum,
pages are read when they are touched, and processes share them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from yinzi.artifact.checksum import sha256_hex
from yinzi.artifact.manifest import Manifest
from yinzi.errors import ArtifactError

__all__ = [
    "MANIFEST_NAME",
    "Artifact",
    "artifact_home",
    "is_artifact_name",
    "is_packaged",
    "resolve_artifact",
]

MANIFEST_NAME: Final = "manifest.json"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PACKAGED = Path(__file__).resolve().parent.parent / "artifacts"


class Artifact:
    """An opened artifact folder.

    Safe to share between threads: nothing in it changes after `open`. Files must not be edited in
    place while an artifact is open; write a new folder and rename it.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @classmethod
    def open(cls, name_or_path: str | Path = "base", *, verify: bool = True) -> Artifact:
        """Open an artifact by name or path and check that it is whole.

        >>> Artifact.open("no-such-artifact")
        Traceback (most recent call last):
        ...
        yinzi.errors.ArtifactError: no artifact 'no-such-artifact': ...

        Args:
            name_or_path: A name such as `base`, or the path of a folder (see `resolve_artifact`).
            verify: Compare the sha256 of every file with the manifest; otherwise only sizes.

        Raises:
            ArtifactError: The folder, its manifest or a file is missing, truncated or edited, or
                the format is that of a later yinzi.
        """
        folder = resolve_artifact(name_or_path)
        label = f"artifact {str(name_or_path)!r}"
        artifact = cls(folder, _read_manifest(folder, label))
        artifact._check_files(label, verify=verify)
        return artifact

    def __repr__(self) -> str:
        """Return name, version and folder."""
        return f"Artifact({self.manifest.name!r}, {self.manifest.version!r}, {str(self.folder)!r})"

    def parameters(self, name: str) -> Mapping[str, Any]:
        """Return one table of the manifest's parameters; empty if it is not there.

        Raises:
            ArtifactError: it is no table.
        """
        table = self.manifest.parameters.get(name, {})
        if not isinstance(table, Mapping):
            raise ArtifactError(
                f"artifact {self.manifest.name!r}: parameters of the {name} are {table!r}, "
                "expected a table; the manifest is damaged or edited, fetch the artifact again"
            )
        return table

    def arrays(
        self, section: str, *, dtypes: Mapping[str, DTypeLike] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Map all arrays of one section, keyed by file name without `.npy`.

        `arrays("lexicon")` of an artifact with `lexicon/words.npy` gives `{"words": …}`.

        Args:
            section: Name of a folder of the artifact.
            dtypes: The arrays that must be there and their types; others are returned unchecked.

        Returns:
            Read-only arrays backed by the files.

        Raises:
            ArtifactError: The section or a wanted array is missing, a file is no plain `.npy`
                array, or an array is of another type.
        """
        label = f"artifact {self.manifest.name!r}"
        prefix = f"{section}/"
        paths = sorted(
            path
            for path in self.manifest.files
            if path.startswith(prefix) and path.endswith(".npy") and "/" not in path[len(prefix) :]
        )
        if not paths:
            known = sorted({path.split("/", 1)[0] for path in self.manifest.files if "/" in path})
            raise ArtifactError(
                f"{label}: no section {section!r}, it has {_listed(known)}; "
                "use an artifact that was built with it"
            )
        arrays = {
            path[len(prefix) : -len(".npy")]: _map_array(self.folder / path, f"{label}: {path}")
            for path in paths
        }
        for stem, dtype in (dtypes or {}).items():
            if stem not in arrays:
                raise ArtifactError(
                    f"{label}: no file {prefix}{stem}.npy, the section has {_listed(arrays)}; "
                    "build or fetch the artifact again"
                )
            if arrays[stem].dtype != np.dtype(dtype):
                raise ArtifactError(
                    f"{label}: {prefix}{stem}.npy holds {arrays[stem].dtype}, expected "
                    f"{np.dtype(dtype)}; build or fetch the artifact again"
                )
        return arrays

    def _check_files(self, label: str, *, verify: bool) -> None:
        for relative, entry in self.manifest.files.items():
            path = self.folder / relative
            try:
                size = path.stat().st_size if path.is_file() else -1
                digest = sha256_hex(path) if verify and size == entry.bytes else entry.sha256
            except OSError as error:
                raise ArtifactError(f"{label}: cannot read {relative}: {error.strerror}") from error
            if size < 0:
                raise ArtifactError(
                    f"{label}: the file {relative} is missing from {str(self.folder)!r}; "
                    "fetch the artifact again"
                )
            if size != entry.bytes:
                raise ArtifactError(
                    f"{label}: {relative} has {size} bytes, manifest says {entry.bytes}; "
                    f"the file is {'truncated' if size < entry.bytes else 'damaged or edited'}, "
                    "fetch it again"
                )
            if digest != entry.sha256:
                raise ArtifactError(
                    f"{label}: {relative} sha256 is {digest[:8]}…, manifest says "
                    f"{entry.sha256[:8]}…; the file is damaged or edited, fetch it again"
                )


def is_artifact_name(name: str) -> bool:
    """Tell whether a text can be the name of an artifact.

    >>> is_artifact_name("clinic"), is_artifact_name("my/clinic")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None


def is_packaged(name: str) -> bool:
    """Tell whether an artifact of this name ships with yinzi."""
    return (_PACKAGED / name).is_dir()


def artifact_home(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder in which the user's own artifacts stand, each in `artifacts/NAME`.

    It is ``$YINZI_HOME``, or the folder `yinzi` in ``$XDG_DATA_HOME``, or in ``~/.local/share``;
    the user lexicon is there too.

    >>> str(artifact_home({"YINZI_HOME": "/home/li/yinzi"}))
    '/home/li/yinzi'

    Args:
        environ: environment variables; those of the process if not given.
    """
    variables = os.environ if environ is None else environ
    if variables.get("YINZI_HOME"):
        return Path(variables["YINZI_HOME"])
    data = variables.get("XDG_DATA_HOME")
    if data and Path(data).is_absolute():
        return Path(data) / "yinzi"
    return Path("~/.local/share").expanduser() / "yinzi"


def resolve_artifact(name_or_path: str | Path, *, home: Path | None = None) -> Path:
    """Return the folder of an artifact.

    A plain name (letters, digits, `.`, `_`, `-`) is looked up among the artifacts inside the
    package, then in `artifacts/` below `home`; folders of the current directory never count as
    names, so write `./base` to mean one. Anything else, and every `Path`, is a path used as is.

    Args:
        name_or_path: A name or a path.
        home: Folder of the user's own artifacts; see `artifact_home` if not given.

    Raises:
        ArtifactError: There is no such artifact or folder.
    """
    if isinstance(name_or_path, Path) or not _NAME.fullmatch(name_or_path):
        folder = Path(name_or_path)
        if str(name_or_path) == "" or not folder.is_dir():
            raise ArtifactError(
                f"no artifact folder {str(name_or_path)!r}: "
                f"{'it is a file' if folder.is_file() else 'the path does not exist'}; "
                f"give the folder that holds {MANIFEST_NAME}, or the name of an artifact"
            )
        return folder
    places = [_PACKAGED, (artifact_home() if home is None else home) / "artifacts"]
    for place in places:
        if (place / name_or_path).is_dir():
            return place / name_or_path
    known = sorted(
        path.parent.name
        for place in places
        for path in place.glob(f"*/{MANIFEST_NAME}")
        if _NAME.fullmatch(path.parent.name)  # not what a job that was killed left behind
    )
    raise ArtifactError(
        f"no artifact {name_or_path!r}: known names are {_listed(known)}; for a folder give its "
        f"path, for example './{name_or_path}'"
    )


def _read_manifest(folder: Path, label: str) -> Manifest:
    path = folder / MANIFEST_NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{label}: no {MANIFEST_NAME} in {str(folder)!r}; "
            "give the folder of an artifact, or fetch it again"
        ) from error
    except OSError as error:
        raise ArtifactError(f"{label}: cannot read {str(path)!r}: {error.strerror}") from error
    return Manifest.from_json(text, label=label)


def _map_array(path: Path, label: str) -> NDArray[Any]:
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise ArtifactError(
            f"{label} is not a plain .npy array ({error}); the file is damaged or edited, "
            "fetch it again"
        ) from error
    if not isinstance(loaded, np.ndarray):  # np.load also opens .npz archives
        loaded.close()
        raise ArtifactError(f"{label} is an archive, expected a plain .npy array; build it again")
    # A plain ndarray over the mapping: slices of np.memmap cost several times as much.
    return np.asarray(loaded)


def _listed(names: Iterable[str]) -> str:
    """Return at most five names for a message."""
    listed = [repr(name) for name in names]
    shown = ", ".join(listed[:5])
    return (shown + (", …" if len(listed) > 5 else "")) or "none"
