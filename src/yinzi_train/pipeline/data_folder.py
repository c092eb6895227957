"""Read the folder of raw data: texts, word lists, and the manifests that say where they are from.

A manifest is a TSV file with a header; the columns `file`, `source`, `version` and `licence` are
used. A text without a known licence never gets into a build: every file must have its row, and
every row its file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from yinzi.errors import ConfigError
from yinzi_train.lexicon.sources import HANZI_SOURCES, READING_SOURCES, WORD_SOURCES
from yinzi_train.ngram.counting import shard_name

__all__ = ["Corpus", "DataFolder", "WordList"]

MANIFEST_NAME: Final = "MANIFEST.tsv"
OPEN_MARK: Final = "[open]"
"""Starts the licence of a source whose words and readings may ship."""

_COLUMNS: Final = ("file", "source", "version", "licence")


@dataclass(frozen=True)
class Corpus:
    """One text file.

    Attributes:
        path: the file.
        source: where it was published, with the version.
        licence: of the text.
    """

    path: Path
    source: str
    licence: str

    @property
    def shard(self) -> str:
        """Name of its shard."""
        return shard_name(self.path)


@dataclass(frozen=True)
class WordList:
    """One published word list or table of readings.

    Attributes:
        path: the file.
        source: where it was published, with the version.
        licence: of the list.
        use: what the lexicon takes from it.
    """

    path: Path
    source: str
    licence: str
    use: str


@dataclass(frozen=True)
class DataFolder:
    """A folder with `corpora/` and `lexicons/`, each with its manifest.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def corpora_path(self) -> Path:
        """Folder of the texts."""
        return self.path / "corpora"

    @property
    def lexicons_path(self) -> Path:
        """Folder of the word lists."""
        return self.path / "lexicons"

    def corpora(self) -> list[Corpus]:
        """List the texts, by name.

        Raises:
            ConfigError: the manifest is missing or bad, or it and the files do not agree.
        """
        rows = _read_manifest(self.corpora_path)
        there = {
            path.name
            for path in self.corpora_path.iterdir()
            if path.name != MANIFEST_NAME and not path.name.startswith(".") and path.is_file()
        }
        missing, unlisted = sorted(rows.keys() - there), sorted(there - rows.keys())
        if missing:
            raise ConfigError(
                f"{_listed(missing)} in corpora/{MANIFEST_NAME} but not in the folder: fetch the "
                "texts again, or take their rows out"
            )
        if unlisted:
            raise ConfigError(
                f"{_listed(unlisted)} in corpora/ but not in its {MANIFEST_NAME}: add rows with "
                "their licences, or take them out"
            )
        if not rows:
            raise ConfigError(f"corpora/{MANIFEST_NAME} lists no texts: add some")
        return [
            Corpus(self.corpora_path / name, _source(row), row["licence"])
            for name, row in sorted(rows.items())
        ]

    def word_lists(self) -> list[WordList]:
        """List the word lists and tables that the lexicon is built from, by name.

        Raises:
            ConfigError: the manifest is missing or bad, or lacks a list; a list is missing, or its
                words may not ship.
        """
        rows = _read_manifest(self.lexicons_path)
        uses: dict[str, list[str]] = {}
        for tables, use in (
            (WORD_SOURCES, "words"),
            (READING_SOURCES, "readings of words"),
            (HANZI_SOURCES, "readings of hanzi"),
        ):
            for name in tables:
                uses.setdefault(name, []).append(use)
        lists = []
        for name in sorted(uses):
            path = self.lexicons_path / name
            if name not in rows:
                raise ConfigError(f"lexicons/{MANIFEST_NAME} has no row for {name!r}: add it")
            if not path.is_file():
                raise ConfigError(f"no lexicon source {name!r} in lexicons/: fetch it")
            row = rows[name]
            if not row["licence"].startswith(OPEN_MARK):
                raise ConfigError(
                    f"lexicon source {name!r} has the licence {row['licence']!r}, but its words "
                    f"would ship: only lists marked {OPEN_MARK} may be used"
                )
            lists.append(WordList(path, _source(row), row["licence"], ", ".join(uses[name])))
        return lists


def _read_manifest(folder: Path) -> dict[str, dict[str, str]]:
    """Return the rows of a manifest by file name."""
    label = f"{folder.name}/{MANIFEST_NAME}"
    try:
        lines = (folder / MANIFEST_NAME).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(
            f"cannot read {label}: {error.strerror}; --data names the folder with corpora/ and "
            "lexicons/"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{label} is not UTF-8 at byte {error.start}") from error
    header = lines[0].split("\t") if lines else []
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        raise ConfigError(f"{label}: no column {_listed(missing)}, the header is {header}")
    rows: dict[str, dict[str, str]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(header):
            raise ConfigError(
                f"{label} line {number}: {len(cells)} columns, expected {len(header)}"
            )
        row = {column: cell.strip() for column, cell in zip(header, cells, strict=True)}
        name = row["file"]
        if not name or Path(name).name != name:
            raise ConfigError(f"{label} line {number}: file is {name!r}, expected a file name")
        if name in rows:
            raise ConfigError(f"{label} line {number}: {name!r} is listed twice")
        if not row["source"] or not row["licence"]:
            raise ConfigError(f"{label} line {number}: source or licence of {name!r} is empty")
        rows[name] = row
    return rows


def _source(row: dict[str, str]) -> str:
    """Return source and version, the latter once."""
    source, version = row["source"], row["version"]
    return source if version in source else f"{source} {version}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return f"{shown}, … ({len(names)} files)" if len(names) > 5 else shown
