from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.yinzi_train.dataset.dataset_samples import write_dataset
from yinzi.artifact.checksum import sha256_hex
from yinzi.cli.running import run_app
from yinzi.errors import ConfigError
from yinzi_train.cli.main import app
from yinzi_train.dataset.augmentation import augment_table
from yinzi_train.dataset.augmented_dataset import open_augmented_dataset
from yinzi_train.dataset.manifest import write_manifest
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.dataset.unlabelled_rows import drop_unlabelled


def make_first_hanzi_unread(folder: Path) -> None:
    """Take the reading of the first hanzi from the first row of every shard."""
    manifest = open_dataset(folder).manifest
    shards = []
    for shard in manifest.shards:
        path = folder / shard.file
        table = pq.read_table(path)
        rows = table.to_pylist()
        rows[0]["syllables"][0], rows[0]["tones"][0] = -1, 0
        pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
        shards.append(replace(shard, n_bytes=path.stat().st_size, sha256=sha256_hex(path)))
    write_manifest(folder, replace(manifest, shards=tuple(shards)))


def test_augment_leaves_rows_with_an_unread_hanzi_out_and_counts_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, out = tmp_path / "base", tmp_path / "typed"
    write_dataset(base)
    make_first_hanzi_unread(base)
    assert run_app(app, ["augment", str(base), "--out", str(out)], name="yinzi-train") == 0
    assert "2 sentences" in (printed := capsys.readouterr().err)
    assert "; 2 left out because a hanzi has no reading" in printed
    made = json.loads((out / "augmentation.json").read_text(encoding="utf-8"))
    assert (made["rows"], made["unlabelled_rows"]) == (2, 2)
    typed = pa.concat_tables(open_augmented_dataset(out, verify=True).iter_typed())
    train = pa.concat_tables(open_dataset(base).iter_tables(split="train"))
    kept, n_dropped = drop_unlabelled(train)
    assert typed.column("id").to_pylist() == kept.column("id").to_pylist()
    assert n_dropped == 2
    with pytest.raises(ConfigError, match="'chat__talk:0' has a hanzi without a reading"):
        augment_table(train)
