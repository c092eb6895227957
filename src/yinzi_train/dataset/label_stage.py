"""Give every clean sentence its hanzi and their readings: labelled files from clean ones.

Labels arrive as flat arrays and leave as Arrow columns; no row is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.schema import CLEAN_SCHEMA, LABELLED_SCHEMA
from yinzi_train.dataset.storage import FileRecord, StorageOptions, write_table_file
from yinzi_train.labelling import Labels

__all__ = ["LabelStage", "LabelsTexts", "label_columns"]

_MAX_HANZI: Final = np.iinfo(np.int16).max


class LabelsTexts(Protocol):
    """What gives texts their readings; `yinzi_train.labelling.Labeller` does.

    Attributes:
        name: of the way of labelling.
        version: the same version gives the same labels.
    """

    @property
    def name(self) -> str:
        """Return the name."""

    @property
    def version(self) -> str:
        """Return the version."""

    def label(self, texts: Sequence[str]) -> Labels:
        """Label texts."""


@dataclass
class LabelStage:
    """Clean sentences in, labelled sentences out; a `UnitStage`.

    Attributes:
        output_folder: of the labelled files.
        record_folder: of their records.
        load_labeller: gives the labeller; called once in each worker, so it should remember it.
        storage: how files are written.
        settings: plain data that decides, with the input, what is made.
    """

    output_folder: Path
    record_folder: Path
    load_labeller: Callable[[], LabelsTexts]
    storage: StorageOptions
    settings: Mapping[str, Any]
    name: str = "labelling"
    schema: pa.Schema = CLEAN_SCHEMA

    def process(
        self, tables: Iterator[pa.Table], output: Path
    ) -> tuple[FileRecord, Mapping[str, Any]]:
        """Write a labelled file.

        Returns:
            The file, and figures: hanzi, doubtful hanzi, and rows dropped for want of hanzi.
        """
        labeller = self.load_labeller()
        n_rows = n_hanzi = n_doubtful = 0

        def rows() -> Iterator[pa.Table]:
            nonlocal n_rows, n_hanzi, n_doubtful
            for table in tables:
                labels = labeller.label(table.column("text").to_pylist())
                n_rows += len(table)
                n_hanzi += len(labels.hanzi)
                n_doubtful += int(labels.doubtful.sum())
                yield _with_labels(table, labels)

        record = write_table_file(output, rows(), schema=LABELLED_SCHEMA, options=self.storage)
        dropped = n_rows - record.rows
        return record, {"hanzi": n_hanzi, "doubtful": n_doubtful, "no_hanzi": dropped}


def _with_labels(table: pa.Table, labels: Labels) -> pa.Table:
    n_hanzi = np.diff(labels.offsets)
    if len(n_hanzi) and n_hanzi.max() > _MAX_HANZI:
        row = int(n_hanzi.argmax())
        raise DatasetError(
            f"row {table.column('id')[row].as_py()!r} has {n_hanzi[row]} hanzi, at most "
            f"{_MAX_HANZI} fit: set corpus.max_chars lower or corpus.split_sentences to true"
        )
    kept = table.select([name for name in LABELLED_SCHEMA.names if name in table.column_names])
    for name, column in label_columns(labels).items():
        kept = kept.append_column(name, column)
    return kept.select(LABELLED_SCHEMA.names).filter(pa.array(n_hanzi > 0))


def label_columns(labels: Labels) -> dict[str, pa.Array]:
    """Return the label columns of a dataset, one entry a text."""
    doubtful, doubtful_offsets = labels.doubtful_indices()
    return {
        "hanzi": _strings(labels.hanzi, labels.offsets),
        "run_lengths": _lists(labels.run_lengths.astype(np.int16), labels.run_offsets),
        "syllables": _lists(labels.syllables.astype(np.int16), labels.offsets),
        "tones": _lists(labels.tones.astype(np.int8), labels.offsets),
        "doubtful": _lists(doubtful.astype(np.int16), doubtful_offsets),
    }


def _lists(values: NDArray[np.integer], offsets: NDArray[np.integer]) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values))


def _strings(codes: NDArray[np.uint32], offsets: NDArray[np.integer]) -> pa.StringArray:
    """Cut one run of code points into strings without making a Python string of each."""
    n_bytes = np.zeros(len(codes) + 1, dtype=np.int32)
    # Every hanzi needs three bytes of UTF-8, and four beyond the basic plane.
    np.cumsum(np.where(codes < 0x10000, 3, 4), out=n_bytes[1:])
    text = codes.astype("<u4").tobytes().decode("utf-32-le").encode()
    return pa.StringArray.from_buffers(
        len(offsets) - 1, pa.py_buffer(n_bytes[offsets].tobytes()), pa.py_buffer(text)
    )
