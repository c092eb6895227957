"""Read what a run of the corpus stage made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from yinzi_train.corpus.errors import CorpusError

__all__ = ["CORPUS_NAME", "CorpusResult", "Shard", "SourceCounts"]

CORPUS_NAME: Final = "corpus.json"


@dataclass(frozen=True)
class Shard:
    """One Parquet file of clean rows.

    Attributes:
        path: the file; columns id, text, source, domain, licence, position.
        n_rows: rows.
        n_hanzi: hanzi in them.
        n_bytes: size of the file.
        sha256: of the file.
        sources: names of the sources it holds rows of.
    """

    path: Path
    n_rows: int
    n_hanzi: int
    n_bytes: int
    sha256: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class SourceCounts:
    """What a source gave.

    Attributes:
        name: of the source.
        file: path below the folder that was given.
        domain: kind of text.
        licence: of the text.
        n_rows: rows kept.
        n_hanzi: hanzi in them.
    """

    name: str
    file: str
    domain: str
    licence: str
    n_rows: int
    n_hanzi: int


@dataclass(frozen=True)
class CorpusResult:
    """A finished corpus: n_lines + n_added - sum(drops) = n_rows.

    Attributes:
        folder: where it is.
        digest: the same for the same text, options and versions.
        options: of the run, by name.
        shards: in the order of the sources and of the positions in them.
        sources: what each source gave.
        n_lines: lines or rows read.
        n_added: rows that splitting lines into sentences added.
        n_rows: rows kept.
        n_hanzi: hanzi in them.
        n_lines_cut: lines that were too long for one row.
        drops: dropped rows by reason, most frequent first.
        changed: rows that each formatting block changed.
        unreadable: messages about files and rows that were skipped.
    """

    folder: Path
    digest: str
    options: Mapping[str, Any]
    shards: tuple[Shard, ...]
    sources: tuple[SourceCounts, ...]
    n_lines: int
    n_added: int
    n_rows: int
    n_hanzi: int
    n_lines_cut: int
    drops: Mapping[str, int]
    changed: Mapping[str, int]
    unreadable: tuple[str, ...]

    @classmethod
    def open(cls, folder: Path) -> CorpusResult:
        """Read the record of a finished corpus.

        Raises:
            CorpusError: there is none, or it is damaged.
        """
        path = Path(folder) / CORPUS_NAME
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            shards = [
                Shard(
                    Path(folder) / "shards" / row.pop("file"),
                    sources=tuple(row.pop("sources")),
                    **row,
                )
                for row in data.pop("shards")
            ]
            return cls(
                folder=Path(folder),
                shards=tuple(shards),
                sources=tuple(SourceCounts(**row) for row in data.pop("sources")),
                unreadable=tuple(data.pop("unreadable")),
                **data,
            )
        except FileNotFoundError as error:
            raise CorpusError(
                f"no finished corpus in {str(folder)!r}: {CORPUS_NAME} is missing; "
                "run the corpus stage (again) to the end"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorpusError(
                f"corpus {str(folder)!r}: {CORPUS_NAME} cannot be read ({error}); run it again"
            ) from error

    @property
    def sample_files(self) -> dict[str, Path]:
        """Files with samples of dropped rows, by reason (JSONL: id, text, reason)."""
        return {path.stem: path for path in sorted((self.folder / "dropped").glob("*.jsonl"))}
