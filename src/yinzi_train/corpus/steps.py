"""Read and write units of work as datatrove steps: the ends of the two passes over a corpus.

Pass 1 reads a unit, cleans it and writes its rows with their keys (`UnitReader`, the cleaning
blocks, `UnitWriter`). Pass 2 writes the shard without the duplicates found in between
(`ShardWriter`). Task number `rank` does unit number `rank`, whatever worker it runs on. A unit is
done when its JSON record is there, which is written last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document, DocumentsPipeline
from datatrove.pipeline.base import PipelineStep
from numpy.typing import NDArray

from yinzi.artifact.checksum import sha256_hex
from yinzi.text import hanzi_mask
from yinzi_train.corpus.blocks import TextFormatter
from yinzi_train.corpus.dropped import DroppedRows
from yinzi_train.corpus.duplicates import BAND_HASHES, N_BANDS, RowKeys, row_keys
from yinzi_train.corpus.errors import UnreadableSource
from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.corpus.readers import read_part
from yinzi_train.corpus.sentences import SentenceSplitter
from yinzi_train.corpus.streams import ReadLog
from yinzi_train.corpus.units import Unit
from yinzi_train.corpus.writing import write_json, writing

__all__ = ["SCHEMA", "ShardWriter", "UnitReader", "UnitWriter", "load_keys"]

_NAMES: Final = pa.dictionary(pa.int32(), pa.string())
SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("source", _NAMES),
        ("domain", _NAMES),
        ("licence", _NAMES),
        ("position", pa.int64()),
    ]
)
BATCH_ROWS: Final = 1 << 16
COMPRESSION_LEVEL: Final = 3


class UnitReader(PipelineStep):
    """Yield the lines of a unit as documents.

    Args:
        units: unit number `rank` is read by task number `rank`.
        options: of the corpus.
        log: what is left out while reading.
    """

    type = "📖 - READER"
    name = "units"

    def __init__(self, units: Sequence[Unit], options: CorpusOptions, log: ReadLog) -> None:
        super().__init__()
        self.units = units
        self.options = options
        self.log = log
        self.n_documents = 0

    def run(
        self, data: DocumentsPipeline = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Yield one document per line."""
        for part in self.units[rank].parts:
            if self.options.skip_unreadable and not self._is_readable(part):
                continue
            source = part.source
            name, domain, licence = source.name, source.domain, source.licence
            for position, piece, text in read_part(part, self.options, self.log):
                if not text or text.isspace():
                    self.log.count("blank")
                    continue
                self.n_documents += 1
                yield Document(
                    text=text,
                    id=f"{name}:{position}~{piece}" if piece else f"{name}:{position}",
                    metadata={
                        "source": name,
                        "domain": domain,
                        "position": position,
                        "licence": licence,
                    },
                )
        self.stat_update("documents", value=self.n_documents)

    def _is_readable(self, part: Any) -> bool:
        """Read the part once to its end, so that no half of a damaged file gets in."""
        try:
            for _ in read_part(part, self.options, ReadLog(skip=True)):
                pass
        except UnreadableSource as error:
            self.log.report(str(error), reason="unreadable_file")
            return False
        return True


class UnitWriter(PipelineStep):
    """Write the rows of a unit, their keys, and the record of how they came about.

    Args:
        folder: where to write.
        reader: the first step of the same pipeline.
        blocks: the cleaning steps between.
        dropped: shared by the blocks.
    """

    type = "💽 - WRITER"
    name = "units"

    def __init__(
        self,
        folder: Path,
        reader: UnitReader,
        blocks: Sequence[PipelineStep],
        dropped: DroppedRows,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.reader = reader
        self.blocks = blocks
        self.dropped = dropped

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> None:
        """Write the documents of the unit."""
        unit = self.reader.units[rank]
        batch_rows: list[int] = []
        with (
            writing(self.folder / f"{unit.work_name}.parquet") as table_path,
            writing(self.folder / f"{unit.work_name}.keys") as keys_path,
            pq.ParquetWriter(table_path, SCHEMA, compression="zstd", compression_level=1) as table,
            keys_path.open("wb") as keys_file,
        ):
            for batch in _batches(data):
                table.write_batch(_record_batch(batch))
                keys = row_keys([document.text for document in batch], self.reader.options)
                for array in (keys.content, keys.n_chars, keys.bands):
                    keys_file.write(np.ascontiguousarray(array).tobytes())
                batch_rows.append(len(batch))
        write_json(self.folder / f"{unit.work_name}.json", self._record(unit, batch_rows))

    def _record(self, unit: Unit, batch_rows: list[int]) -> dict[str, Any]:
        log = self.reader.log
        left_out = {reason: n for reason, n in log.counts.items() if reason != "unreadable_file"}
        splitters = [block for block in self.blocks if isinstance(block, SentenceSplitter)]
        formatters = [block for block in self.blocks if isinstance(block, TextFormatter)]
        return {
            "digest": unit.digest,
            "n_lines": self.reader.n_documents + sum(left_out.values()),
            "n_added": sum(block.n_added for block in splitters),
            "n_rows": sum(batch_rows),
            "n_lines_cut": log.n_lines_cut,
            "n_unreadable_files": log.counts.get("unreadable_file", 0),
            "batch_rows": batch_rows,
            "drops": dict(sorted({**left_out, **self.dropped.counts}.items())),
            "changed": {block.name: block.n_changed for block in formatters},
            "messages": log.messages,
            "samples": self.dropped.samples(),
        }


def _batches(documents: DocumentsPipeline) -> Iterator[list[Document]]:
    batch: list[Document] = []
    for document in documents:
        batch.append(document)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _record_batch(documents: list[Document]) -> pa.RecordBatch:
    metadata = [document.metadata for document in documents]
    arrays = [
        pa.array([document.id for document in documents], pa.string()),
        pa.array([document.text for document in documents], pa.string()),
    ]
    for key in ("source", "domain", "licence"):
        arrays.append(pa.array([row[key] for row in metadata], pa.string()).dictionary_encode())
    arrays.append(pa.array([row["position"] for row in metadata], pa.int64()))
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def load_keys(path: Path, batch_rows: Sequence[int], *, with_bands: bool) -> list[RowKeys]:
    """Return the keys of a unit, one object per batch, mapped and not read."""
    if not batch_rows:
        return []
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    keys = []
    position = 0

    def take(dtype: Any, *shape: int) -> NDArray[Any]:
        nonlocal position
        start, position = position, position + int(np.prod(shape)) * np.dtype(dtype).itemsize
        array: NDArray[Any] = raw[start:position].view(dtype).reshape(shape)
        return array

    for n_rows in batch_rows:
        keys.append(
            RowKeys(
                take(np.uint64, n_rows),
                take(np.int32, n_rows),
                take(np.uint16, N_BANDS, n_rows if with_bands else 0, BAND_HASHES),
            )
        )
    return keys


class ShardWriter(PipelineStep):
    """Write the shard of a unit: its rows without the duplicates.

    Args:
        units: unit number `rank` is written by task number `rank`.
        work_folder: where pass 1 wrote; holds `<work name>.reasons.npy`, uint8 [n_rows], 0 for
            rows that stay, otherwise 1 + the index in `reasons`.
        shard_folder: where the shards go.
        reasons: why rows are dropped.
        digest: of the whole run: duplicates depend on all units.
        sample_rows: dropped rows kept for each reason.
    """

    type = "💽 - WRITER"
    name = "shards"

    def __init__(
        self,
        units: Sequence[Unit],
        work_folder: Path,
        shard_folder: Path,
        *,
        reasons: Sequence[str],
        digest: str,
        sample_rows: int,
    ) -> None:
        super().__init__()
        self.units = units
        self.work_folder = work_folder
        self.shard_folder = shard_folder
        self.reasons = reasons
        self.digest = digest
        self.sample_rows = sample_rows

    def run(self, data: DocumentsPipeline = None, rank: int = 0, world_size: int = 1) -> None:
        """Write the shard of unit number `rank`."""
        name, work_name = self.units[rank].name, self.units[rank].work_name
        reasons = np.load(self.work_folder / f"{work_name}.reasons.npy")
        dropped = DroppedRows(self.sample_rows)
        counts: dict[str, list[int]] = {}
        start = 0
        path = self.shard_folder / f"{name}.parquet"
        with (
            pq.ParquetFile(self.work_folder / f"{work_name}.parquet") as table,
            writing(path) as part,
            pq.ParquetWriter(
                part, SCHEMA, compression="zstd", compression_level=COMPRESSION_LEVEL
            ) as shard,
        ):
            for batch in table.iter_batches(BATCH_ROWS):
                why = reasons[start : start + len(batch)]
                start += len(batch)
                kept = batch.filter(pa.array(why == 0))
                _count_sources(kept, counts)
                if len(kept):
                    shard.write_batch(kept.cast(SCHEMA))
                gone = batch.select(["id", "text"]).filter(pa.array(why != 0)).to_pylist()
                for row, code in zip(gone, why[why != 0].tolist(), strict=True):
                    dropped.add_text(row["id"], row["text"], self.reasons[code - 1])
        record = {
            "digest": self.digest,
            "file": path.name,
            "n_rows": sum(n_rows for n_rows, _ in counts.values()),
            "n_hanzi": sum(n_hanzi for _, n_hanzi in counts.values()),
            "n_bytes": path.stat().st_size,
            "sha256": sha256_hex(path),
            "sources": counts,
            "drops": dict(dropped.counts),
            "samples": dropped.samples(),
        }
        write_json(self.work_folder / f"{work_name}.shard.json", record)


def _count_sources(rows: pa.RecordBatch, counts: dict[str, list[int]]) -> None:
    """Add the rows and hanzi of each source."""
    texts = rows.column("text").to_pylist()
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    so_far = np.concatenate(([0], np.cumsum(hanzi_mask(codes))))
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    n_hanzi = np.diff(so_far[ends], prepend=0)
    sources = rows.column("source")
    names = sources.dictionary.to_pylist()
    at = sources.indices.to_numpy()
    n_rows = np.bincount(at, minlength=len(names))
    sums = np.bincount(at, weights=n_hanzi, minlength=len(names))
    for name, rows_of, hanzi_of in zip(names, n_rows.tolist(), sums.tolist(), strict=True):
        if rows_of:
            total = counts.setdefault(name, [0, 0])
            total[0] += rows_of
            total[1] += int(hanzi_of)
