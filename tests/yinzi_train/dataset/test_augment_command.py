from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from tests.yinzi_train.dataset.build_samples import product
from tests.yinzi_train.dataset.dataset_samples import write_dataset
from yinzi.cli.running import run_app
from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary
from yinzi_train.cli.main import app
from yinzi_train.dataset import DatasetError, augmented_dataset, open_dataset
from yinzi_train.dataset.augmentation import AugmentationOptions, augment_table
from yinzi_train.dataset.augmentation_config import (
    AugmentationConfig,
    read_augmentation_config,
)
from yinzi_train.dataset.augmented_dataset import (
    TYPED_SCHEMA,
    augment_dataset,
    open_augmented_dataset,
)
from yinzi_train.dataset.collator import Collator
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.sampling import Sampler, Shards

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments: object) -> int:
    return run_app(app, [str(argument) for argument in arguments], name="yinzi-train")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "base")
    return tmp_path / "base"


def rows_of(folder: Path) -> pa.Table:
    return pa.concat_tables(open_augmented_dataset(folder, verify=True).iter_typed())


def test_command_writes_a_dataset_that_opens_like_its_base(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "typed"
    before = product(base)
    assert run("augment", base, "--out", out, "--seed", 3, "--workers", 1) == 0
    assert product(base) == before
    printed = capsys.readouterr()
    assert printed.out == f"{out}\n"
    assert "4 sentences, 26 hanzi in 2 shards; 100.0% of the sentences changed" in printed.err
    source = pa.concat_tables(open_dataset(base).iter_tables(split="train"))
    assert pa.concat_tables(open_dataset(out).iter_tables()).equals(source)
    assert rows_of(out).equals(augment_table(source, seed=3).cast(TYPED_SCHEMA))
    typed = pa.concat_tables(open_dataset(out).iter_tables(columns=["typed"]))
    assert typed.column("typed").equals(rows_of(out).column("typed"))
    manifest = open_dataset(out).manifest
    assert {name: count.rows for name, count in manifest.splits.items()} == {
        "train": 4,
        "validation": 0,
        "test": 0,
    }
    assert sum(source.hanzi for source in manifest.sources) == manifest.total.hanzi == 26
    assert [count.rows for count in manifest.folds] == [2, 2]
    assert manifest.config["augmentation"]["seed"] == 3


def test_counts_are_those_of_the_rows(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "typed"
    options = ["augmentation.accents.rate=1", "augmentation.accents.profiles.wu=1"]
    assert run("augment", base, "--out", out, *(f"--set={one}" for one in options)) == 0
    found = json.loads((out / "augmentation.json").read_text(encoding="utf-8"))
    lists = rows_of(out).column("operations").to_pylist()
    kinds = Counter(one["kind"] for row in lists for one in row)
    n_rows = Counter(kind for row in lists for kind in {one["kind"] for one in row})
    assert {kind: count["n"] for kind, count in found["operations"].items() if count["n"]} == kinds
    assert {kind: n["rows"] for kind, n in found["operations"].items() if n["rows"]} == n_rows
    assert found["changed_rows"] == sum(1 for row in lists if row)
    assert sum(found["profiles"].values()) == kinds["profile"]
    assert found["options"]["accents"]["profiles"] == {"wu": 1.0}


def test_sampler_and_collator_read_the_shards(base: Path, tmp_path: Path) -> None:
    augment_dataset(open_dataset(base), tmp_path / "typed")
    sampler = Sampler(Shards.from_folder(tmp_path / "typed" / "data"))
    ((table, _),) = sampler.batches(8)
    pairs = PairVocabulary.from_tables([table])
    arrays = Collator(InputVocabulary("".join(pairs.distinct_hanzi())), pairs)(table)
    assert len(table) == len(arrays["input_ids"]) == 4


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_datasets_loads_the_folder(base: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "typed"
    augment_dataset(open_dataset(base), out, split="test")
    loaded = datasets.load_dataset(str(out), split="test", cache_dir=str(tmp_path / "cache"))
    assert loaded["typed"][:] == rows_of(out).column("typed").to_pylist()


def test_stopped_run_keeps_finished_shards_and_ends_with_the_same_bytes(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, out = open_dataset(base), tmp_path / "typed"
    augment_dataset(dataset, tmp_path / "whole")
    n_calls = 0

    def fail_second(table: pa.Table, options: AugmentationOptions, *, seed: int) -> pa.Table:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 2:
            raise DatasetError("stopped")
        return augment_table(table, options, seed=seed)

    monkeypatch.setattr(augmented_dataset, "augment_table", fail_second)
    with pytest.raises(DatasetError, match="stopped"):
        augment_dataset(dataset, out)
    assert len(list((out / "data").iterdir())) == 1
    with pytest.raises(DatasetError, match="not finished"):
        open_dataset(out)
    augment_dataset(dataset, out)
    assert n_calls == 3
    assert product(out) == product(tmp_path / "whole")


def test_two_workers_write_the_same_bytes(base: Path, tmp_path: Path) -> None:
    for n_workers in (1, 2):
        augment_dataset(open_dataset(base), tmp_path / str(n_workers), n_workers=n_workers)
    assert product(tmp_path / "1") == product(tmp_path / "2")


def test_other_seed_needs_restart(base: Path, tmp_path: Path) -> None:
    dataset, out = open_dataset(base), tmp_path / "typed"
    augment_dataset(dataset, out)
    with pytest.raises(ConfigError, match="other seed"):
        augment_dataset(dataset, out, seed=1)
    augment_dataset(dataset, out, seed=1, restarts=True)
    assert open_augmented_dataset(out).augmentation["seed"] == 1


def test_folder_of_a_dataset_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not augmented"):
        augment_dataset(open_dataset(base), base, restarts=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "build.json").write_text('{"created": "2025-01-31", "corpus": {}}')
    with pytest.raises(ConfigError, match="not augmented"):
        augment_dataset(open_dataset(base), other, restarts=True)
    with pytest.raises(DatasetError, match=r"no readable augmentation\.json"):
        open_augmented_dataset(base)


def test_wrong_split_and_column_are_told(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown split 'all'"):
        augment_dataset(open_dataset(base), tmp_path / "typed", split="all")
    assert not (tmp_path / "typed").exists()
    augment_dataset(open_dataset(base), tmp_path / "typed")
    typed = open_augmented_dataset(tmp_path / "typed")
    assert next(typed.iter_typed(columns=["typed"])).column_names == ["typed"]
    with pytest.raises(ConfigError, match="unknown columns"):
        next(typed.iter_typed(columns=["letters"]))


def test_published_config_holds_the_defaults() -> None:
    found = read_augmentation_config(ROOT / "configs" / "augmentation.toml")
    assert found == AugmentationConfig()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("augmentation.tone.rate=1", r"unknown key 'augmentation.tone': did you mean"),
        ("augmentation.tones.rat=1", r"unknown key 'augmentation.tones.rat'"),
        ("augmentation.tones.rate=2", r"tones.rate is 2.0"),
        ("augmentation.tones.rate=x", r"tones.rate is 'x', expected number"),
        ("augmentation.accents.profiles.north=1", r"unknown key accents.profiles.north"),
        ("augmentation.accents.profiles=1", r"profiles is 1, expected a table"),
        ("augmentation.typing_errors.shares.swap=x", r"typing_errors.shares.swap is 'x'"),
        ("balances.threshold=1", r"unknown key 'balances'"),
        ("balance.domain_factors.chat=-1", r"domain_factors.chat is -1"),
        ("balance", r"expected section.key=value"),
    ],
)
def test_wrong_settings_are_told(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_augmentation_config(overrides=[override])


def test_wrong_config_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    with pytest.raises(ConfigError, match="cannot read config"):
        read_augmentation_config(path)
    path.write_text("[augmentation\n")
    with pytest.raises(ConfigError, match=r"a\.toml is not TOML"):
        read_augmentation_config(path)
