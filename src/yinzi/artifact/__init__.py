"""Read artifacts: the folders with everything a converter needs.

The byte layout is described in `format.md` beside this file.
"""

from __future__ import annotations

from yinzi.artifact.manifest import (
    FORMAT_VERSION,
    FileEntry,
    Manifest,
    Source,
    needed_format_version,
)
from yinzi.artifact.reader import Artifact, resolve_artifact

__all__ = [
    "FORMAT_VERSION",
    "Artifact",
    "FileEntry",
    "Manifest",
    "Source",
    "needed_format_version",
    "resolve_artifact",
]
