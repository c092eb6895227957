"""Run the corpus stage as the first of a dataset, and say where each text comes from.

The corpus stage knows files and rows; a dataset also tells where each text was published, and
refuses texts whose licence nobody has stated.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import ConfigError
from yinzi_train.corpus.build import run_corpus
from yinzi_train.corpus.execution import Progress
from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.corpus.result import CorpusResult
from yinzi_train.corpus.sources import MANIFEST_NAME, UNKNOWN_LICENCE, find_sources
from yinzi_train.dataset.units import Execution

__all__ = ["SourceText", "clean_corpus", "describe_sources"]

_PASSES: Final = {"clean": (0.0, 0.75), "duplicates": (0.75, 0.1), "write": (0.85, 0.15)}
"""Where each pass over the corpus begins, and its share of the time, as measured."""


@dataclass(frozen=True)
class SourceText:
    """One text that a dataset is made from.

    Attributes:
        name: of the source.
        domain: kind of text.
        licence: of the text.
        origin: where it was published, and the version; empty if no manifest says.
        sha256: of its files, hexadecimal.
    """

    name: str
    domain: str
    licence: str
    origin: str
    sha256: tuple[str, ...]


def describe_sources(inputs: Sequence[Path], options: CorpusOptions) -> list[SourceText]:
    """Return the texts below files and folders, by name.

    Raises:
        ConfigError: there are none, or one has no licence.
    """
    described = []
    manifests: dict[Path, Mapping[str, dict[str, str]]] = {}
    for source in find_sources(inputs, options):
        if source.licence == UNKNOWN_LICENCE:
            raise ConfigError(
                f"no licence is stated for {source.relative!r}: add a row with file and licence to "
                f"{MANIFEST_NAME} beside it, or set corpus.licence for all texts that have none "
                "(--set corpus.licence=CC0-1.0)"
            )
        folder = source.path.parent
        if folder not in manifests:
            manifests[folder] = _read_manifest(folder / MANIFEST_NAME)
        row = manifests[folder].get(source.path.name, {})
        place, version = row.get("source") or "", row.get("version") or ""
        described.append(
            SourceText(
                name=source.name,
                domain=source.domain,
                licence=source.licence,
                origin=place if version in place else f"{place} {version}".strip(),
                sha256=tuple(sha256_hex(path) for path in source.files),
            )
        )
    return described


def clean_corpus(
    inputs: Sequence[Path],
    folder: Path,
    *,
    options: CorpusOptions,
    execution: Execution,
    on_progress: Callable[[int, int], None],
) -> CorpusResult:
    """Clean the texts into a folder; finished work in it is kept.

    Raises:
        ConfigError: a text cannot be read, nothing is left of all, or the disk is full.
    """

    def tell(progress: Progress) -> None:
        start, share = _PASSES.get(progress.stage, (0.0, 0.0))
        on_progress(round(1000 * (start + share * progress.done_share)), 1000)

    result = run_corpus(
        inputs,
        folder,
        options,
        executor="ray" if execution.uses_ray else "local",
        workers=execution.n_workers,
        progress=tell,
    )
    on_progress(1000, 1000)
    return result


def _read_manifest(path: Path) -> Mapping[str, dict[str, str]]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {row["file"]: row for row in rows}
