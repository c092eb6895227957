from __future__ import annotations

import contextlib
import json
import lzma
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import yinzi
from tests.yinzi_train.conftest import TEXTS, write_xz
from yinzi.artifact import Artifact
from yinzi.errors import ConfigError
from yinzi.evaluation import EvaluationError, InputForm
from yinzi.language_model import LanguageModel
from yinzi.text import miu_spans
from yinzi_train.ngram.counting import count_shards
from yinzi_train.pipeline import (
    STAGES,
    Build,
    artifact_stage,
    count_stage,
    read_config,
    run_stage,
)
from yinzi_train.pipeline.data_folder import DataFolder
from yinzi_train.pipeline.measurement import measure
from yinzi_train.pipeline.model_card import model_card


@pytest.fixture
def build(tmp_path: Path, data_path: Path, config_path: Path) -> Build:
    return build_of(tmp_path, data_path, config_path)


def build_of(
    tmp_path: Path, data_path: Path, config_path: Path, overrides: Sequence[str] = ()
) -> Build:
    out = tmp_path / "out"
    return Build(
        config=read_config(config_path, overrides=overrides),
        data=DataFolder(data_path),
        out=out,
        artifacts=out / "artifacts",
        created="2025-01-31",
    )


def run_all(build: Build) -> list[str]:
    """Run all stages and return those that were not kept."""
    return [name for name in STAGES if not run_stage(name, build).is_kept]


def shard_times(build: Build) -> set[tuple[str, int]]:
    """Return the name of every shard with the time it was written."""
    return {
        (path.name, (path / "shard.json").stat().st_mtime_ns)
        for path in build.counts_path.iterdir()
    }


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_built_artifact_converts(build: Build) -> None:
    assert run_all(build) == list(STAGES)
    converter = yinzi.load(build.artifact_path)
    assert converter.convert("woyaomaijipiao")[0].text == "我要买机票"
    assert converter.convert("qu xi an")[0].text == "去西安"
    assert converter.convert("nhm")[0].text == "你好吗"
    marks = [syllable.to_marks() for _, syllable in converter.annotate("银行") if syllable]
    assert marks == ["yín", "háng"]
    assert converter.decoder.options.beam.beam_width == 8


def test_manifest_says_how_the_artifact_was_made(build: Build) -> None:
    run_all(build)
    manifest = Artifact.open(build.artifact_path).manifest
    assert (manifest.name, manifest.version, manifest.created) == ("tiny", "1", "2025-01-31")
    sources = {source.file: source for source in manifest.sources}
    n_hanzi = {"chat__talk": 125, "chat__short": 44, "news__lines": 162, "law__rules": 22}
    weights = {"chat__talk": 2.0, "chat__short": 1.5, "news__lines": 1.0, "law__rules": 0.5}
    total = sum(n_hanzi[name] * weights[name] for name in weights)
    for name, weight in weights.items():
        share = sources[f"{name}.txt.xz"].share
        assert math.isclose(share or 0.0, n_hanzi[name] * weight / total, abs_tol=1e-6)
    assert sources["chat__talk.txt.xz"].licence == "[open] CC BY-SA 4.0"
    assert sources["jieba_dict.txt.xz"].share is None
    assert "pypinyin" in sources
    training = manifest.training
    assert training["config"]["weights"]["domains"] == {"chat": 2.0, "law": 0.5}
    assert training["config"]["lexicon"]["max_words"] == 700_000
    assert training["n_hanzi"] == sum(n_hanzi.values())
    assert set(training["sha256"]["corpora"]) == {f"{name}.txt.xz" for name in n_hanzi}
    assert training["n_bytes"] == manifest.section_bytes()


def test_no_pair_or_triple_seen_less_than_three_times_ships(build: Build) -> None:
    run_all(build)
    report = json.loads((build.out / "language-model.json").read_text(encoding="utf-8"))["report"]
    counts = [
        np.concatenate([np.load(path) for path in build.counts_path.glob(f"*/{order}_count.npy")])
        for order in ("bigram", "trigram")
    ]
    assert min(map(min, counts)) < 3
    assert 0 < report["n_ngrams"]["bigram"] < report["n_counted"]["bigram"]
    assert 0 < report["n_ngrams"]["trigram"] < report["n_counted"]["trigram"]


def test_same_inputs_give_the_same_bytes(
    tmp_path: Path, data_path: Path, config_path: Path
) -> None:
    one = build_of(tmp_path / "one", data_path, config_path)
    two = replace(build_of(tmp_path / "two", data_path, config_path), n_workers=2)
    for build in (one, two):
        run_all(build)
    first, second = tree(one.artifact_path), tree(two.artifact_path)
    assert first == second


@pytest.mark.parametrize(
    ("overrides", "redone"),
    [
        ((), ()),
        (("counting.n_ranges=1",), ("artifact",)),
        (("decoder.beam.beam_width=4",), ("artifact",)),
        (("artifact.version=2.0",), ("artifact",)),
        (("weights.chat=3",), ("language-model", "artifact")),
        (("language_model.n_ngrams=20",), ("language-model", "artifact")),
        (("weights.law=0",), ("language-model", "artifact")),
        (("counting.pseudo_count=1",), STAGES[1:]),
        (("counting.left_out=[0,2]",), STAGES[1:]),
        (("language_model.vectors.seed=2",), ("language-model", "artifact")),
        (("lexicon.max_words=20",), STAGES),
    ],
    ids=lambda value: " ".join(value) or "nothing",
)
def test_stages_are_redone_if_what_they_depend_on_changed(
    tmp_path: Path,
    data_path: Path,
    config_path: Path,
    overrides: tuple[str, ...],
    redone: tuple[str, ...],
) -> None:
    run_all(build_of(tmp_path, data_path, config_path, ["artifact.version='1'"]))
    given = [text.replace("2.0", "'2.0'") for text in overrides]
    assert run_all(build_of(tmp_path, data_path, config_path, given)) == list(redone)


def test_changed_text_is_counted_again_and_others_are_kept(build: Build, data_path: Path) -> None:
    run_all(build)
    before = shard_times(build)
    text = data_path / "corpora" / "law__rules.txt.xz"
    # Punctuation only: the lexicon's counts come out as before.
    data = lzma.decompress(text.read_bytes()).replace("。".encode(), b"!")
    text.write_bytes(lzma.compress(data))
    assert run_all(build) == list(STAGES)
    assert {name for name, _ in shard_times(build) - before} == {"law__rules"}


def test_damaged_output_is_made_again(build: Build) -> None:
    run_all(build)
    before = tree(build.artifact_path)
    (build.language_model_path / "bigram_cells.npy").write_bytes(b"")
    (build.artifact_path / "lexicon" / "hanzi.npy").unlink()
    assert run_all(build) == ["language-model", "artifact"]
    assert tree(build.artifact_path) == before


def test_stopped_stage_goes_on_behind_its_last_finished_text(build: Build) -> None:
    run_all(build)
    counting = replace(build.config.counting, pseudo_count=1.0)
    changed = replace(build, config=replace(build.config, counting=counting))

    def stop(n_done: int, n_total: int) -> None:
        if n_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stage("count", changed, on_progress=stop)
    before = shard_times(build)
    assert not run_stage("count", changed).is_kept
    assert len(before & shard_times(build)) == 2
    assert run_stage("count", changed).is_kept


def test_ray_is_used_if_asked_for(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """How Ray counts is tested beside the counting."""
    run_stage("lexicon", build)
    seen = []

    def count_with_fake_ray(paths: list[Path], folder: Path, **options: Any) -> list[Path]:
        seen.extend(paths)
        assert folder.is_absolute()
        return count_shards(paths, folder, **options)

    monkeypatch.setattr(count_stage, "ray_connection", lambda **_: contextlib.nullcontext())
    monkeypatch.setattr(count_stage, "count_shards_with_ray", count_with_fake_ray)
    run_stage("count", replace(build, uses_ray=True))
    assert len(seen) == 4
    assert run_stage("count", build).is_kept


def test_text_of_weight_zero_does_not_enter_the_language_model(
    tmp_path: Path, data_path: Path, config_path: Path
) -> None:
    build = build_of(tmp_path, data_path, config_path, ["weights.news=0"])
    run_all(build)
    sources = {part.file: part for part in Artifact.open(build.artifact_path).manifest.sources}
    assert sources["news__lines.txt.xz"].share == 0.0
    assert sources["news__lines.txt.xz"].use == "word frequencies"
    shares = [source.share for source in sources.values() if source.share is not None]
    assert math.isclose(sum(shares), 1.0, abs_tol=1e-6)


def test_pruning_keeps_as_many_n_grams_as_asked_for(
    tmp_path: Path, data_path: Path, config_path: Path
) -> None:
    build = build_of(tmp_path, data_path, config_path, ["language_model.n_ngrams=20"])
    run_all(build)
    n_ngrams = Artifact.open(build.artifact_path).manifest.training["n_ngrams"]
    assert 10 < n_ngrams["bigram"] + n_ngrams["trigram"] <= 20


def test_left_out_lines_are_not_counted(tmp_path: Path, data_path: Path, config_path: Path) -> None:
    overrides = ["counting.left_out=[1,5]"]
    run_all(build_of(tmp_path, data_path, config_path, overrides))
    build = build_of(tmp_path, data_path, config_path, overrides)
    assert run_all(build) == []
    training = Artifact.open(build.artifact_path).manifest.training
    assert training["config"]["counting"]["left_out"] == [1, 5]
    counted = json.loads((build.out / "count.json").read_text(encoding="utf-8"))["report"]
    for name, (text, n_copies) in TEXTS.items():
        lines = (text * n_copies).splitlines()
        kept = "".join(line for number, line in enumerate(lines) if number % 5 != 1)
        n_hanzi = sum(end - start for start, end in miu_spans(kept))
        assert counted["n_hanzi"][name.partition(".")[0]] == n_hanzi


@pytest.fixture
def many_hanzi(data_path: Path) -> None:
    """Add readings of 320 hanzi to the raw data, and a text of them: two sorts take turns."""
    hanzi = [chr(0x5000 + number) for number in range(320)]
    added = "".join(f"U+{ord(one):X}: yī  # {one}\n" for one in hanzi)
    for name in ("pinyin-data_pinyin.txt.xz", "pinyin-data_kMandarin_8105.txt.xz"):
        path = data_path / "lexicons" / name
        write_xz(path, lzma.decompress(path.read_bytes()).decode() + added)
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, 160, (1500, 2))
    text = "".join(f"{hanzi[first]}{hanzi[160 + second]}。\n" for first, second in chosen)
    write_xz(data_path / "corpora" / "news__lines.txt.xz", text)


@pytest.mark.usefixtures("many_hanzi")
def test_word_vectors_are_written_and_ship(
    tmp_path: Path, data_path: Path, config_path: Path
) -> None:
    overrides = [
        *("lexicon.min_unlisted_count=1000", "language_model.vectors.n_words=300"),
        *("language_model.vectors.n_dimensions=8", "language_model.vectors.part_size=2"),
    ]
    build = build_of(tmp_path, data_path, config_path, overrides)
    run_all(build)
    report = json.loads((build.out / "language-model.json").read_text(encoding="utf-8"))["report"]
    files = {path.stem: path.stat().st_size for path in build.language_model_path.iterdir()}
    of_vectors = {name: size for name, size in files.items() if name.startswith("vector_")}
    assert len(of_vectors) == 7
    assert report["vectors"]["n_vectors"] == 300
    assert report["vectors"]["n_bytes"] == sum(of_vectors.values())
    assert report["n_bytes"] == sum(files.values())
    manifest = Artifact.open(build.artifact_path).manifest
    assert manifest.section_bytes()["language_model"] == sum(files.values())
    assert manifest.training["config"]["language_model"]["vectors"]["n_words"] == 300
    assert "- Word vectors: 300 words, 8 dimensions, 2 of them a byte." in model_card(manifest)
    model = yinzi.load(build.artifact_path).decoder.language_model
    assert isinstance(model, LanguageModel)
    assert model.vectors is not None
    assert model.vectors.n_vectors == 300
    assert run_all(build) == []
    without = build_of(tmp_path, data_path, config_path, overrides[:1])
    assert run_all(without) == ["language-model", "artifact"]
    assert not list(without.language_model_path.glob("vector_*"))


def test_text_of_too_few_words_for_vectors_stops_the_build(
    tmp_path: Path, data_path: Path, config_path: Path
) -> None:
    overrides = ["language_model.vectors.n_words=1000"]
    build = build_of(tmp_path, data_path, config_path, overrides)
    with pytest.raises(ConfigError, match=r"too few .*set language_model.vectors.n_words to 0"):
        run_all(build)
    assert not (build.out / "language-model.json").exists()
    assert not build.language_model_path.exists()
    assert not build.artifact_path.exists()


@pytest.mark.parametrize(
    ("n_ngrams", "shown"),
    [("20", "20 n-grams"), ("[20,5]", "20 pairs and 5 triples")],
    ids=["in all", "by order"],
)
def test_model_card_says_how_much_was_pruned(
    tmp_path: Path, data_path: Path, config_path: Path, n_ngrams: str, shown: str
) -> None:
    overrides = [f"language_model.n_ngrams={n_ngrams}"]
    build = build_of(tmp_path, data_path, config_path, overrides)
    run_all(build)
    card = model_card(Artifact.open(build.artifact_path).manifest)
    assert re.search(f"Pruned by relative entropy to {shown}", card)
    assert "Word vectors" not in card


def test_stage_asks_for_the_ones_before_it(
    tmp_path: Path, data_path: Path, config_path: Path, build: Build
) -> None:
    with pytest.raises(ConfigError, match=r"'lexicon' is not done in .*: run yinzi-train lexicon"):
        run_stage("count", build)
    run_all(build)
    other = build_of(tmp_path, data_path, config_path, ["lexicon.max_words=20"])
    with pytest.raises(ConfigError, match="'lexicon' was done with other options"):
        run_stage("language-model", other)
    (build.words_path / "counts.npy").unlink()
    with pytest.raises(ConfigError, match=r"'lexicon' is damaged: .*words/counts.npy"):
        run_stage("count", build)


def test_budget_is_an_error(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in STAGES[:3]:
        run_stage(name, build)
    monkeypatch.setitem(artifact_stage.BUDGET_BYTES, "language_model", 100)
    with pytest.raises(ConfigError, match=r"language_model has .* MiB.*language_model.n_ngrams"):
        run_stage("artifact", build)
    assert not build.artifact_path.exists()


def test_text_that_is_not_utf8_stops_the_build(build: Build, data_path: Path) -> None:
    text = data_path / "corpora" / "chat__talk.txt.xz"
    text.write_bytes(lzma.compress("机票".encode("gbk")))
    with pytest.raises(ConfigError, match=r"'chat__talk.txt.xz' is not UTF-8 at byte 0"):
        run_all(build)
    assert not (build.out / "lexicon.json").exists()


def test_commit_is_known_inside_a_work_tree_only(tmp_path: Path) -> None:
    assert artifact_stage.commit_of(tmp_path) is None


def test_metrics_are_stored_and_shown(build: Build, tmp_path: Path) -> None:
    run_all(build)
    trip, talk = tmp_path / "trip.tsv", tmp_path / "talk.tsv"
    trip.write_text("a.0\t我要买机票\two yao mai ji piao\t\na.1\t去西安\tqu xi an\t\n", "utf-8")
    talk.write_text("b.0\t你好\tni hao\n", encoding="utf-8")
    measure(build.artifact_path, [trip], forms=[InputForm.SEGMENTED])
    before = tree(build.artifact_path / "language_model")
    reports = []
    manifest = measure(
        build.artifact_path,
        [trip, talk],
        forms=[InputForm.SEGMENTED, InputForm.UNSEGMENTED],
        on_form=reports.append,
    )
    assert len(reports) == 2
    assert manifest == Artifact.open(build.artifact_path).manifest
    assert tree(build.artifact_path / "language_model") == before
    figures = manifest.metrics["trip"]["segmented"]
    assert figures["n_rows"] == 2
    assert figures["miu_accuracy@1"]["value"] == 1.0
    assert set(manifest.metrics["talk"]) == {"segmented", "unsegmented"}
    assert run_all(build) == []
    with pytest.raises(EvaluationError):
        measure(build.artifact_path, [tmp_path / "none.tsv"])
    card = model_card(manifest)
    assert "| trip | 2 | 1.000 (1.000–1.000) |" in card
    assert "### Unsegmented input" in card


def test_model_card_names_every_source_and_attributes(build: Build) -> None:
    run_all(build)
    manifest = Artifact.open(build.artifact_path).manifest
    card = model_card(manifest)
    for source in manifest.sources:
        assert f"| `{source.file}` | {source.source} | {source.licence} |" in card
    attribution = card.split("## Attribution")[1]
    link = "[someone/texts](https://github.com/someone/texts): statistics"
    for licence in ("CC BY 4.0", "CC BY-SA 4.0", "MIT"):
        assert f"### {licence}\n" in attribution
    assert attribution.count(link) == 3
    assert "- [someone/lists](https://github.com/someone/lists): words and readings" in attribution
    assert "[pypinyin](https://pypi.org/project/pypinyin/)" in attribution
    assert "Not measured yet" in card
