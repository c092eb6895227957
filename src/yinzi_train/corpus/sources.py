"""Find the files of text below the given paths, with the domain and the licence of each.

A source is one file, or one split of a `datasets` folder. Its name is the stem of the file; where
two files share a stem, the path below the given folder is part of the name, so that names and with
them row ids are unique and do not depend on anything outside the given paths.
"""

from __future__ import annotations

import csv
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from yinzi_train.corpus.errors import CorpusError
from yinzi_train.corpus.options import CorpusOptions

__all__ = ["FORMATS", "MANIFEST_NAME", "Source", "find_sources"]

logger = logging.getLogger(__name__)

FORMATS: Final = {
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
COMPRESSIONS: Final = {".gz": "gz", ".xz": "xz", ".zst": "zst"}
MANIFEST_NAME: Final = "MANIFEST.tsv"
"""Table of a folder's files: columns `file`, `licence`, and `domain` if wanted."""
DATASET_FORMAT: Final = "dataset"
UNKNOWN_DOMAIN: Final = "unknown"
UNKNOWN_LICENCE: Final = "[unknown]"
"""Of texts for which neither a table nor an option says anything; `[unstated]` in a table is an
answer: published without a licence."""


@dataclass(frozen=True)
class Source:
    """One file of text, or one split of a dataset on disk.

    Attributes:
        path: the file, or the folder of the dataset.
        name: unique among the sources of a run; row ids start with it.
        domain: kind of text, such as "news".
        licence: of the text.
        format: a value of `FORMATS`, or "dataset".
        compression: "gz", "xz", "zst", or "" for none.
        relative: path as found, for messages.
    """

    path: Path
    name: str
    domain: str
    licence: str
    format: str
    compression: str = ""
    relative: str = ""

    @property
    def files(self) -> list[Path]:
        """The files that hold the text: one, or the Arrow files and their tables of contents."""
        if self.format != DATASET_FORMAT:
            return [self.path]
        return sorted(
            path
            for path in self.path.iterdir()
            if path.suffix in {".arrow", ".json"} and path.is_file()
        )


def find_sources(paths: Sequence[Path | str], options: CorpusOptions) -> list[Source]:
    """Return the sources below the paths, sorted by name.

    Folders are searched through in sorted order; hidden files, and files of a kind that is not
    known, are passed over (the latter with one warning). A path that is given itself must be known.

    Raises:
        CorpusError: a path is missing, of an unknown kind, or there is nothing to read.
    """
    sources: list[Source] = []
    for path in map(Path, paths):
        if not path.exists():
            raise CorpusError(f"no such file or folder: {str(path)!r}")
        found = list(_sources_below(path, options))
        if not path.is_dir() and not found:
            raise CorpusError(
                f"cannot tell the kind of {path.name!r}: its name must end in one of "
                f"{', '.join(sorted(FORMATS))}, with .gz, .xz or .zst after it if compressed"
            )
        sources += found
    sources = list({source.path: source for source in sources}.values())
    if not sources:
        names = ", ".join(repr(str(path)) for path in list(paths)[:5])
        raise CorpusError(
            f"empty corpus: nothing to read in {names or 'no path at all'}; "
            f"files must end in one of {', '.join(sorted(FORMATS))}, or be datasets on disk"
        )
    return sorted(_with_unique_names(sources), key=lambda source: source.name)


def _sources_below(root: Path, options: CorpusOptions) -> Iterator[Source]:
    manifests: dict[Path, dict[str, dict[str, str]]] = {}
    unknown: Counter[str] = Counter()
    for path in _walk(root):
        relative = path.relative_to(root).as_posix() if path != root else path.name
        if path.parent not in manifests:
            manifests[path.parent] = _read_manifest(path.parent / MANIFEST_NAME)
        row = manifests[path.parent].get(path.name, {})
        if path.is_dir():
            stem, format_name, compression = _dataset_name(path), DATASET_FORMAT, ""
        else:
            stem, format_name, compression = _kind(path)
        if not format_name:
            unknown[path.suffix or path.name] += 1
            continue
        named_domain = stem.split("__", 1)[0] if "__" in stem else ""
        yield Source(
            path=path,
            name=stem,
            domain=row.get("domain") or named_domain or options.domain or UNKNOWN_DOMAIN,
            licence=row.get("licence") or options.licence or UNKNOWN_LICENCE,
            format=format_name,
            compression=compression,
            relative=relative,
        )
    if unknown:
        kinds = ", ".join(f"{kind} ({n})" for kind, n in unknown.most_common(5))
        logger.warning("%s: files of unknown kind are passed over: %s", root.name, kinds)


def _walk(path: Path) -> Iterator[Path]:
    """Yield the path if it is a file or a dataset, otherwise what is below it."""
    if (path / "dataset_dict.json").is_file():
        yield from (path / name for name in _dataset_splits(path))
    elif not path.is_dir() or _is_dataset(path):
        yield path
    else:
        for inner in sorted(path.iterdir()):
            if not inner.name.startswith((".", "_")) and inner.name != MANIFEST_NAME:
                yield from _walk(inner)


def _is_dataset(folder: Path) -> bool:
    return (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()


def _dataset_splits(folder: Path) -> list[str]:
    try:
        splits = json.loads((folder / "dataset_dict.json").read_text(encoding="utf-8"))["splits"]
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(
            f"dataset {folder.name!r}: dataset_dict.json cannot be read ({error}); save it again"
        ) from error
    return [str(name) for name in splits]


def _dataset_name(folder: Path) -> str:
    """Name of a dataset, with that of the split if it is one of several."""
    is_split = (folder.parent / "dataset_dict.json").is_file()
    return f"{folder.parent.name}.{folder.name}" if is_split else folder.name


def _kind(path: Path) -> tuple[str, str, str]:
    """Return stem, format and compression of a file; format "" if it is not known."""
    compression = COMPRESSIONS.get(path.suffix.lower(), "")
    bare = Path(path.stem) if compression else Path(path.name)
    return bare.stem, FORMATS.get(bare.suffix.lower(), ""), compression


def _read_manifest(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        if "file" not in row or "licence" not in row:
            raise CorpusError(f"{path.name}: must have the columns 'file' and 'licence'")
    return {row["file"]: row for row in rows}


def _with_unique_names(sources: list[Source]) -> list[Source]:
    """Make names unique: stem, else path with dots, else that with a number."""
    stems = Counter(source.name for source in sources)
    named: list[Source] = []
    taken: Counter[str] = Counter()
    for source in sources:
        name = source.name
        if stems[name] > 1 or not name:
            name = source.relative.replace("/", ".")
        taken[name] += 1
        if taken[name] > 1:
            name = f"{name}.{taken[name]}"
        named.append(replace(source, name=name))
    return named
