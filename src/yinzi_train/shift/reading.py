"""Read what a user gives: files and folders of text, or evaluation sets.

Text goes through the cleaning of the corpus stage, so that it is compared as the training text was:
markup, addresses and personal data gone, punctuation and script normalised, one sentence a row.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from datatrove.data import Document

from yinzi.evaluation import Row, read_rows
from yinzi.text import is_hanzi
from yinzi_train.corpus.cleaning import cleaning_blocks
from yinzi_train.corpus.dropped import DroppedRows
from yinzi_train.corpus.encodings import SAMPLE_BYTES, detect_encoding
from yinzi_train.corpus.normalization import ScriptConverter
from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.corpus.readers import read_part
from yinzi_train.corpus.sources import Source, find_sources
from yinzi_train.corpus.streams import ReadLog, open_bytes
from yinzi_train.corpus.units import Part
from yinzi_train.shift.errors import ShiftError
from yinzi_train.shift.sample import ReadingNotes, Sample

__all__ = ["MAX_SENTENCES", "is_set", "read_sample"]

MAX_SENTENCES: Final = 20_000
"""Sentences that are compared at most: 300,000 hanzi, far more than any measure needs."""

_TABLES: Final = frozenset({"csv", "tsv", "jsonl", "parquet", "dataset"})
_BINARY_SHARE: Final = 0.001
"""Share of NUL bytes above which a file is no text; text has none."""


def read_sample(
    paths: Sequence[Path | str],
    *,
    text_column: str = "text",
    max_sentences: int = MAX_SENTENCES,
    on_sentences: Callable[[int], None] = lambda n_read: None,
) -> Sample:
    """Read text to compare.

    Evaluation sets (TSV: id, hanzi, pinyin, left context) keep their rows and their pinyin; all
    else is cleaned and cut into sentences, and repeated sentences are counted once. Of more than
    `max_sentences`, a random part is taken, the same each time.

    Args:
        paths: files or folders; as `yinzi-train dataset` reads them.
        text_column: column of the text in tables.
        max_sentences: sentences to keep.
        on_sentences: told how many were read, every thousand.

    Raises:
        ShiftError: there is no hanzi, or a file holds no text.
        CorpusError: a path is missing, or a file is damaged or of an unknown kind or encoding.
        EvaluationError: a set is damaged.
    """
    options = CorpusOptions(text_column=text_column, min_hanzi=1)
    sources = find_sources(paths, options)
    sets = [source for source in sources if is_set(source)]
    rows = [row for source in sets for row in read_rows(source.path)]
    if len(sets) == len(sources):
        script = ScriptConverter(options.script)
        taken = [rows[at] for at in _taken(len(rows), max_sentences)]
        kept = [(row, _simplified(row, script)) for row in taken]
        n_traditional = sum(before != after for before, after in kept)
        return Sample.from_rows(
            [row for _, row in kept],
            notes=ReadingNotes(len(kept), n_sentences=len(rows), n_traditional=n_traditional),
        )
    others = [source for source in sources if source not in sets]
    return _read_sentences(others, rows, options, max_sentences, on_sentences)


def is_set(source: Source) -> bool:
    """Tell whether a file is an evaluation set: hanzi and as many syllables in columns 2 and 3."""
    if source.format != "tsv" or source.compression:
        return False
    with source.path.open("rb") as file:
        for line in file.readlines(1 << 16):
            columns = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
            if columns == [""]:
                continue
            return (
                len(columns) in (3, 4)
                and len(columns[1].strip()) == len(columns[2].split()) > 0
                and all(map(is_hanzi, columns[1].strip()))
            )
    return False


def _read_sentences(
    sources: Sequence[Source],
    rows: Sequence[Row],
    options: CorpusOptions,
    max_sentences: int,
    on_sentences: Callable[[int], None],
) -> Sample:
    log, dropped = ReadLog(), DroppedRows(sample_rows=0)
    n_lines = 0

    def lines() -> Iterator[Document]:
        nonlocal n_lines
        for source in sources:
            for _, _, text in read_part(_part(source, options), options, log):
                if text.isspace() or not text:
                    continue
                n_lines += 1
                yield Document(text=text, id=str(n_lines))
        for row in rows:
            n_lines += 1
            yield Document(text=row.left_context + row.hanzi, id=str(n_lines))

    script = ScriptConverter(options.script)
    stream: Any = lines()
    for block in cleaning_blocks(options, dropped):
        used = script if isinstance(block, ScriptConverter) else block
        stream = used.run(stream)
    generator = random.Random(0)
    seen: set[int] = set()
    kept: list[tuple[int, str]] = []  # a reservoir: all sentences are as likely to be in it
    n_read = n_different = 0
    for document in stream:
        n_read += 1
        if n_read % 1000 == 0:
            on_sentences(n_read)
        key = hash(document.text)
        if key in seen:
            continue
        seen.add(key)
        n_different += 1
        if len(kept) < max_sentences:
            kept.append((n_read, document.text))
        elif (at := generator.randrange(n_different)) < max_sentences:
            kept[at] = (n_read, document.text)
    notes = ReadingNotes(
        n_lines, n_read, n_read - n_different, script.n_changed, dict(_reasons(dropped))
    )
    if not kept:
        raise ShiftError(_nothing(notes))
    return Sample.from_sentences([text for _, text in sorted(kept)], notes=notes)


def _simplified(row: Row, script: ScriptConverter) -> Row:
    """Return a row in simplified hanzi, which the models work in."""
    hanzi = script.format(row.hanzi)
    if hanzi == row.hanzi or len(hanzi) != len(row.hanzi):
        return row
    return replace(row, hanzi=hanzi, left_context=script.format(row.left_context))


def _part(source: Source, options: CorpusOptions) -> Part:
    if source.format in _TABLES - {"csv", "tsv", "jsonl"}:
        return Part(source)
    with open_bytes(source) as stream:
        sample = stream.read(SAMPLE_BYTES)
    n_zeros = sample.count(b"\0")
    if n_zeros > _BINARY_SHARE * len(sample):
        raise ShiftError(
            f"{source.relative!r} is no text: {n_zeros:,} of its first {len(sample):,} bytes are "
            "NUL; give plain text, Markdown, CSV, JSONL or Parquet (UTF-8, GB18030 or Big5)"
        )
    return Part(source, encoding=detect_encoding(sample, name=source.relative))


def _reasons(dropped: DroppedRows) -> Counter[str]:
    return Counter({reason: n for reason, n in dropped.counts.items() if n})


def _nothing(notes: ReadingNotes) -> str:
    if not notes.n_lines:
        return "the text is empty: give a few hundred sentences of what you write"
    why = ", ".join(f"{reason} {n:,}" for reason, n in sorted(notes.dropped.items()))
    return (
        f"no hanzi to compare in {notes.n_lines:,} lines (dropped: {why or 'none'}); give Chinese "
        "text, a few hundred sentences of what you write"
    )


def _taken(n_rows: int, n_wanted: int) -> list[int]:
    """Return at most so many indices at even distances."""
    n_taken = min(n_rows, n_wanted)
    return [index * n_rows // n_taken for index in range(n_taken)]
