from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.yinzi.tiny_lexicon import TINY
from tests.yinzi_train.dataset.dataset_samples import MIT, Sentence, write_dataset
from tests.yinzi_train.training.training_samples import SENTENCES, write_tiny_dataset
from yinzi.artifact import Artifact
from yinzi.cli.running import run_app
from yinzi.converter import Converter
from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES, SyllableGraph
from yinzi.scoring import PairTable
from yinzi_train.cli.main import app
from yinzi_train.dataset import DatasetError, open_dataset
from yinzi_train.dataset.manifest import Count
from yinzi_train.export import update_manifest
from yinzi_train.n_best import ListOptions, make_lists, open_lists
from yinzi_train.n_best.lists import LIST_SCHEMA


def run(*arguments: object) -> int:
    return run_app(app, [str(argument) for argument in arguments], name="yinzi-train")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_dataset(tmp_path_factory.mktemp("lists") / "dataset")


@pytest.fixture(scope="module")
def lists(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lists of all runs of the tiny dataset, made with the shipped artifact."""
    out = tmp_path_factory.mktemp("lists") / "lists"
    assert run("n-best", dataset, "--out", out, "--sentences", 100, "--workers", 1) == 0
    return out


@pytest.fixture(scope="module")
def converter() -> Converter:
    return Converter(Artifact.open("base"))


def tables(folder: Path) -> pa.Table:
    manifest = json.loads((folder / "lists.json").read_text(encoding="utf-8"))
    return pa.concat_tables(pq.read_table(folder / name) for name in manifest["files"])


def runs_of(row: dict) -> list[str]:
    ends = np.cumsum(row["run_lengths"]).tolist()
    return [row["hanzi"][first:end] for first, end in pairwise([0, *ends])]


def test_logprobs_and_the_encoder_add_up_to_what_the_search_says(
    lists: Path, converter: Converter
) -> None:
    manifest = json.loads((lists / "lists.json").read_text(encoding="utf-8"))
    decoder, scorer = converter.decoder, converter.decoder.scorer
    assert scorer is not None
    rows = tables(lists).to_pylist()
    assert len(rows) == manifest["total"]["lists"] > 5
    for row in rows[:4]:
        graph = SyllableGraph.from_text(" ".join(SYLLABLES[i] for i in row["low"]))
        decoding = decoder.decode([graph], [decoder.left_context("")])
        best = decoding.hypotheses(0, 1)[0]
        nodes = np.array(best.nodes)
        at = row["candidates"].index(best.text)
        encoder, prior = (
            float(column[nodes].sum())
            for column in (decoding.lattice.encoder_logprob, decoding.lattice.prior_logprob)
        )
        whole = row["logprobs"][at] + manifest["encoder_weight"] * encoder
        assert whole + manifest["prior_weight"] * prior == pytest.approx(best.logprob, abs=1e-3)


def test_each_list_holds_the_right_text_and_others(lists: Path, dataset: Path) -> None:
    written = {
        text for row in open_dataset(dataset).iter_rows(split="train") for text in runs_of(row)
    }
    for row in tables(lists).to_pylist():
        texts = row["candidates"]
        assert texts[row["right"]] in written
        assert 2 <= len(set(texts)) == len(texts) <= 20
        assert len(row["readings"]) == len(texts) * len(row["low"])
        assert all(high == low + 1 for low, high in zip(row["low"], row["high"], strict=True))


def test_runs_can_be_typed_by_first_letters(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "lists"
    assert run("n-best", dataset, "--out", out, "--initials", 1, "--workers", 1) == 0
    rows = tables(out).to_pylist()
    assert rows
    for row in rows:
        widths = np.array(row["high"]) - row["low"]
        assert (widths > 1).all()
        readings = np.array(row["readings"]).reshape(-1, len(row["low"]))
        assert ((readings >= row["low"]) & (readings < row["high"])).all()


def test_later_runs_can_be_converted_after_earlier_ones(
    dataset: Path, lists: Path, tmp_path: Path, converter: Converter
) -> None:
    out = tmp_path / "lists"
    options = ("--sentences", 100, "--context", 1, "--workers", 1)
    assert run("n-best", dataset, "--out", out, *options) == 0
    assert set(tables(lists).column("context").to_pylist()) == {""}
    rows = [row for row in tables(out).to_pylist() if row["context"]]
    assert rows
    befores = {
        "，".join([*texts[:number], ""])
        for row in open_dataset(dataset).iter_rows(split="train")
        for texts in [runs_of(row)]
        for number in range(1, len(texts))
    }
    decoder = converter.decoder
    for row in rows:
        assert row["context"] in befores
    typed = " ".join(SYLLABLES[i] for i in rows[0]["low"])
    context = decoder.left_context(rows[0]["context"])
    best = decoder.decode([SyllableGraph.from_text(typed)], [context]).hypotheses(0, 1)[0]
    assert best.text in rows[0]["candidates"]


def test_lists_that_teach_little_can_be_thinned_out(
    dataset: Path, lists: Path, tmp_path: Path
) -> None:
    out = tmp_path / "lists"
    options = ("--sentences", 100, "--sure", 0.5, "--workers", 1)
    assert run("n-best", dataset, "--out", out, *options) == 0
    whole, thinned = tables(lists).to_pylist(), tables(out).to_pylist()
    assert {row["weight"] for row in whole} == {1.0}
    assert {row["weight"] for row in thinned} == {1.0, 2.0}
    assert 0 < len(thinned) < len(whole)
    for row in thinned:
        assert {**row, "weight": 1.0} in whole
    # About half of those with one candidate far ahead are missing, none of the others.
    n_sure = sum(row["weight"] == 2.0 for row in thinned)
    assert len(whole) - len(thinned) < 3 * n_sure


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact whose language model was counted on every other line."""
    folder = tmp_path_factory.mktemp("artifact") / "base"
    shutil.copytree(Artifact.open("base").folder, folder)
    training = {"config": {"counting": {"left_out": [0, 2]}}}
    update_manifest(folder, training=training)
    return folder


def right_texts(folder: Path) -> list[str]:
    return sorted(row["candidates"][row["right"]] for row in tables(folder).to_pylist())


def test_lists_can_be_of_left_out_lines_alone(
    dataset: Path, lists: Path, unfinished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "lists"
    options = ("--left-out", "--artifact", unfinished, "--sentences", 100, "--workers", 1)
    assert run("n-best", dataset, "--out", out, *options) == 0
    left_out = {
        text
        for row in open_dataset(dataset).iter_rows(split="train")
        if int(row["id"].rpartition(":")[2]) % 2 == 0
        for text in runs_of(row)
    }
    expected = [text for text in right_texts(lists) if text in left_out]
    assert right_texts(out) == expected
    assert 2 < len(expected) < len(right_texts(lists))
    manifest = json.loads((out / "lists.json").read_text(encoding="utf-8"))
    assert manifest["options"]["only_left_out"] is True


@pytest.mark.parametrize(
    "places",
    [
        ("12", "13", "12.3", "13.0", "100.1", "101.2", "6.7", "7.10"),
        ("12", "13", "12~1", "13~2", "100~1.1", "101~2.2", "6~10.7", "7~10.0"),
    ],
    ids=["sentences of a line", "pieces of a long line"],
)
def test_parts_of_a_line_belong_to_its_fold(
    unfinished: Path, tmp_path: Path, places: tuple[str, ...]
) -> None:
    sentences = [
        replace(sentence, place=place) for sentence, place in zip(SENTENCES, places, strict=True)
    ]
    write_dataset(tmp_path / "dataset", {("chat__a:b.c", "chat", MIT): sentences})
    out = tmp_path / "lists"
    options = ("--left-out", "--artifact", unfinished, "--sentences", 100, "--workers", 1)
    assert run("n-best", tmp_path / "dataset", "--out", out, *options) == 0
    from_left_out = {
        text
        for row in open_dataset(tmp_path / "dataset").iter_rows(split="train")
        if row["id"].rpartition(":")[2] in places[::2]
        for text in runs_of(row)
    }
    assert len(set(right_texts(out))) > 2
    assert set(right_texts(out)) <= from_left_out


def test_lines_that_were_not_left_out_are_not_taken_for_it(
    dataset: Path, unfinished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--left-out", "--workers", 1)
    assert run("n-best", dataset, "--out", tmp_path / "lists", *options) == 1
    told = capsys.readouterr().err
    assert "was counted on all text" in told
    assert "counting.left_out=[0,5]" in told
    assert not list(tmp_path.iterdir())
    nowhere = [Sentence("明天去学校", "ming2 tian1 qu4 xue2 xiao4", place="page")]
    write_dataset(tmp_path / "dataset", {("chat__talk", "chat", MIT): nowhere})
    with pytest.raises(DatasetError, match=r"must have the number of a line.*'page'"):
        make_lists(
            open_dataset(tmp_path / "dataset"),
            tmp_path / "lists",
            artifact=unfinished,
            options=ListOptions(only_left_out=True),
        )


def test_finished_shards_are_kept_and_give_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    arguments = ("n-best", dataset, "--out", tmp_path / "lists", "--sentences", 100)
    assert run(*arguments, "--workers", 2) == 0
    files = {path: path.read_bytes() for path in (tmp_path / "lists" / "data").iterdir()}
    first, *others = sorted(files)
    times = {path: path.stat().st_mtime_ns for path in others}
    first.unlink()
    (tmp_path / "lists" / "lists.json").unlink()
    assert run(*arguments, "--workers", 1) == 0
    assert {path: path.read_bytes() for path in files} == files
    assert {path: path.stat().st_mtime_ns for path in others} == times


def test_bad_input_is_told(
    dataset: Path, lists: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ListOptions()
    with pytest.raises(ConfigError, match="has no encoder: lists are made to train one"):
        make_lists(open_dataset(dataset), tmp_path / "none", artifact=TINY, options=options)
    with pytest.raises(ConfigError, match=r"unknown split 'exam'"):
        ListOptions(split="exam")
    with pytest.raises(ConfigError, match=r"1.2 together: expected at most 1"):
        ListOptions(initials_rate=0.6, mixed_rate=0.6)
    with pytest.raises(ConfigError, match="confident_rate is 0: expected above 0"):
        ListOptions(confident_rate=0.0)
    with pytest.raises(ConfigError, match="context_rate"):
        ListOptions(context_rate=1.5)
    with pytest.raises(ConfigError, match="n_best is 1: expected at least 2"):
        ListOptions(n_best=1)
    assert run("n-best", dataset, "--out", lists, "--seed", 5, "--workers", 1) == 1
    assert "--restart" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_split_without_sentences_is_refused(dataset: Path, tmp_path: Path) -> None:
    whole = open_dataset(dataset)
    splits = {**whole.manifest.splits, "test": Count()}
    empty = replace(whole, manifest=replace(whole.manifest, splits=splits))
    with pytest.raises(DatasetError, match="no sentences of the split 'test'"):
        make_lists(
            empty,
            tmp_path / "out",
            artifact=Artifact.open("base").folder,
            options=ListOptions(split="test"),
        )


def pairs_of(text: str, syllables: list[int]) -> PairTable:
    order = np.argsort(syllables, kind="stable")
    return PairTable(
        np.array(syllables, dtype=np.int16)[order],
        np.array([ord(char) for char in text], dtype=np.uint32)[order],
        np.ones(len(text), dtype=np.int64),
    )


def write_lists(folder: Path, rows: list[dict]) -> Path:
    (folder / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=LIST_SCHEMA), folder / "data/a.parquet")
    manifest = {
        "format_version": 2,
        **{"temperature": 0.5, "encoder_weight": 0.6, "prior_weight": -0.1},
        **{"abbreviated_factor": 0.4, "files": ["data/a.parquet"]},
    }
    (folder / "lists.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def a_list(
    texts: list[str],
    right: int,
    low: list[int],
    *,
    width: int = 1,
    context: str = "",
    weight: float = 1.0,
) -> dict:
    return {
        "domain": "chat",
        "low": low,
        "high": [one + width for one in low],
        "candidates": texts,
        "readings": low * len(texts),
        "logprobs": [-float(i) for i in range(len(texts))],
        "right": right,
        "context": context,
        "weight": weight,
    }


def test_batch_has_the_hanzi_in_which_candidates_differ(tmp_path: Path) -> None:
    rows = [
        a_list(["甲乙丙", "甲丁丙", "甲乙己"], 1, [3, 4, 5]),
        a_list(["乙", "丁"], 0, [4]),
    ]
    pairs = pairs_of("甲乙丁丙己", [3, 4, 4, 5, 5])
    lists = open_lists(write_lists(tmp_path / "lists", rows), pairs)
    batch = lists.batch(np.array([1, 0]))
    texts = [chr(code) for code in pairs.hanzi]
    assert [texts[pair] for pair in batch.right_pairs] == ["乙", "甲", "丁", "丙"]
    assert batch.right.tolist() == [0, 3]
    assert batch.logprobs.tolist() == [0.0, -1.0, 0.0, -1.0, -2.0]
    found = sorted(
        (candidate, place, texts[pair])
        for candidate, place, pair in zip(
            batch.term_candidate.tolist(), batch.term_place, batch.term_pair, strict=True
        )
    )
    assert found == [
        *[(0, 0, "乙"), (1, 0, "丁")],
        *[(2, 2, "乙"), (2, 3, "丙"), (3, 2, "丁"), (3, 3, "丙"), (4, 2, "乙"), (4, 3, "己")],
    ]


def test_candidates_of_unknown_hanzi_are_left_out(tmp_path: Path) -> None:
    rows = [
        a_list(["龘乙", "甲乙", "甲丁"], 1, [3, 4]),
        a_list(["甲龘", "甲乙", "甲丁"], 0, [3, 4]),  # loses the right one
        a_list(["甲乙", "龘乙"], 0, [3, 4]),  # loses all others
    ]
    lists = open_lists(write_lists(tmp_path / "lists", rows), pairs_of("甲乙丁", [3, 4, 4]))
    assert len(lists) == 1
    assert lists.right.tolist() == [0]
    assert lists.logprobs.tolist() == [-1.0, -2.0]
    with pytest.raises(ConfigError, match="no list with two candidates whose hanzi are known"):
        open_lists(tmp_path / "lists", pairs_of("天", [7]))


def test_folders_without_whole_lists_are_refused(lists: Path, tmp_path: Path) -> None:
    pairs = pairs_of("甲", [3])
    with pytest.raises(ConfigError, match=r"has no lists.json of version 2: .*let it finish"):
        open_lists(tmp_path, pairs)
    folder = write_lists(tmp_path / "lists", [a_list(["甲", "乙"], 0, [3])])
    (folder / "data/a.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match=r"cannot read .*a.parquet.*make the lists again"):
        open_lists(folder, pairs)
