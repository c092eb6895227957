from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.yinzi_train.dataset.build_samples import (
    CREATED,
    LICENCE,
    make_build,
    product,
    write_texts,
)
from yinzi.errors import ConfigError
from yinzi.text import is_hanzi
from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.dataset import DatasetError, label_stage, open_dataset
from yinzi_train.dataset.build import build_dataset
from yinzi_train.dataset.manifest import Count
from yinzi_train.dataset.schema import ROW_SCHEMA
from yinzi_train.dataset.splits import SplitOptions


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("data") / "corpora")


@pytest.fixture(scope="module")
def built(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "dataset"
    build_dataset(make_build(texts, out))
    return out


def test_rows_are_the_sentences_with_their_labels(built: Path) -> None:
    dataset = open_dataset(built, verify=True)
    rows = list(dataset.iter_rows())
    assert len(rows) == dataset.manifest.total.rows > 500
    assert [shard.file for shard in dataset.manifest.shards] == [
        f"data/{name}-000.parquet" for name in ("chat__text0", "chat__text2", "news__text1")
    ]
    for row in rows:
        assert row["hanzi"] == "".join(char for char in row["text"] if is_hanzi(char))
        assert sum(row["run_lengths"]) == len(row["hanzi"]) == len(row["syllables"])
        assert row["syllables"] == [ord(char) % 400 for char in row["hanzi"]]
        assert row["tones"] == [ord(char) % 5 + 1 for char in row["hanzi"]]
        assert row["doubtful"] == [i for i, c in enumerate(row["hanzi"]) if ord(c) % 2 == 0]
        assert row["id"].startswith(row["source"] + ":")


def test_manifest_counts_what_the_rows_hold(built: Path) -> None:
    dataset = open_dataset(built)
    manifest = dataset.manifest
    rows = list(dataset.iter_rows())
    for column, counts in (
        ("split", manifest.splits),
        ("domain", manifest.domains),
        ("licence", manifest.licences),
    ):
        for value, count in counts.items():
            of_value = [row["hanzi"] for row in rows if row[column] == value]
            assert count == Count(len(of_value), sum(map(len, of_value)))
    train = [row for row in rows if row["split"] == "train"]
    assert [count.rows for count in manifest.folds] == [
        sum(row["fold"] == fold for row in train) for fold in range(10)
    ]
    assert manifest.doubtful == sum(len(row["doubtful"]) for row in rows)
    assert manifest.rows_read - sum(manifest.drops.values()) == len(rows)
    assert manifest.labeller == {"name": "codes", "version": "1"}
    assert manifest.created == CREATED
    source = manifest.sources[0]
    assert (source.source, source.licence) == ("chat__text0", LICENCE)
    assert source.origin == "https://example.org/0 1.0"
    assert json.loads((built / "manifest.json").read_text())["config"]["splits"]["test"] == 0.1


def test_finished_build_is_kept(built: Path, texts: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (built / "data").iterdir()}
    whole = product(built)
    build_dataset(make_build(texts, built, created="2030-01-01"))
    assert {path: path.stat().st_mtime_ns for path in (built / "data").iterdir()} == before
    assert product(built) == whole


def test_damaged_shard_is_made_again(built: Path, texts: Path) -> None:
    whole = product(built)
    path = built / "data" / "chat__text0-000.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DatasetError, match=r"chat__text0-000.parquet sha256 is"):
        open_dataset(built, verify=True)
    build_dataset(make_build(texts, built))
    assert product(built) == whole


def test_readers_choose_rows_and_columns(built: Path) -> None:
    dataset = open_dataset(built)
    test = list(dataset.iter_rows(split="test", columns=["hanzi", "id"]))
    assert len(test) == dataset.manifest.splits["test"].rows
    assert list(test[0]) == ["hanzi", "id"]
    news = dataset.iter_tables(domains=["news"], batch_rows=50)
    tables = list(news)
    assert max(len(table) for table in tables) <= 50
    assert sum(len(table) for table in tables) == dataset.manifest.domains["news"].rows
    assert tables[0].schema.equals(ROW_SCHEMA)
    assert not list(dataset.iter_rows(sources=["nope"]))
    with pytest.raises(ConfigError, match="unknown split 'dev'"):
        list(dataset.iter_rows(split="dev"))
    with pytest.raises(ConfigError, match=r"unknown columns \['pinyin'\]"):
        list(dataset.iter_rows(columns=["pinyin"]))


def test_cross_validation_covers_train_once(built: Path) -> None:
    dataset = open_dataset(built)
    seen: list[str] = []
    for fold in dataset.folds(5):
        rows = {
            part: [row["id"] for row in dataset.iter_rows(split="train", folds=values)]
            for part, values in (("train", fold.train), ("validation", fold.validation))
        }
        assert not set(rows["train"]) & set(rows["validation"])
        assert len(rows["train"]) + len(rows["validation"]) == dataset.manifest.splits["train"].rows
        seen += rows["validation"]
    assert len(seen) == len(set(seen)) == dataset.manifest.splits["train"].rows


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_datasets_loads_files_and_folder(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    manifest = open_dataset(built).manifest
    files = [str(path) for path in (built / "data").glob("*.parquet")]
    cache = str(tmp_path)
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=cache)["train"]
    assert loaded.num_rows == manifest.total.rows
    assert loaded.features["syllables"].feature.dtype == "int16"
    for name in ("train", "validation"):
        split = datasets.load_dataset(str(built), name, split=name, cache_dir=cache)
        assert split.num_rows == manifest.splits[name].rows
        assert set(split["split"]) == {name}


def evaluation_set(built: Path, path: Path) -> list[str]:
    """Write an evaluation set of some sentences of each split; return their ids."""
    dataset = open_dataset(built)
    chosen = [
        row
        for split in ("train", "test")
        for row in list(dataset.iter_rows(split=split, columns=["id", "text", "split"]))[:3]
    ]
    path.write_text("".join(f"{row['id']}\t{row['text']}\t\n" for row in chosen), encoding="utf-8")
    return [row["id"] for row in chosen if row["split"] == "train"]


def test_contaminated_training_sentences_are_dropped(
    built: Path, texts: Path, tmp_path: Path
) -> None:
    leaked = evaluation_set(built, tmp_path / "dev.tsv")
    out = tmp_path / "dataset"
    manifest = build_dataset(make_build(texts, out, evaluation=(tmp_path / "dev.tsv",)))
    assert manifest is not None
    before = [row["id"] for row in open_dataset(built).iter_rows()]
    after = [row["id"] for row in open_dataset(out).iter_rows()]
    assert [row_id for row_id in before if row_id not in after] == leaked
    assert manifest.drops["contamination"] == 3
    (record,) = manifest.contamination
    assert (record.name, record.rows) == ("dev", 3)
    assert record.found >= 3
    lines = (out / "dropped" / "contamination.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == leaked
    assert json.loads(lines[0])["shared"][0]["evaluation"] == "dev"


def test_other_settings_are_refused_unless_restarted(
    built: Path, texts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "dataset"
    build = make_build(texts, out)
    build_dataset(build)
    whole = product(out)
    other = replace(build, config=replace(build.config, splits=SplitOptions(seed=1)))
    message = r"another build: its dataset stage was made with other splits.seed, .* --restart"
    with pytest.raises(ConfigError, match=message):
        build_dataset(other)
    assert product(out) == whole
    labelled = out / "work" / "labelled" / "chat__text0-000.parquet"
    stamp = labelled.stat().st_mtime_ns
    build_dataset(replace(other, restarts=True))
    assert open_dataset(out).manifest.config["splits"]["seed"] == 1
    assert labelled.stat().st_mtime_ns == stamp


def test_other_text_is_refused(texts: Path, tmp_path: Path) -> None:
    copy = write_texts(tmp_path / "corpora", n_files=1)
    build_dataset(make_build(copy, tmp_path / "out"), stages=["corpus"])
    (copy / "chat__text0.txt").write_text("今天天气很好。\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"its corpus stage was made with other texts.chat__text0"
    ):
        build_dataset(make_build(copy, tmp_path / "out"))


def test_folder_with_other_files_is_refused(texts: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="holds files but no build"):
        build_dataset(make_build(texts, tmp_path))


def test_text_without_licence_is_refused(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "corpora", n_files=2)
    manifest = texts / "MANIFEST.tsv"
    manifest.write_text("\n".join(manifest.read_text().splitlines()[:2]) + "\n")
    with pytest.raises(ConfigError, match=r"no licence is stated for 'news__text1.txt': add a row"):
        build_dataset(make_build(texts, tmp_path / "out"))
    build = make_build(texts, tmp_path / "out")
    options = CorpusOptions(licence="CC0-1.0")
    manifest_made = build_dataset(replace(build, config=replace(build.config, corpus=options)))
    assert manifest_made is not None
    assert sorted(manifest_made.licences) == ["CC0-1.0", LICENCE]


def test_empty_corpus_is_refused(tmp_path: Path) -> None:
    texts = tmp_path / "corpora"
    texts.mkdir()
    with pytest.raises(ConfigError, match="empty corpus"):
        build_dataset(make_build(texts, tmp_path / "out"))
    (texts / "a.txt").write_text("only english\n" * 9)
    build = make_build(texts, tmp_path / "out")
    options = CorpusOptions(licence="CC0-1.0")
    with pytest.raises(ConfigError, match="empty corpus: 9 lines read and none kept"):
        build_dataset(replace(build, config=replace(build.config, corpus=options)))


def test_stage_before_is_asked_for(texts: Path, tmp_path: Path) -> None:
    build = make_build(texts, tmp_path / "out")
    with pytest.raises(DatasetError, match="run yinzi-train corpus first"):
        build_dataset(build, stages=["labelling"])
    build_dataset(build, stages=["corpus"])
    with pytest.raises(DatasetError, match="run yinzi-train label first"):
        build_dataset(build, stages=["dataset"])
    with pytest.raises(DatasetError, match="not finished"):
        open_dataset(tmp_path / "out")


def test_failed_unit_is_named_and_others_are_kept(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = make_build(texts, tmp_path / "out")
    write = label_stage.write_table_file

    def write_until_full(path: Path, *arguments: object, **options: object) -> object:
        if path.stem.startswith("news"):
            raise DatasetError(f"no space left to write {str(path)!r}")
        return write(path, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(label_stage, "write_table_file", write_until_full)
        with pytest.raises(DatasetError, match=r"labelling of 'news__text1-000': no space left"):
            build_dataset(build)
    labelled = sorted(path.stem for path in build.labelled_path.glob("*.parquet"))
    assert "news__text1-000" not in labelled
    assert not (build.out / "manifest.json").exists()
    build_dataset(build)
    open_dataset(build.out, verify=True)
