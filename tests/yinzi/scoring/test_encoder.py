"""Encoders that cannot work; those that do are made by yinzi_train, and tested there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from yinzi.artifact import Artifact, Manifest
from yinzi.errors import ArtifactError, MissingExtra
from yinzi.scoring import InputVocabulary, PairTable, ScorerInput
from yinzi.scoring.encoder import Encoder
from yinzi.scoring.vocabulary_digest import vocabulary_digest

PAIRS = PairTable(
    np.array([0, 0, 3], dtype=np.int16),
    np.array([0x963F, 0x554A, 0x5B89], np.uint32),
    np.array([30, 20, 10], np.uint32),
)
ARRAYS: dict[str, NDArray[Any]] = {
    "input_hanzi": np.array([ord("我"), ord("你")], dtype=np.uint32),
    "pair_syllables": PAIRS.syllables,
    "pair_hanzi": PAIRS.hanzi,
    "pair_counts": PAIRS.counts,
    "pair_weight": np.zeros((3, 4), dtype=np.int8),
    "pair_scales": np.ones(3, dtype=np.float32),
    "pair_bias": np.zeros(3, dtype=np.float32),
}
PARAMETERS: dict[str, Any] = {
    "vocabulary": vocabulary_digest(InputVocabulary("我你"), PAIRS),
    "ngram_orders": [2],
    "ngram_rows": 10,
    "window": 64,
}
INPUT = ScorerInput(np.array([0]), np.array([0]), np.zeros(0, dtype=np.int64))


def test_a_vocabulary_of_another_inventory_is_refused() -> None:
    other = {**ARRAYS, "input_hanzi": ARRAYS["input_hanzi"][::-1]}
    with pytest.raises(ArtifactError, match="not those of this version"):
        Encoder(b"", other, PARAMETERS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 3},
        {"window": "wide"},
        {"ngram_rows": 0},
        {"ngram_orders": None},
        {"vocabulary": None},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_parameters_of_no_encoder_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError):
        Encoder(b"", ARRAYS, {**PARAMETERS, **wrong})


@pytest.mark.parametrize("name", list(PARAMETERS))
def test_missing_parameters_are_named(name: str) -> None:
    rest = {key: value for key, value in PARAMETERS.items() if key != name}
    with pytest.raises(ArtifactError, match=name):
        Encoder(b"", ARRAYS, rest)


@pytest.mark.parametrize(
    "name", ["pair_weight", "pair_scales", "pair_bias", "pair_syllables", "pair_counts"]
)
def test_arrays_of_another_length_are_refused(name: str) -> None:
    with pytest.raises(ArtifactError):
        Encoder(b"", {**ARRAYS, name: ARRAYS[name][:2]}, PARAMETERS)


@pytest.mark.parametrize("hanzi", [[ord("a")], [ord("我")] * 2, [0x110000]])
def test_hanzi_that_are_none_are_refused(hanzi: list[int]) -> None:
    with pytest.raises(ArtifactError, match="input_hanzi"):
        Encoder(b"", {**ARRAYS, "input_hanzi": np.array(hanzi, dtype=np.uint32)}, PARAMETERS)


@pytest.mark.parametrize("graph", [b"", b"not a graph", bytes(range(256))])
def test_a_damaged_graph_is_named_when_it_is_needed(graph: bytes) -> None:
    pytest.importorskip("onnxruntime")
    encoder = Encoder(graph, ARRAYS, PARAMETERS, label="artifact 'tiny': encoder")
    with pytest.raises(ArtifactError, match=r"artifact 'tiny': encoder: .* encoder\.onnx"):
        encoder.score([INPUT])


def test_a_missing_graph_file_is_named(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    encoder = Encoder(tmp_path / "encoder.onnx", ARRAYS, PARAMETERS)
    with pytest.raises(ArtifactError, match=r"cannot read encoder\.onnx"):
        encoder.score([INPUT])


def test_without_onnxruntime_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    encoder = Encoder(b"", ARRAYS, PARAMETERS)
    with pytest.raises(MissingExtra, match="--no-encoder"):
        encoder.score([INPUT])


def test_nothing_to_score_needs_no_graph() -> None:
    assert len(Encoder(b"", ARRAYS, PARAMETERS).score([]).logprobs) == 0


def test_onnxruntime_is_imported_only_to_score() -> None:
    script = "import sys, yinzi.scoring.encoder; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_an_artifact_without_an_encoder_is_named(tmp_path: Path) -> None:
    manifest = Manifest("tiny", "1", "2025-01-01", {}, {}, (), {}, {})
    with pytest.raises(ArtifactError, match="no section 'encoder'"):
        Encoder.from_artifact(Artifact(tmp_path, manifest))
