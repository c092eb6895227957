from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.yinzi_train.dataset.dataset_samples import write_dataset
from yinzi.cli.running import run_app
from yinzi_train.cli.main import app
from yinzi_train.dataset import DatasetError, open_dataset
from yinzi_train.dataset.balance import BalanceOptions
from yinzi_train.dataset.balance_weights import balance_dataset, write_balance
from yinzi_train.dataset.sampling import Sampler, Shards


def run(*arguments: object) -> int:
    return run_app(app, [str(argument) for argument in arguments], name="yinzi-train")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "base")
    return tmp_path / "base"


def test_command_prints_the_report_as_markdown(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("balance", base, "--temperature", 2) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("- rows: 4; rows of an epoch: 4\n")
    assert "| chat | 2 | 50.00% | 50.00% |" in printed


def test_command_prints_json_and_writes_weights(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "balance"
    config = tmp_path / "a.toml"
    config.write_text(
        "[balance]\nthreshold = 0.5\nexponent = 1\n[balance.domain_factors]\nchat = 3\n"
    )
    rest = ("--config", config, "--threshold", 0.05, "--json", "--out", out)
    assert run("balance", base, *rest) == 0
    printed = capsys.readouterr()
    assert str(out / "weights.npy") in printed.err
    found = json.loads(printed.out)
    assert found == json.loads((out / "balance.json").read_text(encoding="utf-8"))
    assert found["options"]["threshold"] == 0.05
    assert found["options"]["domain_factors"] == {"chat": 3.0}
    assert found["shards"] == {
        "data/chat__talk-000.parquet": 3,
        "data/news__made-up-000.parquet": 3,
    }
    assert "| chat | 2 | 50.00% | 75.00% |" in (out / "balance.md").read_text(encoding="utf-8")
    weights = np.load(out / "weights.npy")
    assert weights.dtype == np.float32
    assert weights[[2, 5]].tolist() == [0.0, 0.0]  # of the other splits
    assert weights.sum() == pytest.approx(4)
    assert weights[:3].sum() == pytest.approx(3)
    sampler = Sampler(Shards.from_folder(base / "data"), weights=weights)
    drawn = {text for table, _ in sampler.batches(8) for text in table.column("split").to_pylist()}
    assert drawn == {"train"}


def test_rows_of_other_splits_are_not_counted(base: Path) -> None:
    made = balance_dataset(open_dataset(base), options=BalanceOptions(), split="test")
    assert made.report.n_rows == 1
    assert sum(band.n_classes for band in made.report.pair_bands) == 6
    assert made.weighed.weights.tolist() == [0, 0, 1, 0, 0, 0]


def test_progress_ends_with_all_rows_of_three_passes(base: Path) -> None:
    calls: list[tuple[int, int]] = []
    balance_dataset(open_dataset(base), on_progress=lambda *numbers: calls.append(numbers))
    assert calls[-1] == (18, 18)


def test_weights_are_the_same_bytes_each_time(base: Path, tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        made = balance_dataset(open_dataset(base), options=BalanceOptions(temperature=3))
        found.append(write_balance(made, tmp_path / name).read_bytes())
    assert found[0] == found[1]


def test_foreign_shard_is_told(base: Path) -> None:
    shard = next((base / "data").iterdir())
    (base / "data" / "other.parquet").write_bytes(shard.read_bytes())
    with pytest.raises(DatasetError, match="other Parquet files"):
        balance_dataset(open_dataset(base))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--temperature", 0), "temperature is 0.0"),
        (("--split", "all"), "unknown split 'all'"),
        (("--set", "balance.domain_factors.law=2"), "unknown key balance.domain_factors.law"),
    ],
)
def test_wrong_options_are_told(
    base: Path,
    arguments: tuple[object, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("balance", base, *arguments) == 1
    assert message in capsys.readouterr().err
