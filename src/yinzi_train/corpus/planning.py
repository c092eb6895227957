"""Cut the sources into units of work, and find their encodings.

Plain text and JSONL are cut at ends of lines, Parquet at row groups, datasets at rows. Compressed
files, CSV and Markdown can only be read from the start and are one unit each: cut a very large one
into several files to work on it in parallel. Thousands of small files are put together.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Final

from yinzi_train.corpus.encodings import SAMPLE_BYTES, detect_encoding
from yinzi_train.corpus.errors import CorpusError, UnreadableSource
from yinzi_train.corpus.options import AUTO_ENCODING, CorpusOptions
from yinzi_train.corpus.readers import open_dataset, open_parquet
from yinzi_train.corpus.sources import Source
from yinzi_train.corpus.streams import open_bytes, reading
from yinzi_train.corpus.units import Part, Unit

__all__ = ["Plan", "plan_units"]

logger = logging.getLogger(__name__)

CLEANING_VERSION: Final = 1
"""Raised when the same text and options give other rows."""
MAX_SINGLE_UNITS: Final = 1_000
"""From so many parts on, small neighbours share a unit."""

_TEXT_FORMATS: Final = frozenset({"text", "markdown", "jsonl", "csv", "tsv"})
_BLOCK_BYTES: Final = 1 << 22


@dataclass(frozen=True)
class Plan:
    """The work of a run.

    Attributes:
        units: sorted by name of source and position.
        skipped: file and reason of sources that cannot be opened.
    """

    units: tuple[Unit, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """Digest over all units: the same for the same text and options."""
        text = "\n".join([unit.digest for unit in self.units] + [name for name, _ in self.skipped])
        return hashlib.sha256(text.encode()).hexdigest()


def plan_units(sources: Sequence[Source], options: CorpusOptions) -> Plan:
    """Return the units of work of the sources, in the order of their names.

    Every file is read once for its sha256, which decides whether finished work is still good.

    Raises:
        UnreadableSource: a source cannot be opened, unless `options.skip_unreadable`.
        CorpusError: none can.
    """
    parts: list[tuple[Part, str]] = []
    skipped = []
    for source in sources:
        try:
            with reading(source):
                found, sha256 = _parts(source, options)
        except UnreadableSource as error:
            if not options.skip_unreadable:
                raise
            logger.warning("left out: %s", error)
            skipped.append((source.relative, str(error)))
            continue
        parts += [(part, sha256) for part in found]
    if not parts:
        raise CorpusError(f"empty corpus: none of {len(sources)} files can be read")
    settings = _settings(options)
    units = []
    for name, group in _grouped(parts, options.unit_bytes):
        told = [_told(part, sha256) for part, sha256 in group]
        text = json.dumps([settings, told], sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(text.encode()).hexdigest()
        units.append(Unit(name, tuple(part for part, _ in group), digest))
    return Plan(tuple(units), tuple(skipped))


def _settings(options: CorpusOptions) -> dict[str, Any]:
    versions = {name: importlib.metadata.version(name) for name in ("opencc", "pyarrow")}
    return {"version": CLEANING_VERSION, **versions, **options.as_dict()}


def _told(part: Part, sha256: str) -> dict[str, Any]:
    """What of a part decides its rows; where the folder lies does not."""
    told = asdict(part)
    del told["source"]["path"], told["n_bytes"]
    return {**told, "sha256": sha256}


def _grouped(
    parts: list[tuple[Part, str]], unit_bytes: int
) -> list[tuple[str, list[tuple[Part, str]]]]:
    groups: list[tuple[str, list[tuple[Part, str]]]] = []
    if len(parts) <= MAX_SINGLE_UNITS:
        for name, same in groupby(parts, key=lambda pair: pair[0].source.name):
            groups += [(f"{_plain(name)}-{at:03d}", [pair]) for at, pair in enumerate(same)]
        return groups
    size = unit_bytes
    for pair in parts:
        if size + pair[0].n_bytes > unit_bytes:
            size = 0
            groups.append((f"{_plain(pair[0].source.name)}-{len(groups):06d}", []))
        groups[-1][1].append(pair)
        size += pair[0].n_bytes
    return groups


def _plain(name: str) -> str:
    """Return a name without what file systems dislike."""
    return "".join(char if char.isalnum() or char in "._-" else "-" for char in name)


def _parts(source: Source, options: CorpusOptions) -> tuple[list[Part], str]:
    files = source.files
    n_bytes = sum(path.stat().st_size for path in files)
    whole = Part(source, n_bytes=n_bytes)
    if source.format in _TEXT_FORMATS:
        whole = replace(whole, encoding=_encoding(source, options))
    if source.format in {"text", "jsonl"} and not source.compression:
        return _cut_lines(whole, options.unit_bytes)
    sha256 = _sha256(files)
    if source.format == "parquet":
        return _cut_row_groups(whole, options.unit_bytes), sha256
    if source.format == "dataset":
        return _cut_rows(whole, options.unit_bytes), sha256
    return [whole], sha256


def _encoding(source: Source, options: CorpusOptions) -> str:
    if options.encoding != AUTO_ENCODING:
        return options.encoding
    with open_bytes(source) as stream:
        return detect_encoding(stream.read(SAMPLE_BYTES), name=source.relative)


def _sha256(files: list[Path]) -> str:
    hasher = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                hasher.update(block)
    return hasher.hexdigest()


def _cut_lines(whole: Part, unit_bytes: int) -> tuple[list[Part], str]:
    """Cut at the first end of a line after each `unit_bytes`; hash the file on the way."""
    hasher = hashlib.sha256()
    cuts = [(0, 0)]
    position = n_lines = 0
    with whole.source.path.open("rb") as file:
        while block := file.read(min(_BLOCK_BYTES, unit_bytes)):
            hasher.update(block)
            end = block.find(b"\n") + 1
            if end and position + end - cuts[-1][0] >= unit_bytes:
                cuts.append((position + end, n_lines + 1))
            n_lines += block.count(b"\n")
            position += len(block)
    if len(cuts) > 1 and cuts[-1][0] == position:
        cuts.pop()
    ends = [*cuts[1:], (position, 0)]
    parts = [
        replace(whole, start=start, stop=end[0], first_position=line, n_bytes=end[0] - start)
        for (start, line), end in zip(cuts, ends, strict=True)
    ]
    return parts, hasher.hexdigest()


def _cut_row_groups(whole: Part, unit_bytes: int) -> list[Part]:
    with open_parquet(whole.source) as file:
        sizes = [
            (file.metadata.row_group(at).total_byte_size, file.metadata.row_group(at).num_rows)
            for at in range(file.num_row_groups)
        ]
    if whole.source.compression or not sizes:
        return [whole]
    parts: list[Part] = []
    row = 0
    for at, (n_bytes, n_rows) in enumerate(sizes):
        if not parts or parts[-1].n_bytes >= unit_bytes:
            parts.append(replace(whole, start=at, first_position=row, n_bytes=0))
        last = parts[-1]
        parts[-1] = replace(last, stop=at + 1, n_bytes=last.n_bytes + n_bytes)
        row += n_rows
    return parts


def _cut_rows(whole: Part, unit_bytes: int) -> list[Part]:
    n_rows = len(open_dataset(whole.source))
    n_parts = max(1, min(n_rows, round(whole.n_bytes / unit_bytes)))
    cuts = [n_rows * at // n_parts for at in range(n_parts + 1)]
    return [
        replace(
            whole, start=start, stop=stop, first_position=start, n_bytes=whole.n_bytes // n_parts
        )
        for start, stop in pairwise(cuts)
    ]
