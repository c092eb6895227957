"""Tuning the encoder of an artifact on a user's texts, a tiny encoder on the tiny artifact."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import yinzi
from tests.yinzi.tiny_lexicon import TINY
from tests.yinzi_train.compression.encoder_samples import LOOSE
from yinzi.artifact import Artifact
from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary
from yinzi_train.adaptation.adapt import adapt
from yinzi_train.adaptation.domain import Base
from yinzi_train.adaptation.encoder import tune_encoder
from yinzi_train.adaptation.options import AdaptationOptions
from yinzi_train.adaptation.text_dataset import write_text_dataset
from yinzi_train.adaptation.texts import DomainTexts, read_texts
from yinzi_train.compression import add_encoder, export_encoder
from yinzi_train.compression.check_rows import read_check_rows
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.model import ConversionEncoder
from yinzi_train.model.families import build_model
from yinzi_train.training.errors import TrainingStopped
from yinzi_train.training.processes import quiet_libraries

SIZES = {
    "hidden_size": 24,
    "n_layers": 2,
    "n_heads": 2,
    "feed_forward_size": 32,
    "hanzi_size": 8,
    "ngram_rows": 97,
    "ngram_size": 4,
    "max_distance": 6,
}
OPTIONS = AdaptationOptions(
    uses_language_model=False, uses_encoder=True, learning_rate=1e-2, max_epochs=4
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Give torch one thread; more wait for each other on these sizes."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    quiet_libraries()
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(autouse=True)
def loose_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that has hardly learnt chooses between hanzi that are almost alike."""
    monkeypatch.setattr("yinzi_train.compression.ParityLimits", lambda **limits: LOOSE)


@pytest.fixture(scope="module")
def parts(texts: Path) -> DomainTexts:
    return DomainTexts.split(read_texts([texts]), tune_share=0.2)


@pytest.fixture(scope="module")
def general(parts: DomainTexts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of general text; here of the same sentences."""
    folder = tmp_path_factory.mktemp("general") / "dataset"
    return write_text_dataset(folder, parts, Base.of(yinzi.load(TINY)).labeller)


@pytest.fixture(scope="module")
def with_encoder(general: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny artifact with an encoder that was never trained."""
    dataset = open_dataset(general)
    pairs = PairVocabulary.from_tables(dataset.iter_tables(columns=("hanzi", "syllables")))
    vocab = InputVocabulary("".join(dict.fromkeys(pairs.texts())))
    torch.manual_seed(3)
    model = build_model("encoder", SIZES, vocab, pairs)
    assert isinstance(model, ConversionEncoder)
    rows = read_check_rows(
        dataset,
        vocab,
        pairs,
        ngram_orders=model.config.ngram_orders,
        ngram_rows=model.config.ngram_rows,
    )
    exported = export_encoder(model, vocab, pairs, rows, limits=LOOSE)
    folder = tmp_path_factory.mktemp("artifacts") / "base"
    add_encoder(Artifact.open(TINY), exported, folder, created="2025-01-01", training={})
    return folder


def test_tuned_encoder_is_written(
    with_encoder: Path, general: Path, texts: Path, tmp_path: Path
) -> None:
    place = tmp_path / "clinic"
    report = adapt(
        [texts], place, created="2025-01-01", base=with_encoder, data=general, options=OPTIONS
    )
    assert report.figures["uses_tuned_encoder"]
    assert report.figures["n_trained_parameters"] > 0
    manifest = yinzi.load(place).artifact.manifest
    assert manifest.format_version == 1
    before = Artifact.open(with_encoder).manifest.files
    assert manifest.files["encoder/encoder.onnx"] != before["encoder/encoder.onnx"]
    assert [path.name for path in tmp_path.iterdir()] == ["clinic"]


@pytest.mark.slow
def test_encoder_that_got_worse_is_not_taken(
    with_encoder: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "clinic"
    monkeypatch.setattr("yinzi_train.adaptation.choice.mean_accuracy", _Falling())
    report = adapt([texts], place, created="2025-01-01", base=with_encoder, options=OPTIONS)
    assert not report.figures["uses_tuned_encoder"]
    before, after = (Artifact.open(folder).manifest.files for folder in (with_encoder, place))
    assert after["encoder/encoder.onnx"] == before["encoder/encoder.onnx"]


class _Falling:
    """Say that each of the first four things measured loses more; the last one nothing."""

    def __init__(self) -> None:
        self._values = [0.9, 0.5, 0.5, 0.5, 0.9]

    def __call__(self, converter: object, general: object) -> float:
        return self._values.pop(0)


@pytest.mark.slow
def test_without_general_text_only_the_output_is_tuned(
    with_encoder: Path, parts: DomainTexts, tmp_path: Path
) -> None:
    base = Base.of(yinzi.load(with_encoder))
    steps = []
    tuned = tune_encoder(
        base,
        parts,
        tmp_path,
        data=None,
        options=OPTIONS,
        on_step=lambda stage, n_done, n_total: steps.append((n_done, n_total)),
    )
    arrays = Artifact.open(with_encoder).arrays("encoder")
    assert not np.array_equal(tuned.component["pair_weight"], arrays["pair_weight"])
    told = json.loads((tmp_path / "run" / "parameters.json").read_text(encoding="utf-8"))
    assert 0 < tuned.n_trained < told["parameters"]
    assert steps[0] == (0, 1)
    assert steps[-1][0] == steps[-1][1] > 1


def test_artifact_without_encoder_is_refused(texts: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no encoder to tune"):
        adapt([texts], tmp_path / "clinic", created="2025-01-01", base=TINY, options=OPTIONS)
    assert list(tmp_path.iterdir()) == []


def test_stopped_tuning_leaves_nothing(
    with_encoder: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object, **others: object) -> None:
        raise TrainingStopped("stopped by SIGINT", 2)

    monkeypatch.setattr("yinzi_train.finetuning.finetune", stop)
    with pytest.raises(TrainingStopped):
        adapt(
            [texts], tmp_path / "clinic", created="2025-01-01", base=with_encoder, options=OPTIONS
        )
    assert list(tmp_path.iterdir()) == []
