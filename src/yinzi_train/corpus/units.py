"""Name the units of work of a corpus: what one task reads and one shard holds."""

from __future__ import annotations

from dataclasses import dataclass

from yinzi_train.corpus.sources import Source

__all__ = ["Part", "Unit"]


@dataclass(frozen=True)
class Part:
    """A stretch of one source.

    Attributes:
        source: the source.
        start: first byte (text, Markdown, JSONL), row group (Parquet) or row (dataset).
        stop: end of the stretch in the same measure, None for the end of the source.
        first_position: number of the first line or row.
        encoding: of text.
        n_bytes: size on disk, to weigh the work.
    """

    source: Source
    start: int = 0
    stop: int | None = None
    first_position: int = 0
    encoding: str = "utf-8"
    n_bytes: int = 0


@dataclass(frozen=True)
class Unit:
    """One task: reads its parts in order and writes one shard.

    Attributes:
        name: stem of the shard, such as "news__daily-000".
        parts: one part, or many small files.
        digest: of the text, the options and the versions that decide the rows.
    """

    name: str
    parts: tuple[Part, ...]
    digest: str

    def __deepcopy__(self, memo: object) -> Unit:
        """Return itself, as it never changes: every task copies the list of units."""
        return self

    @property
    def work_name(self) -> str:
        """Stem of the files of pass 1; other text or options never write to the same files."""
        return f"{self.name}.{self.digest[:12]}"

    @property
    def n_bytes(self) -> int:
        """Size on disk of what it reads."""
        return sum(part.n_bytes for part in self.parts)
