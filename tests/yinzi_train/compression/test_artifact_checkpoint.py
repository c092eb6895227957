from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.yinzi_train.compression.encoder_samples import (
    LOOSE,
    PAIRS,
    VOCAB,
    check_rows,
    random_inputs,
    small_encoder,
)
from yinzi.artifact import Artifact
from yinzi.errors import ArtifactError
from yinzi.scoring.encoder import Encoder
from yinzi_train.compression import add_encoder, checkpoint_from_artifact, export_encoder
from yinzi_train.export import write_artifact
from yinzi_train.model import ConversionEncoder
from yinzi_train.model.families import load_checkpoint, save_checkpoint
from yinzi_train.model.torch_scorer import TorchScorer


def written(folder: Path, **settings: Any) -> tuple[ConversionEncoder, Path]:
    """Return a model, and the artifact that has it."""
    plain = {"name": "tiny", "version": "1", "created": "2025-01-01", "sources": []}
    write_artifact(
        folder / "plain", components={"lexicon": {"words": np.arange(3)}}, parameters={}, **plain
    )
    model = small_encoder(**settings)
    exported = export_encoder(model, VOCAB, PAIRS, check_rows(model), limits=LOOSE)
    add_encoder(
        Artifact.open(folder / "plain"),
        exported,
        folder / "artifact",
        created="2025-01-01",
        training={},
    )
    return model, folder / "artifact"


@pytest.mark.parametrize("settings", [{}, {"ngram_orders": []}, {"n_layers": 1}], ids=str)
def test_rebuilt_model_has_the_weights_but_for_rounding(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    model, folder = written(tmp_path, **settings)
    rebuilt = checkpoint_from_artifact(folder)
    assert rebuilt.vocab.hanzi == VOCAB.hanzi
    assert rebuilt.pairs.texts() == PAIRS.texts()
    before, after = model.config, rebuilt.model.config
    for name in ("hidden_size", "n_layers", "n_heads", "feed_forward_size", "hanzi_size"):
        assert getattr(before, name) == getattr(after, name), name
    assert list(before.ngram_orders) == list(after.ngram_orders)
    assert before.vocabulary == after.vocabulary
    one, other = model.state_dict(), rebuilt.model.state_dict()
    assert one.keys() == other.keys()
    for name, weight in one.items():
        if "hanzi" in name or "widen" in name or "ngrams" in name:
            continue  # only their products are the same
        limit = float(weight.abs().max()) / 64
        assert float((weight - other[name]).abs().max()) <= limit, name


def test_rebuilt_model_scores_as_the_shipped_encoder(tmp_path: Path) -> None:
    model, folder = written(tmp_path)
    rebuilt = checkpoint_from_artifact(folder)
    assert isinstance(rebuilt.model, ConversionEncoder)
    inputs = random_inputs(np.random.default_rng(1), [(0, 7), (4, 9), (0, 1), (2, 12)])
    shipped = Encoder.from_artifact(Artifact.open(folder)).score(inputs)
    ours = TorchScorer(rebuilt.model, rebuilt.vocab, rebuilt.pairs).score(inputs)
    original = TorchScorer(model, VOCAB, PAIRS).score(inputs)
    distance = np.abs(shipped.logprobs - ours.logprobs).mean()
    spread = np.abs(shipped.logprobs).mean()
    assert distance < 0.05 * spread, "what flows between layers is rounded, weights are the same"
    assert distance <= np.abs(shipped.logprobs - original.logprobs).mean() * 1.2


def test_exported_again_it_has_the_same_codes(tmp_path: Path) -> None:
    _, folder = written(tmp_path)
    rebuilt = checkpoint_from_artifact(folder)
    model = rebuilt.model
    assert isinstance(model, ConversionEncoder)
    again = export_encoder(model, rebuilt.vocab, rebuilt.pairs, check_rows(model), limits=LOOSE)
    first = onnx.load(str(folder / "encoder" / "encoder.onnx"))
    codes = {value.name: numpy_helper.to_array(value) for value in first.graph.initializer}
    n_codes = 0
    for value in onnx.load_from_string(again.graph).graph.initializer:
        array = numpy_helper.to_array(value)
        if array.dtype in (np.int8, np.uint8) and array.ndim == 2:
            np.testing.assert_array_equal(codes[value.name], array, value.name)
            n_codes += 1
    assert n_codes > 10


def test_rebuilt_model_is_kept_as_a_checkpoint(tmp_path: Path) -> None:
    _, folder = written(tmp_path)
    rebuilt = checkpoint_from_artifact(folder)
    save_checkpoint(rebuilt.model, rebuilt.vocab, rebuilt.pairs, tmp_path / "kept")
    kept = load_checkpoint(tmp_path / "kept").model
    assert kept.config.vocabulary == rebuilt.model.config.vocabulary


def test_artifact_without_an_encoder_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(ArtifactError, match=r"has no encoder to begin with.*checkpoint"):
        checkpoint_from_artifact(tmp_path / "plain")


def test_damaged_graph_is_refused(tmp_path: Path) -> None:
    _, folder = written(tmp_path)
    (folder / "encoder" / "encoder.onnx").write_bytes(b"no graph at all")
    with pytest.raises(ArtifactError):
        checkpoint_from_artifact(folder)
