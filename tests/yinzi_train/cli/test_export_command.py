from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.yinzi_train.compression.encoder_samples import (
    SENTENCES,
    VOCAB,
    small_encoder,
    write_sentences,
)
from tests.yinzi_train.dataset.dataset_samples import MIT, write_dataset
from yinzi.artifact import Artifact
from yinzi.pinyin import syllable_id
from yinzi.scoring import ScorerInput
from yinzi.scoring.encoder import Encoder
from yinzi_train.cli.main import main
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.export import write_artifact
from yinzi_train.model.families import build_model, save_checkpoint
from yinzi_train.pipeline.model_card import model_card


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_sentences(tmp_path / "dataset")


@pytest.fixture
def pairs(dataset: Path) -> PairVocabulary:
    tables = open_dataset(dataset).iter_tables(columns=["hanzi", "syllables"])
    return PairVocabulary.from_tables(tables)


@pytest.fixture
def checkpoint(tmp_path: Path, pairs: PairVocabulary) -> Path:
    folder = tmp_path / "checkpoint-7"
    save_checkpoint(small_encoder(pairs=pairs), VOCAB, pairs, folder)
    return folder


@pytest.fixture
def arguments(tmp_path: Path, dataset: Path) -> Sequence[str | Path]:
    write_artifact(
        tmp_path / "plain",
        name="tiny",
        version="1",
        created="2025-01-01",
        components={"lexicon": {"words": np.arange(3)}},
        parameters={},
        sources=[],
    )
    return ("--artifact", tmp_path / "plain", "--check", dataset, "--out", tmp_path / "fused")


def test_export_adds_an_encoder_that_scores(
    checkpoint: Path,
    arguments: Sequence[str | Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    more = ("--created", "2025-02-02", "--version", "9", "--targets-seen", "1000000", "--json")
    assert run("export", checkpoint, *arguments, *more) == 0
    printed = json.loads(capfd.readouterr().out)
    artifact = Artifact.open(tmp_path / "fused")
    assert printed["bytes"] == artifact.manifest.section_bytes()
    assert printed["parity"]["agreement"] >= 0.98
    assert artifact.manifest.created == "2025-02-02"
    assert artifact.manifest.version == "9"
    assert artifact.manifest.training["encoder"]["targets_seen"] == 1_000_000
    assert "; 1 million hanzi seen" in model_card(artifact.manifest)
    assert artifact.manifest.training["encoder"]["checkpoint"] == "checkpoint-7"
    encoder = Encoder.from_artifact(artifact)
    ids = np.array([syllable_id("yin"), syllable_id("hang")])
    scored = encoder.score([ScorerInput(ids, np.zeros_like(ids), np.zeros(0, dtype=np.int64))])
    hanzi = [
        chr(encoder.pairs.hanzi[low + np.argmax(scored.logprobs[start:end])])
        for low, start, end in zip(scored.pair_low, scored.starts, scored.starts[1:], strict=False)
    ]
    assert hanzi == ["银", "行"]


def test_export_prints_the_folder_and_tells_the_figures(
    checkpoint: Path,
    arguments: Sequence[str | Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run("export", checkpoint, *arguments) == 0
    printed = capfd.readouterr()
    assert printed.out == f"{tmp_path / 'fused'}\n"
    assert "encoder: " in printed.err
    assert "int8 against float32" in printed.err


def test_a_model_whose_weights_are_not_finite_writes_nothing(
    pairs: PairVocabulary,
    arguments: Sequence[str | Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    model = small_encoder(pairs=pairs)
    with torch.no_grad():
        model.norm.weight[0] = torch.inf
    save_checkpoint(model, VOCAB, pairs, tmp_path / "broken")
    assert run("export", tmp_path / "broken", *arguments) == 1
    assert "norm.weight has values that are not finite" in capfd.readouterr().err
    assert not (tmp_path / "fused").exists()


def test_only_encoders_can_be_exported(
    pairs: PairVocabulary,
    arguments: Sequence[str | Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    model = build_model("transformer", {"hidden_size": 40}, VOCAB, pairs)
    save_checkpoint(model, VOCAB, pairs, tmp_path / "other")
    assert run("export", tmp_path / "other", *arguments) == 1
    assert "only models of family encoder can be exported" in capfd.readouterr().err


def test_a_dataset_without_validation_rows_is_named(
    checkpoint: Path,
    arguments: Sequence[str | Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write_dataset(tmp_path / "train-only", {("chat__talk", "chat", MIT): SENTENCES[:1]})
    given = [
        tmp_path / "train-only" if part == tmp_path / "dataset" else part for part in arguments
    ]
    assert run("export", checkpoint, *given) == 1
    assert "0 rows of the split 'validation'" in capfd.readouterr().err
