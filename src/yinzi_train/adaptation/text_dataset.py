"""Write a user's sentences as a small dataset, the form that training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from yinzi_train.adaptation.texts import DomainTexts
from yinzi_train.dataset.manifest import (
    Count,
    DatasetManifest,
    ShardRecord,
    SourceRecord,
    write_manifest,
)
from yinzi_train.dataset.schema import ROW_SCHEMA
from yinzi_train.dataset.storage import StorageOptions, write_table_file
from yinzi_train.labelling import Labeller

__all__ = ["write_text_dataset"]

_SOURCE: Final = "texts"
_LICENCE: Final = "[private]"


def write_text_dataset(folder: Path, texts: DomainTexts, labeller: Labeller) -> Path:
    """Write the first part as the split "train", the second as "validation"; return the folder.

    Args:
        folder: made here.
        texts: sentences; those that are held out are left out.
        labeller: gives readings.
    """
    rows = [
        *_rows(texts.train, labeller, split="train"),
        *_rows(texts.tune, labeller, split="validation"),
    ]
    sizes = {name: Count() for name in ("train", "validation", "test")}
    for row in rows:
        sizes[row["split"]] += Count(1, len(row["hanzi"]))
    doubtful = sum(len(row["doubtful"]) for row in rows)
    total = sum(sizes.values(), Count())
    file = f"data/{_SOURCE}-000.parquet"
    (folder / "data").mkdir(parents=True)
    written = write_table_file(
        folder / file,
        [pa.Table.from_pylist(rows, ROW_SCHEMA)],
        schema=ROW_SCHEMA,
        options=StorageOptions(),
    )
    write_manifest(
        folder,
        DatasetManifest(
            created="",
            config={},
            labeller={"name": labeller.name, "version": labeller.version},
            sources=(
                SourceRecord(_SOURCE, _SOURCE, _LICENCE, "", total.rows, total.hanzi, doubtful),
            ),
            shards=(ShardRecord(file, total.rows, total.hanzi, written.n_bytes, written.sha256),),
            splits=sizes,
            folds=(sizes["train"],),
            domains={_SOURCE: total},
            licences={_LICENCE: total},
            doubtful=doubtful,
            rows_read=total.rows,
            drops={},
        ),
    )
    return folder


def _rows(texts: tuple[str, ...], labeller: Labeller, *, split: str) -> list[dict[str, Any]]:
    labels = labeller.label(texts)
    hanzi = labels.hanzi.astype("<u4").tobytes().decode("utf-32-le")
    doubtful, doubtful_offsets = labels.doubtful_indices()
    rows = []
    for index, text in enumerate(texts):
        first, last = labels.offsets[index : index + 2].tolist()
        run_first, run_last = labels.run_offsets[index : index + 2].tolist()
        doubt_first, doubt_last = doubtful_offsets[index : index + 2].tolist()
        rows.append(
            {
                "id": f"{split}:{index}",
                "text": text,
                "source": _SOURCE,
                "domain": _SOURCE,
                "licence": _LICENCE,
                "split": split,
                "fold": 0,
                "hanzi": hanzi[first:last],
                "run_lengths": labels.run_lengths[run_first:run_last].tolist(),
                "syllables": labels.syllables[first:last].tolist(),
                "tones": labels.tones[first:last].tolist(),
                "doubtful": doubtful[doubt_first:doubt_last].tolist(),
            }
        )
    return rows
