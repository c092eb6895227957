"""Label the lines of a file, and write each line with its reading behind it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from yinzi.errors import ConfigError
from yinzi_train.corpus.hanzi_runs import read_text_blocks
from yinzi_train.labelling.labeller import Labeller

__all__ = ["LabelCounts", "label_file", "label_lines"]

_BLOCK_BYTES = 1 << 22


@dataclass(frozen=True)
class LabelCounts:
    """What a file held.

    Attributes:
        n_lines: lines, empty ones included.
        n_hanzi: hanzi that were labelled.
        n_doubtful: of these, hanzi whose reading is doubtful.
    """

    n_lines: int
    n_hanzi: int
    n_doubtful: int


def label_lines(
    lines: Iterable[list[str]],
    output: TextIO,
    labeller: Labeller,
    *,
    column: int | None = None,
    marks: bool = False,
    on_lines: Callable[[int], None] | None = None,
) -> LabelCounts:
    """Label lines, and write each with a tab and its reading behind it.

    The reading has one syllable a hanzi, `` | `` between runs of hanzi, ``?`` behind a doubtful
    syllable, and ``_`` where no reading is known.

    Args:
        lines: lists of lines without their ends; a list is labelled at once.
        output: where text goes.
        labeller: what labels.
        column: the tab-separated column to label, 1 for the first; None takes whole lines.
        marks: write tone marks in place of digits.
        on_lines: called with the number of lines after each list.

    Raises:
        ConfigError: a line has too few columns; names it. Nothing of its list is written.
    """
    n_lines = n_hanzi = n_doubtful = 0
    for block in lines:
        labels = labeller.label(_texts(block, column, n_before=n_lines))
        output.writelines(
            f"{line}\t{labels.pinyin(index, marks=marks)}\n" for index, line in enumerate(block)
        )
        n_lines += len(block)
        n_hanzi += len(labels.hanzi)
        n_doubtful += int(labels.doubtful.sum())
        if on_lines is not None:
            on_lines(len(block))
    return LabelCounts(n_lines, n_hanzi, n_doubtful)


def label_file(
    input_path: Path,
    output_path: Path,
    labeller: Labeller,
    *,
    column: int | None = None,
    marks: bool = False,
    on_lines: Callable[[int], None] | None = None,
) -> LabelCounts:
    """Label the lines of a UTF-8 text or TSV file (plain or .xz).

    The output is written beside its place under another name and renamed when it is whole.

    Args:
        input_path: what to label.
        output_path: what to write; replaced if it is there.
        labeller: as `label_lines`.
        column: as `label_lines`.
        marks: as `label_lines`.
        on_lines: as `label_lines`.

    Raises:
        ConfigError: the input is missing, damaged or not UTF-8, or a line has too few columns.
        OSError: the output cannot be written.
    """
    unfinished = output_path.with_name(f".{output_path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as output:
            counts = label_lines(
                _read_lines(input_path),
                output,
                labeller,
                column=column,
                marks=marks,
                on_lines=on_lines,
            )
        os.replace(unfinished, output_path)
    finally:
        unfinished.unlink(missing_ok=True)
    return counts


def _read_lines(path: Path) -> Iterator[list[str]]:
    for block in read_text_blocks(path, block_bytes=_BLOCK_BYTES):
        lines = block.removesuffix("\n").split("\n")
        yield [line.removesuffix("\r") for line in lines]


def _texts(lines: list[str], column: int | None, *, n_before: int) -> list[str]:
    if column is None:
        return lines
    texts = []
    for index, line in enumerate(lines):
        cells = line.split("\t")
        if not 1 <= column <= len(cells):
            raise ConfigError(
                f"line {n_before + index + 1} has {len(cells)} columns, column {column} was asked "
                "for: columns are separated by tabs and counted from 1"
            )
        texts.append(cells[column - 1])
    return texts
