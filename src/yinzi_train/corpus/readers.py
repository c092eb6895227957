"""Read the rows of a source: plain text, Markdown, JSONL, CSV, TSV, Parquet, `datasets`.

Each reader yields `(position, piece, text)`: the number of the line, record or row from 0, and the
number of the piece if a line was too long to be kept whole.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from yinzi_train.corpus.errors import UnreadableSource
from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.corpus.sources import Source
from yinzi_train.corpus.streams import Line, ReadLog, open_bytes, read_lines, reading
from yinzi_train.corpus.units import Part

__all__ = ["open_dataset", "open_parquet", "read_part"]

BATCH_ROWS: Final = 10_000


def read_part(part: Part, options: CorpusOptions, log: ReadLog) -> Iterator[Line]:
    """Yield the rows of one part of a source.

    Raises:
        UnreadableSource: the file is damaged, has no such column, or (unless `log.skip`) holds a
            row that cannot be read; names the file and the position.
    """
    with reading(part.source):
        yield from _READERS[part.source.format](part, options, log)


def _lines(
    part: Part, options: CorpusOptions, log: ReadLog, *, cut_long: bool = True
) -> Iterator[Line]:
    with open_bytes(part.source) as stream:
        if part.start:
            stream.seek(part.start)
        yield from read_lines(
            stream,
            part.source,
            log,
            encoding=part.encoding,
            max_chars=options.max_line_chars,
            cut_long=cut_long,
            n_bytes=None if part.stop is None else part.stop - part.start,
            first_line=part.first_position,
            offset=part.start,
        )


_FENCE = re.compile(r"\s{0,3}(```+|~~~+)")
_FRONT_MATTER: Final = "---"


def _markdown(part: Part, options: CorpusOptions, log: ReadLog) -> Iterator[Line]:
    """Lines outside the front matter and fenced code."""
    closing = ""
    for position, piece, text in _lines(part, options, log):
        if position == 0 and text.rstrip() == _FRONT_MATTER:
            log.count("code")
            closing = _FRONT_MATTER
        elif closing:
            log.count("code")
            if text.strip() == closing or (closing != _FRONT_MATTER and _closes(text, closing)):
                closing = ""
        elif match := _FENCE.match(text):
            log.count("code")
            closing = match[1]
        else:
            yield position, piece, text


def _closes(text: str, fence: str) -> bool:
    return text.strip().startswith(fence) and not text.strip().strip(fence[0])


def _jsonl(part: Part, options: CorpusOptions, log: ReadLog) -> Iterator[Line]:
    for position, _, line in _lines(part, options, log, cut_long=False):
        if not line.strip():
            log.count("blank")
            continue
        where = f"cannot read {part.source.relative!r}: line {position + 1}"
        try:
            row = json.loads(line)
        except ValueError as error:
            log.report(f"{where} is not JSON ({error})")
            continue
        text = row.get(options.text_column) if isinstance(row, dict) else None
        if isinstance(text, str):
            yield position, 0, text
        else:
            log.report(f"{where} has no text in {options.text_column!r}; {_keys(row)}")


def _keys(row: object) -> str:
    if not isinstance(row, dict):
        return f"it is a {type(row).__name__}"
    return _columns([str(key) for key in row])


def _columns(names: list[str]) -> str:
    more = ", …" if len(names) > 5 else ""
    return f"it has {', '.join(map(repr, names[:5])) or 'nothing'}{more}"


def _csv(part: Part, options: CorpusOptions, log: ReadLog) -> Iterator[Line]:
    source = part.source
    lines = (f"{text}\n" for _, _, text in _lines(part, options, log, cut_long=False))
    csv.field_size_limit(options.max_line_chars)
    if source.format == "tsv":
        records = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        records = csv.reader(lines)
    try:
        header = next(records, [])
        column = _column_at(source, header, options.text_column)
        for position, record in enumerate(records):
            if len(record) > column:
                yield position, 0, record[column]
            elif record:
                log.report(
                    f"cannot read {source.relative!r}: line {records.line_num} has "
                    f"{len(record)} columns, the text is in column {column + 1}"
                )
            else:
                log.count("blank")
    except csv.Error as error:
        raise UnreadableSource(
            f"cannot read {source.relative!r}: line {records.line_num}: {error}; "
            "is the quoting right?"
        ) from error


def _column_at(source: Source, names: list[str], column: str) -> int:
    if column not in names:
        raise UnreadableSource(
            f"cannot read {source.relative!r}: no column {column!r}, {_columns(names)}; "
            "name the column of the text with text_column="
        )
    return names.index(column)


@contextmanager
def open_parquet(source: Source) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; a compressed one is unpacked to a temporary file first."""
    if not source.compression:
        with pq.ParquetFile(source.path) as file:
            yield file
        return
    with tempfile.TemporaryFile() as unpacked:
        with open_bytes(source) as stream:
            shutil.copyfileobj(stream, unpacked, 1 << 20)
        unpacked.seek(0)
        with pq.ParquetFile(unpacked) as file:
            yield file


def _parquet(part: Part, options: CorpusOptions, log: ReadLog) -> Iterator[Line]:
    with open_parquet(part.source) as file:
        _column_at(part.source, file.schema_arrow.names, options.text_column)
        groups = range(part.start, file.num_row_groups if part.stop is None else part.stop)
        batches = file.iter_batches(
            BATCH_ROWS, row_groups=list(groups), columns=[options.text_column]
        )
        yield from _texts((batch.column(0) for batch in batches), part, options, log)


def open_dataset(source: Source) -> Any:
    """Open a dataset that `datasets` saved to disk."""
    import datasets

    return datasets.load_from_disk(str(source.path))


def _dataset(part: Part, options: CorpusOptions, log: ReadLog) -> Iterator[Line]:
    dataset = open_dataset(part.source)
    _column_at(part.source, dataset.column_names, options.text_column)
    column = dataset.select_columns([options.text_column])
    stop = len(column) if part.stop is None else part.stop
    tables = (
        column.with_format("arrow")[start : min(start + BATCH_ROWS, stop)]
        for start in range(part.start, stop, BATCH_ROWS)
    )
    yield from _texts((table.column(0) for table in tables), part, options, log)


def _texts(
    columns: Iterator[pa.Array | pa.ChunkedArray], part: Part, options: CorpusOptions, log: ReadLog
) -> Iterator[Line]:
    position = part.first_position
    name = part.source.relative
    for column in columns:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)  # noqa: PLW2901 - the same texts
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise UnreadableSource(
                f"cannot read {name!r}: column {options.text_column!r} holds {column.type}, "
                "not text; name the column of the text with text_column="
            )
        for text in column.to_pylist():
            if text is None:
                log.report(f"cannot read {name!r}: row {position + 1} has no text")
            elif len(text) > options.max_line_chars:
                log.report(
                    f"cannot read {name!r}: row {position + 1} is longer than "
                    f"{options.max_line_chars} characters"
                )
            else:
                yield position, 0, text
            position += 1


_Reader = Callable[[Part, CorpusOptions, ReadLog], Iterator[Line]]
_READERS: Final[dict[str, _Reader]] = {
    "text": _lines,
    "markdown": _markdown,
    "jsonl": _jsonl,
    "csv": _csv,
    "tsv": _csv,
    "parquet": _parquet,
    "dataset": _dataset,
}
