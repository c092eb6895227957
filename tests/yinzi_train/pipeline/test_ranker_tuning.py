from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import yinzi
from tests.yinzi.language_model.model_samples import random_vectors
from tests.yinzi.tiny_lexicon import TINY
from yinzi.artifact import Artifact
from yinzi.errors import ConfigError
from yinzi_train.cli.main import main
from yinzi_train.export import update_manifest, write_artifact
from yinzi_train.pipeline.ranker_tuning import RankerRound, fit_weights, tune_ranker

ROWS = [
    ("a.0", "我要买机票", "wo yao mai ji piao"),
    ("a.1", "你好", "ni hao"),
    ("a.2", "西安", "xi an"),
    ("a.3", "中国银行", "zhong guo yin hang"),
    ("a.4", "反感", "fan gan"),
]


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.tsv"
    lines = ("\t".join([*row, ""]) + "\n" for row in ROWS)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_fit_finds_the_weights_that_lists_were_drawn_with() -> None:
    generator = np.random.default_rng(0)
    true = np.array([1.0, 0.5, -0.7])
    n_rows, n_each = 3000, 5
    features = generator.normal(size=(n_rows * n_each, 3))
    row = np.repeat(np.arange(n_rows), n_each)
    noisy = (features @ true + generator.gumbel(size=len(row))).reshape(n_rows, n_each)
    is_right = np.zeros((n_rows, n_each), dtype=np.bool_)
    is_right[np.arange(n_rows), noisy.argmax(axis=1)] = True
    found, likelihood = fit_weights(
        features, row, is_right.ravel(), np.ones(n_rows), start=np.zeros(3)
    )
    assert found == pytest.approx(true, abs=0.1)
    assert -np.log(n_each) < likelihood < 0


def test_fit_needs_a_right_candidate() -> None:
    with pytest.raises(ConfigError, match="nothing can be fitted"):
        fit_weights(
            np.ones((2, 1)), np.array([0, 0]), np.zeros(2, bool), np.ones(1), start=np.zeros(1)
        )


def test_tuning_stores_the_best_round(artifact: Path, rows: Path) -> None:
    rounds: list[RankerRound] = []
    best = tune_ranker(artifact, [rows], on_round=rounds.append)
    assert len(rounds) == 3
    accuracy = [found.accuracy["rows"] + found.accuracy_at_5["rows"] / 2 for found in rounds]
    assert all(found.accuracy["rows"] <= found.accuracy_at_5["rows"] for found in rounds)
    taken = rounds[int(np.argmax(accuracy))].searched
    converter = yinzi.load(artifact)
    assert converter.decoder.options.beam.word_logprob == pytest.approx(taken.word_logprob)
    assert best.options.word_logprob == pytest.approx(taken.word_logprob)
    stored = json.loads((artifact / "manifest.json").read_text(encoding="utf-8"))["parameters"]
    assert stored["ranker"]["temperature"] == pytest.approx(best.temperature, abs=1e-3)
    explanation = converter.explain("xian", n_best=3)
    assert 0 < sum(explanation.probabilities) <= 1 + 1e-6
    assert list(explanation.probabilities) == sorted(explanation.probabilities, reverse=True)


@pytest.fixture
def with_vectors(tmp_path: Path) -> Path:
    """The tiny artifact with vectors of its words."""
    tiny = Artifact.open(TINY)
    parameters = tiny.manifest.parameters
    vectors = random_vectors(parameters["language_model"]["n_words"] + 2)
    components = {
        "lexicon": tiny.arrays("lexicon"),
        "language_model": {**tiny.arrays("language_model"), **vectors},
    }
    write_artifact(
        tmp_path / "vectors",
        name="vectors",
        version="1",
        created="2025-01-01",
        components=components,
        parameters=parameters,
        sources=tiny.manifest.sources,
    )
    return tmp_path / "vectors"


def test_weights_of_word_vectors_are_fitted_and_stored(
    with_vectors: Path, artifact: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds: list[RankerRound] = []
    best = tune_ranker(with_vectors, [rows], on_round=rounds.append)
    assert not rounds[0].searched.affinity
    for one, after in pairwise(rounds):
        assert one.fit.options.affinity
        assert after.searched == one.fit.options
    stored = yinzi.load(with_vectors).decoder.options.beam
    assert stored == best.options
    tune_ranker(artifact, [rows], on_round=rounds.append)
    assert not rounds[-1].fit.options.affinity
    fitted = rounds[1].searched
    update = {"decoder": {"beam": vars(fitted)}}
    parameters = Artifact.open(with_vectors).manifest.parameters
    update_manifest(with_vectors, parameters={**parameters, **update})
    with pytest.raises(SystemExit):
        main(["fit-ranker", str(with_vectors), str(rows), "--rounds", "2"])
    first = capsys.readouterr().out.splitlines()[0]
    assert f"affinity {fitted.stored_affinity:.3f} / {fitted.new_affinity:.3f}" in first
    assert f"new pair {fitted.new_pair:.3f} / {fitted.unknown_pair:.3f}" in first


def test_one_round_is_too_few(artifact: Path, rows: Path) -> None:
    with pytest.raises(ConfigError, match="expected at least 2"):
        tune_ranker(artifact, [rows], n_rounds=1)


def test_command_says_what_was_stored(
    artifact: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["fit-ranker", str(artifact), str(rows), "--rounds", "2"])
    assert end.value.code == 0
    *rounds, last = capsys.readouterr().out.splitlines()
    assert len(rounds) == 2
    assert last.startswith("stored: encoder 0.35")
    assert "affinity" not in "".join([*rounds, last])


def test_each_search_of_an_artifact_with_an_encoder_is_fitted_by_itself(
    tmp_path: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(Artifact.open("base").folder, tmp_path / "base"))

    def stored() -> dict[str, dict[str, object]]:
        return Artifact.open(folder).parameters("decoder")

    before, temperature = stored(), Artifact.open(folder).parameters("ranker")
    with pytest.raises(SystemExit):
        main(["fit-ranker", str(folder), str(rows), "--rounds", "2", "--no-encoder"])
    last = capsys.readouterr().out.splitlines()[-1]
    without = stored()
    assert {name: without[name] for name in before if name != "beam"} == {
        name: before[name] for name in before if name != "beam"
    }
    assert f"words {without['beam']['word_logprob']:.3f}" in last
    assert Artifact.open(folder).parameters("ranker") == temperature
    best = tune_ranker(folder, [rows], n_rounds=2)
    assert stored()["beam"] == without["beam"]
    assert stored()["fused_beam"] == vars(best.options)
    assert Artifact.open(folder).parameters("ranker") != temperature
