"""Write an artifact folder whole or not at all.

Everything is written to a temporary folder beside the target, opened once with the runtime's own
reader, and renamed. A reader therefore never meets half an artifact, and a stopped build leaves
the old one in place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinzi.artifact import Artifact, FileEntry, Manifest, Source, needed_format_version
from yinzi.artifact.checksum import sha256_hex
from yinzi.artifact.reader import MANIFEST_NAME
from yinzi.errors import ArtifactError, ConfigError
from yinzi_train.export.whole_folder import whole_folder

__all__ = ["update_manifest", "write_artifact"]


def write_artifact(
    folder: Path,
    *,
    name: str,
    version: str,
    created: str,
    components: Mapping[str, Mapping[str, NDArray[Any] | bytes] | Path],
    parameters: Mapping[str, Any],
    sources: Sequence[Source],
    metrics: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Manifest:
    """Write an artifact and return its manifest; an artifact that is there is replaced.

    The same arguments always give the same bytes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = write_artifact(
    ...         Path(folder, "tiny"), name="tiny", version="1", created="2025-01-01",
    ...         components={"lexicon": {"words": np.arange(3)}}, parameters={}, sources=[],
    ...     )
    >>> manifest.section_bytes()
    {'lexicon': 152}

    Args:
        folder: Where the artifact goes; its parent folder is made if need be.
        name: Name of the artifact, such as `base`.
        version: Version of the artifact, free text.
        created: ISO 8601 date, an argument so that builds can be repeated bit for bit.
        components: Section name to its arrays by file stem, or to a folder of `.npy` and `.onnx`
            files. Bytes are written as they are, under the full name of a file.
        parameters: Defaults of language model, graph and decoder.
        sources: All texts and word lists it was built from, with their licences.
        metrics: Measured figures by set.
        training: How it was built: config, seed, commit.

    Raises:
        ConfigError: A component is empty or has an array that cannot be stored plainly.
        ArtifactError: The target is there and is no artifact, or what was written does not read
            back.
    """
    if folder.exists() and not (folder / MANIFEST_NAME).is_file():
        raise ArtifactError(
            f"{str(folder)!r} is there and is no artifact (it has no {MANIFEST_NAME}); "
            "give another folder or remove it"
        )
    with whole_folder(folder) as temporary:
        for section in sorted(components):
            _write_component(temporary / section, components[section])
        manifest = Manifest(
            name=name,
            version=version,
            created=created,
            files=_file_entries(temporary),
            parameters=parameters,
            sources=tuple(sources),
            metrics=metrics or {},
            training=training or {},
            format_version=needed_format_version(components),
        )
        _write_synced(temporary / MANIFEST_NAME, manifest.to_json())
        _check_readable(temporary, components)
    return manifest


def update_manifest(
    folder: Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Manifest:
    """Replace whole free sections of a manifest and return the new manifest.

    Metrics are measured on the finished artifact and tuned defaults come after it, so both are
    set without touching the arrays. A section that is not given stays.

    Raises:
        ArtifactError: The folder is no whole artifact.
    """
    manifest = Artifact.open(folder).manifest
    manifest = replace(
        manifest,
        parameters=manifest.parameters if parameters is None else parameters,
        metrics=manifest.metrics if metrics is None else metrics,
        training=manifest.training if training is None else training,
    )
    temporary = folder / f".{MANIFEST_NAME}.writing-{os.getpid()}"
    try:
        _write_synced(temporary, manifest.to_json())
        temporary.replace(folder / MANIFEST_NAME)
    finally:
        temporary.unlink(missing_ok=True)
    return manifest


def _write_component(target: Path, component: Mapping[str, NDArray[Any] | bytes] | Path) -> None:
    target.mkdir()
    if isinstance(component, Path):
        for path in sorted([*component.glob("*.npy"), *component.glob("*.onnx")]):
            shutil.copyfile(path, target / path.name)
    else:
        for stem in sorted(component):
            content = component[stem]
            if isinstance(content, bytes):
                (target / stem).write_bytes(content)
                continue
            array = np.ascontiguousarray(content)
            if array.dtype.hasobject:
                raise ConfigError(
                    f"component {target.name!r}: array {stem!r} holds Python objects, expected "
                    "numbers; store text as one uint8 array and an array of offsets"
                )
            np.save(target / f"{stem}.npy", array, allow_pickle=False)
    if not any(target.iterdir()):
        raise ConfigError(
            f"component {target.name!r} is empty, expected arrays or a folder with .npy files; "
            "build the component first"
        )


def _file_entries(folder: Path) -> dict[str, FileEntry]:
    return {
        path.relative_to(folder).as_posix(): FileEntry(path.stat().st_size, sha256_hex(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _check_readable(folder: Path, components: Mapping[str, object]) -> None:
    artifact = Artifact.open(folder)
    for section in components:
        artifact.arrays(section)
