from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yinzi.errors import ConfigError
from yinzi_train.dataset.sampling import (
    Sampler,
    SamplerState,
    SamplingOptions,
    Shards,
)

SIZES = (7, 5, 7, 1, 7, 7, 3)
SHARDS = Shards((Path("a"), Path("b")), SIZES, (4, 3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for shard in range(3):
        n = 50 + shard
        table = pa.table({"id": [f"{shard}:{i}" for i in range(n)], "n": list(range(n))})
        pq.write_table(table, tmp_path / f"source-{shard:03}.parquet", row_group_size=16)
    return tmp_path


def drawn(sampler: Sampler, state: SamplerState, batch_size: int = 4) -> list[tuple[int, int]]:
    return [
        pair
        for batch in sampler.indices(batch_size, state)
        for pair in zip(batch.rows.tolist(), batch.repeats.tolist(), strict=True)
    ]


def test_an_epoch_without_weights_has_every_row_once() -> None:
    sampler = Sampler(SHARDS, options=SamplingOptions(pool_groups=2))
    first, second = drawn(sampler, SamplerState(0)), drawn(sampler, SamplerState(1))
    assert sorted(first) == sorted(second) == [(row, 0) for row in range(sum(SIZES))]
    assert first != second
    assert drawn(sampler, SamplerState(0)) == first


def test_weights_are_expected_copies() -> None:
    shards = Shards((Path("a"),), (2000, 2000), (2,))
    weights = np.tile(np.array([0.0, 0.3, 1.0, 2.6], dtype=np.float32), 1000)
    sampler = Sampler(shards, weights=weights)
    seen = Counter(row for epoch in range(4) for row, _ in drawn(sampler, SamplerState(epoch), 512))
    means = [np.mean([seen[row] for row in range(kind, 4000, 4)]) / 4 for kind in range(4)]
    assert means == pytest.approx([0, 0.3, 1, 2.6], abs=0.03)
    for row, repeat in drawn(sampler, SamplerState(0), 512):
        assert repeat <= (2 if row % 4 == 3 else 0)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 4), st.integers(0, 3))
def test_a_stopped_run_goes_on_where_it_was(
    n_batches: int, batch_size: int, pool_groups: int, epoch: int
) -> None:
    weights = np.linspace(0, 3, sum(SIZES), dtype=np.float32)
    sampler = Sampler(SHARDS, weights=weights, options=SamplingOptions(3, pool_groups))
    batches = list(sampler.indices(batch_size, SamplerState(epoch)))
    assert batches[-1].state.position == sampler.n_rows(epoch)
    n_batches = min(n_batches, len(batches))
    state = batches[n_batches - 1].state if n_batches else SamplerState(epoch)
    rest = list(sampler.indices(batch_size, state))
    assert len(rest) == len(batches) - n_batches
    for one, other in zip(rest, batches[n_batches:], strict=True):
        assert np.array_equal(one.rows, other.rows)
        assert np.array_equal(one.repeats, other.repeats)
        assert one.state == other.state


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_ranks_share_an_epoch_evenly(n_ranks: int) -> None:
    parts = [
        drawn(Sampler(SHARDS, options=SamplingOptions(1, 2, rank, n_ranks)), SamplerState())
        for rank in range(n_ranks)
    ]
    assert len({len(part) for part in parts}) == 1
    together = [pair for part in parts for pair in part]
    assert len(set(together)) == len(together) == sum(SIZES) // n_ranks * n_ranks
    whole = drawn(Sampler(SHARDS, options=SamplingOptions(1, 2)), SamplerState())
    assert parts[0] == whole[: len(together)][::n_ranks]
    stopped = Sampler(SHARDS, options=SamplingOptions(1, 2, n_ranks - 1, n_ranks))
    assert drawn(stopped, SamplerState(0, 5)) == parts[-1][5:]


def test_row_groups_of_different_files_are_mixed() -> None:
    shards = Shards((Path("a"), Path("b")), (100,) * 20, (10, 10))
    sampler = Sampler(shards, options=SamplingOptions(pool_groups=8))
    first = next(iter(sampler.pools())).rows
    is_second_file = first >= 1000
    assert 0.1 < is_second_file.mean() < 0.9
    assert np.diff(is_second_file.astype(int)).astype(bool).sum() > 50


def test_batches_hold_the_rows_that_were_drawn(folder: Path) -> None:
    shards = Shards.from_folder(folder)
    weights = np.full(shards.n_rows, 1.5, dtype=np.float32)
    sampler = Sampler(shards, weights=weights, options=SamplingOptions(pool_groups=3))
    names = [name for path in shards.paths for name in pq.read_table(path)["id"].to_pylist()]
    batches = list(sampler.batches(10, columns=["id"]))
    read = [(row["id"], row["repeat"]) for table, _ in batches for row in table.to_pylist()]
    expected = [
        (names[row], repeat)
        for pool in sampler.pools()
        for row, repeat in zip(pool.rows.tolist(), pool.repeats.tolist(), strict=True)
    ]
    assert read == expected
    table, state = batches[3]
    rest = [
        row for part, _ in sampler.batches(10, state, columns=["id"]) for row in part.to_pylist()
    ]
    assert [(row["id"], row["repeat"]) for row in rest] == expected[state.position :]
    assert table.column_names == ["id", "repeat"]


def test_wrong_settings_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 weights for 37 rows"):
        Sampler(SHARDS, weights=np.ones(2, np.float32))
    with pytest.raises(ConfigError, match="below 0"):
        Sampler(SHARDS, weights=np.full(37, -1, np.float32))
    with pytest.raises(ConfigError, match="position 99 of an epoch of 37 rows"):
        list(Sampler(SHARDS).pools(SamplerState(0, 99)))
    with pytest.raises(ConfigError, match="pool_groups"):
        SamplingOptions(pool_groups=0)
    with pytest.raises(ConfigError, match="rank is 2 of 2"):
        SamplingOptions(rank=2, n_ranks=2)
    (folder / "torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match="cannot read the shard"):
        Shards.from_folder(folder)
    with pytest.raises(ConfigError, match="no Parquet file"):
        Shards.from_folder(tmp_path / "nothing")
