from __future__ import annotations

from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.yinzi_train.dataset.augmentation_samples import HEAVY, row_of, table_of, tables
from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES
from yinzi.scoring import InputVocabulary, ngram_ids
from yinzi_train.dataset import DatasetError
from yinzi_train.dataset.augmentation import augment_table
from yinzi_train.dataset.collator import IGNORED, Collator, CollatorOptions
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.sampling import Sampler, SamplingOptions, Shards
from yinzi_train.dataset.unlabelled_rows import drop_unlabelled
from yinzi_train.training.packing import pack_inputs
from yinzi_train.training.stream import BatchStream

ALL = table_of([("all", range(len(SYLLABLES)), [1] * len(SYLLABLES), [len(SYLLABLES)])])
PAIRS = PairVocabulary.from_tables([ALL])
VOCAB = InputVocabulary("".join(PAIRS.texts()))
PACK = partial(pack_inputs, vocab=VOCAB, pairs=PAIRS, ngram_orders=(2, 3), ngram_rows=50)


def with_unread(table: pa.Table, *rows: int) -> pa.Table:
    """Give the first hanzi of some rows no reading."""
    syllables = table.column("syllables").to_pylist()
    for row in rows:
        syllables[row][0] = -1
    index = table.column_names.index("syllables")
    return table.set_column(index, "syllables", pa.array(syllables, pa.list_(pa.int16())))


TABLE = table_of([row_of(f"t:{index}", "wo3 yao4", "qu4 ma5")[:4] for index in range(40)])


def test_rows_with_an_unread_hanzi_are_dropped_and_counted() -> None:
    kept, n_dropped = drop_unlabelled(with_unread(TABLE, 0, 7, 39))
    assert n_dropped == 3
    assert kept.equals(TABLE.take([*range(1, 7), *range(8, 39)]))
    for table in (TABLE, TABLE.slice(0, 0)):
        same, n_dropped = drop_unlabelled(table)
        assert n_dropped == 0
        assert same.equals(table)
    sliced, n_dropped = drop_unlabelled(with_unread(TABLE, 0, 7).slice(5, 5))
    assert (len(sliced), n_dropped) == (4, 1)


def test_unread_hanzi_is_told_by_its_row() -> None:
    for read in (augment_table, Collator(VOCAB, PAIRS)):
        with pytest.raises(ConfigError, match=r"row 't:7' has a hanzi without a reading.*drop_unl"):
            read(with_unread(TABLE, 7))  # type: ignore[operator]


def naive_inputs(arrays: dict[str, NDArray[Any]]) -> list[tuple[tuple[int, ...], ...]]:
    """Return every input of a batch of the collator, place by place."""
    found = []
    for row in range(len(arrays["segments"])):
        for segment in sorted({int(value) for value in arrays["segments"][row] if value >= 0}):
            places = np.flatnonzero(arrays["segments"][row] == segment)
            low = PAIRS.starts[arrays["syllable_lo"][row, places]]
            high = PAIRS.starts[arrays["syllable_hi"][row, places]]
            targets = arrays["targets"][row, places].copy()
            targets[(targets < low) | (targets >= high)] = IGNORED
            ids, tones = arrays["input_ids"][row, places], arrays["input_tones"][row, places]
            columns = (ids, tones, targets, low, high)
            found.append(tuple(zip(*(column.tolist() for column in columns), strict=True)))
    return sorted(found)


@settings(deadline=None, max_examples=40)
@given(tables(), st.integers(0, 99))
def test_packing_keeps_every_input_whole(table: pa.Table, seed: int) -> None:
    arrays = Collator(VOCAB, PAIRS, CollatorOptions(augmentation=HEAVY, seed=seed))(table)
    packed = PACK(arrays, length=64, multiple=4)
    assert {value.shape[:2] for value in packed.values()} == {(len(packed["segments"]), 64)}
    assert len(packed["segments"]) % 4 == 0
    found = []
    for segment in np.unique(packed["segments"][packed["segments"] >= 0]):
        line, place = np.nonzero(packed["segments"] == segment)
        assert len(set(line.tolist())) == 1
        assert place.tolist() == list(range(place[0], place[0] + len(place)))
        names = ("input_ids", "input_tones", "targets", "pair_low", "pair_high")
        columns = (packed[name][line, place].tolist() for name in names)
        found.append(tuple(zip(*columns, strict=True)))
    assert sorted(found) == naive_inputs(arrays)
    blank = packed["segments"] < 0
    assert (packed["targets"][blank] == IGNORED).all()
    assert (packed["weights"][packed["targets"] == IGNORED] == 0).all()
    expected = ngram_ids(packed["input_ids"], packed["segments"], orders=(2, 3), n_rows=50)
    assert (packed["ngram_ids"] == expected).all()


def test_packing_fills_lines_nearly_full() -> None:
    chance = np.random.default_rng(0)
    rows = [
        (f"r:{index}", chance.integers(0, 400, n), np.ones(n, int), [n])
        for index, n in enumerate(chance.integers(2, 25, 400))
    ]
    collator = Collator(VOCAB, PAIRS, CollatorOptions(context_rate=0))
    packed = PACK(collator(table_of(rows)), multiple=1)
    assert (packed["segments"] >= 0).mean() > 0.97


def stream_of(
    folder: Path, *, rank: int = 0, n_ranks: int = 1, pool_groups: int = 1
) -> BatchStream:
    options = SamplingOptions(seed=3, pool_groups=pool_groups, rank=rank, n_ranks=n_ranks)
    sampler = Sampler(Shards.from_folder(folder), options=options)
    return BatchStream(sampler, Collator(VOCAB, PAIRS), PACK, rows_per_batch=6)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    table = with_unread(TABLE, 3, 17)
    table = table.append_column("doubtful", pa.array([[]] * len(table), pa.list_(pa.int16())))
    pq.write_table(table, folder / "a.parquet", row_group_size=13)
    return folder


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("n_done", [0, 1, 5, 11, 12, 13, 30])
def test_batches_are_the_same_wherever_the_stream_begins(shards: Path, n_done: int) -> None:
    whole = stream_of(shards)
    batches = list(islice(iter(whole), 34))
    resumed = stream_of(shards)
    resumed.restore(whole.state(n_done))
    assert resumed.n_batches == n_done
    for expected, found in zip(batches[n_done:], islice(iter(resumed), 34 - n_done), strict=True):
        assert same(expected, found)
    assert resumed.state(34) == whole.state(34)
    assert not same(batches[0], batches[12])  # another epoch, typed otherwise


def test_stream_counts_the_rows_it_passes_over(shards: Path) -> None:
    stream = stream_of(shards, pool_groups=4)
    batches = list(islice(iter(stream), 7))  # 40 rows in batches of 6
    assert stream.n_unlabelled == 2
    assert sum(len(torch.unique(batch["segments"])) - 1 for batch in batches) >= 38


def test_processes_share_an_epoch(shards: Path) -> None:
    states = [stream_of(shards, rank=rank, n_ranks=2, pool_groups=4) for rank in (0, 1)]
    for stream in states:
        list(islice(iter(stream), 4))
    assert [stream.state(4)["position"] for stream in states] == [20, 20]


def test_stream_without_rows_is_told(shards: Path) -> None:
    weights = np.zeros(40, np.float32)
    sampler = Sampler(Shards.from_folder(shards), weights=weights)
    stream = BatchStream(sampler, Collator(VOCAB, PAIRS), PACK, rows_per_batch=6)
    with pytest.raises(DatasetError, match="epoch 0 has no row"):
        next(iter(stream))
