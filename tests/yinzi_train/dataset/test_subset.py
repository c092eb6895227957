from __future__ import annotations

from pathlib import Path

import pytest

from tests.yinzi_train.dataset.dataset_samples import MIT, Sentence, write_dataset
from yinzi.errors import ConfigError
from yinzi_train.dataset import Dataset, DatasetError, open_dataset
from yinzi_train.dataset.subset import subset_dataset

CHAT, NEWS = ("chat__talk", "chat", MIT), ("news__made-up", "news", MIT)
PARTS = (("train", 30), ("validation", 6), ("test", 4))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    sentences = [
        Sentence("我要买票", "wo3 yao4 mai3 piao4", doubtful=(1,), split=split, fold=number % 2)
        for split, n in PARTS
        for number in range(n)
    ]
    write_dataset(tmp_path / "large", {CHAT: sentences, NEWS: sentences})
    return open_dataset(tmp_path / "large")


def ids(dataset: Dataset, split: str | None = None) -> set[str]:
    return {row["id"] for row in dataset.iter_rows(split=split, columns=("id",))}


def test_each_split_is_drawn_from_itself(dataset: Dataset, tmp_path: Path) -> None:
    small = subset_dataset(dataset, tmp_path / "small", {"train": 9, "test": 2}, domains=["chat"])
    assert {name: count.rows for name, count in small.manifest.splits.items()} == {
        "train": 9,
        "validation": 0,
        "test": 2,
    }
    assert ids(small, "train") < ids(dataset, "train")
    assert ids(small, "test") < ids(dataset, "test")
    (source,) = small.manifest.sources
    assert (source.source, source.rows, source.hanzi, source.doubtful) == ("chat__talk", 11, 44, 11)
    assert list(small.manifest.domains) == ["chat"]
    assert sum(fold.rows for fold in small.manifest.folds) == 9
    open_dataset(small.path, verify=True)


def test_rows_stay_as_they_were_but_for_the_split(dataset: Dataset, tmp_path: Path) -> None:
    small = subset_dataset(dataset, tmp_path / "small", {"test": 40}, drawn_from=["train"])
    before = {row["id"]: row for row in dataset.iter_rows()}
    rows = list(small.iter_rows())
    assert len(rows) == 40
    assert {row["source"] for row in rows} == {"chat__talk", "news__made-up"}
    assert all(row == {**before[row["id"]], "split": "test"} for row in rows)


def test_splits_are_used_up_in_order(dataset: Dataset, tmp_path: Path) -> None:
    small = subset_dataset(
        dataset,
        tmp_path / "small",
        {"train": 10, "validation": 3, "test": 3},
        sources=["news__made-up"],
        drawn_from=["test", "validation", "train"],
    )
    test, validation, train = (ids(small, name) for name in ("test", "validation", "train"))
    assert not test & validation | validation & train | train & test
    assert test < ids(dataset, "test")
    news = {one for one in ids(dataset) if one.startswith("news")}
    held_out = ids(dataset, "test") | ids(dataset, "validation")
    assert test | validation | train > held_out & news  # all ten of them before those of train
    assert len(train & ids(dataset, "train")) == 6
    drawn = small.manifest.config["subset"]["drawn"]
    assert drawn["test"] == {"train": 0, "validation": 0, "test": 3}
    assert drawn["train"] == {"train": 6, "validation": 4, "test": 0}


def test_draw_depends_on_the_seed_alone(dataset: Dataset, tmp_path: Path) -> None:
    drawn = [
        ids(subset_dataset(dataset, tmp_path / str(number), {"train": 10}, seed=seed))
        for number, seed in enumerate((1, 1, 2))
    ]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("n_rows", "options", "message"),
    [
        ({"train": 61}, {}, "60 rows left for the split 'train'"),
        ({"train": 1}, {"sources": ["poems"]}, "0 rows left"),
        (
            {"test": 4, "train": 5},
            {"drawn_from": ["test"]},
            "4 rows left for the split 'train'",
        ),
    ],
)
def test_too_few_rows(
    dataset: Dataset,
    tmp_path: Path,
    n_rows: dict[str, int],
    options: dict[str, list[str]],
    message: str,
) -> None:
    with pytest.raises(DatasetError, match=message):
        subset_dataset(dataset, tmp_path / "small", n_rows, **options)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["large"]


def test_damaged_shard_leaves_nothing(dataset: Dataset, tmp_path: Path) -> None:
    subset_dataset(dataset, tmp_path / "good", {"train": 60})
    path = dataset.shard_paths[1]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DatasetError, match="cannot read shard"):
        subset_dataset(dataset, tmp_path / "small", {"train": 60})
    assert sorted(one.name for one in tmp_path.iterdir()) == ["good", "large"]


def test_bad_arguments(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown split 'dev'"):
        subset_dataset(dataset, tmp_path / "small", {"dev": 1})
    with pytest.raises(ConfigError, match="at least one"):
        subset_dataset(dataset, tmp_path / "small", {"train": 0})
    with pytest.raises(ConfigError, match="is there already"):
        subset_dataset(dataset, dataset.path, {"train": 1})
