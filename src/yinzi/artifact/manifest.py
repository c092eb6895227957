"""Hold what `manifest.json` says of an artifact: files, defaults, sources, metrics.

Reading is strict about the fields of `format.md` and ignores fields it does not know, so that a
later yinzi may add some without a new format version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from yinzi.errors import ArtifactError

__all__ = ["FORMAT_VERSION", "FileEntry", "Manifest", "Source", "needed_format_version"]

FORMAT_VERSION: Final = 2
"""The latest artifact format that this yinzi knows; it reads this one and earlier ones."""
_SECTION_VERSIONS: Final[Mapping[str, int]] = {"domain": 2}
"""Formats that brought a section without which the others would be misread."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Size and checksum of one file of an artifact."""

    bytes: int
    sha256: str  # 64 lower-case hex digits


@dataclass(frozen=True, slots=True)
class Source:
    """One text or word list that an artifact was built from."""

    file: str
    source: str  # where it was published
    licence: str
    share: float | None = None  # part of the weighted text, 0 to 1; None for word lists
    use: str = ""  # what it was used for: counts, words, readings, …


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an artifact says of itself.

    The sections `parameters`, `metrics` and `training` are free: their keys belong to the parts
    that read and write them.
    """

    name: str
    version: str
    created: str  # ISO 8601 date
    files: Mapping[str, FileEntry]  # path relative to the folder, with "/" -> entry
    parameters: Mapping[str, Any]
    sources: tuple[Source, ...]
    metrics: Mapping[str, Any]
    training: Mapping[str, Any]
    format_version: int = field(default=1)  # see `needed_format_version`

    @property
    def total_bytes(self) -> int:
        """Sum of the sizes of all files, without the manifest itself."""
        return sum(entry.bytes for entry in self.files.values())

    def section_bytes(self) -> dict[str, int]:
        """Return the bytes of each top folder, in the order of their names.

        >>> files = {"lexicon/words.npy": FileEntry(8, "0" * 64)}
        >>> Manifest("tiny", "1", "2025-01-01", files, {}, (), {}, {}).section_bytes()
        {'lexicon': 8}
        """
        sizes: dict[str, int] = {}
        for path in sorted(self.files):
            section = path.split("/", 1)[0]
            sizes[section] = sizes.get(section, 0) + self.files[path].bytes
        return sizes

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as plain dicts, lists, strings and numbers, ready for JSON."""
        return {
            "format_version": self.format_version,
            "name": self.name,
            "version": self.version,
            "created": self.created,
            "files": {path: asdict(self.files[path]) for path in sorted(self.files)},
            "parameters": dict(self.parameters),
            "sources": [asdict(source) for source in self.sources],
            "metrics": dict(self.metrics),
            "training": dict(self.training),
        }

    def to_json(self) -> str:
        """Return the text of `manifest.json`; the same manifest always gives the same text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, label: str) -> Manifest:
        """Read the text of a `manifest.json`.

        Args:
            text: The whole file; bytes must be UTF-8.
            label: How messages name the artifact, for example `artifact 'base'`.

        Raises:
            ArtifactError: The text is no JSON object, comes from a later format version, or
                lacks a field.
        """
        try:
            raw = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
        except (ValueError, RecursionError) as error:
            raise ArtifactError(
                f"{label}: manifest.json is not valid JSON ({error}); "
                "the file is damaged or edited, fetch the artifact again"
            ) from error
        if not isinstance(raw, dict):
            raise ArtifactError(
                f"{label}: manifest.json holds a {type(raw).__name__}, expected an object; "
                "this is no artifact manifest"
            )
        _check_format_version(raw.get("format_version"), label)
        return cls(
            name=_take(raw, "name", str, label),
            version=_take(raw, "version", str, label),
            created=_take(raw, "created", str, label),
            files=_read_files(_take(raw, "files", dict, label), label),
            parameters=_take(raw, "parameters", dict, label),
            sources=_read_sources(_take(raw, "sources", list, label), label),
            metrics=_take(raw, "metrics", dict, label),
            training=_take(raw, "training", dict, label),
            format_version=raw["format_version"],
        )


def needed_format_version(sections: Iterable[str]) -> int:
    """Return the format of an artifact by its sections: the earliest that reads all of it rightly.

    >>> needed_format_version(["lexicon", "language_model"])
    1
    """
    return max((_SECTION_VERSIONS.get(section, 1) for section in sections), default=1)


def _check_format_version(found: object, label: str) -> None:
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise ArtifactError(
            f"{label}: manifest.json has format_version {found!r}, expected a whole number from 1 "
            f"to {FORMAT_VERSION}; this is no artifact manifest"
        )
    if found > FORMAT_VERSION:
        raise ArtifactError(
            f"{label}: format version {found} was written by a later yinzi, this one reads up to "
            f"{FORMAT_VERSION}; upgrade with: pip install --upgrade yinzi"
        )


def _take(raw: Mapping[str, Any], key: str, kind: type, label: str) -> Any:
    """Return a field of the manifest, or say that it is missing or of the wrong kind."""
    if key not in raw:
        raise ArtifactError(
            f"{label}: manifest.json lacks the field {key!r}; "
            "the file is damaged or edited, fetch the artifact again"
        )
    value = raw[key]
    if not isinstance(value, kind):
        raise ArtifactError(
            f"{label}: manifest.json field {key!r} is a {type(value).__name__}, "
            f"expected a {kind.__name__}; the file is damaged or edited, fetch the artifact again"
        )
    return value


def _read_files(raw: Mapping[str, Any], label: str) -> dict[str, FileEntry]:
    files: dict[str, FileEntry] = {}
    for path, entry in raw.items():
        _check_path(path, label)
        size = entry.get("bytes") if isinstance(entry, dict) else None
        digest = entry.get("sha256") if isinstance(entry, dict) else None
        if (
            isinstance(size, bool)
            or not isinstance(size, int)
            or size < 0
            or not isinstance(digest, str)
            or not _SHA256.fullmatch(digest)
        ):
            raise ArtifactError(
                f"{label}: manifest.json entry {path!r} is {entry!r}, expected "
                '{"bytes": N, "sha256": 64 hex digits}; the file is damaged or edited, '
                "fetch the artifact again"
            )
        files[path] = FileEntry(bytes=size, sha256=digest)
    return files


def _check_path(path: str, label: str) -> None:
    """Refuse names that could lead out of the folder on any system."""
    parts = PurePosixPath(path).parts
    is_inside = (
        path == "/".join(parts)
        and len(parts) > 0
        and not any(part == ".." or part.endswith((" ", ".")) for part in parts)
        and not any(char in '\\:*?"<>|' or ord(char) < 32 for char in path)
        and not path.startswith("/")
    )
    if not is_inside:
        raise ArtifactError(
            f"{label}: manifest.json names the file {path!r}, expected a plain path inside the "
            "artifact's folder such as 'lexicon/words.npy'; do not use this artifact"
        )


def _read_sources(raw: list[Any], label: str) -> tuple[Source, ...]:
    sources: list[Source] = []
    for position, entry in enumerate(raw):
        row = entry if isinstance(entry, dict) else {}
        file, source, licence = (row.get(key) for key in ("file", "source", "licence"))
        share, use = row.get("share"), row.get("use", "")
        if (
            not isinstance(file, str)
            or not isinstance(source, str)
            or not isinstance(licence, str)
            or not isinstance(use, str)
            or isinstance(share, bool)
            or not (share is None or isinstance(share, (int, float)))
        ):
            raise ArtifactError(
                f"{label}: manifest.json source {position} is {entry!r}, expected an object with "
                "'file', 'source', 'licence', 'share' and 'use'; the file is damaged or edited, "
                "fetch the artifact again"
            )
        sources.append(Source(file=file, source=source, licence=licence, share=share, use=use))
    return tuple(sources)
