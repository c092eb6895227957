from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

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
from yinzi.scoring import InputVocabulary
from yinzi.scoring.encoder import Encoder
from yinzi_train.compression import (
    ExportedEncoder,
    ExportError,
    ParityLimits,
    ParityReport,
    add_encoder,
    export_encoder,
)
from yinzi_train.compression.check_rows import CheckRows
from yinzi_train.export import write_artifact
from yinzi_train.model import ConversionEncoder

REPORT = ParityReport(
    n_places=1000,
    difference=1e-6,
    agreement=0.995,
    float_accuracy=0.9,
    int8_accuracy=0.899,
    n_bytes=14_000_000,
)


@pytest.fixture(scope="module")
def model() -> ConversionEncoder:
    return small_encoder()


@pytest.fixture(scope="module")
def exported(model: ConversionEncoder) -> ExportedEncoder:
    return export_encoder(model, VOCAB, PAIRS, check_rows(model), limits=LOOSE)


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    write_artifact(
        tmp_path / "plain",
        name="tiny",
        version="1",
        created="2025-01-01",
        components={"lexicon": {"words": np.arange(3)}},
        parameters={"decoder": {"beam_width": 8}},
        sources=[],
        metrics={"dev": {"ca": 0.5}},
    )
    return Artifact.open(tmp_path / "plain")


def test_report_says_how_far_int8_is_from_the_model(exported: ExportedEncoder) -> None:
    report = exported.report
    assert report.float_accuracy == 1, "the targets are what the model gives"
    assert report.int8_accuracy == report.agreement > 0.9
    assert report.difference < 1e-5
    assert report.n_places > 100
    n_array_bytes = sum(array.nbytes for array in exported.arrays.values())
    assert report.n_bytes == len(exported.graph) + n_array_bytes


def test_export_twice_gives_the_same_bytes(
    model: ConversionEncoder, exported: ExportedEncoder
) -> None:
    again = export_encoder(model, VOCAB, PAIRS, check_rows(model), limits=LOOSE)
    assert again.graph == exported.graph
    assert again.parameters == exported.parameters


def test_an_artifact_with_the_encoder_scores_as_the_export(
    exported: ExportedEncoder, artifact: Artifact, tmp_path: Path
) -> None:
    add_encoder(artifact, exported, tmp_path / "fused", created="2025-02-02", training={"a": 1})
    fused = Artifact.open(tmp_path / "fused")
    assert fused.manifest.parameters["decoder"] == {"beam_width": 8}
    assert fused.manifest.metrics == {}, "they were measured without the encoder"
    assert fused.manifest.training["encoder"]["a"] == 1
    assert fused.arrays("lexicon")["words"].tolist() == [0, 1, 2]
    inputs = random_inputs(np.random.default_rng(0), [(3, 8), (0, 80)])
    direct = Encoder(exported.graph, exported.arrays, exported.parameters)
    found = Encoder.from_artifact(fused).score(inputs)
    assert (found.logprobs == direct.score(inputs).logprobs).all()


def test_an_encoder_is_replaced_by_the_next(
    exported: ExportedEncoder, artifact: Artifact, tmp_path: Path
) -> None:
    out = tmp_path / "fused"
    add_encoder(artifact, exported, out, created="2025-02-02", training={})
    once = Artifact.open(out).manifest.files
    add_encoder(Artifact.open(out), exported, out, created="2025-02-02", training={})
    assert Artifact.open(out).manifest.files == once
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fused", "plain"]


def test_a_damaged_file_of_the_encoder_is_named_on_opening(
    exported: ExportedEncoder, artifact: Artifact, tmp_path: Path
) -> None:
    out = tmp_path / "fused"
    add_encoder(artifact, exported, out, created="2025-02-02", training={})
    graph = out / "encoder/encoder.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"encoder/encoder.onnx has .* truncated"):
        Artifact.open(out)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"difference": 2e-4}, "differs from torch"),
        ({"difference": float("nan")}, "differs from torch"),
        ({"agreement": 0.97}, "disagree"),
        ({"int8_accuracy": 0.896}, "int8 loses"),
        ({"n_bytes": 14 * 2**20 + 1}, "bytes"),
        ({"n_places": 0}, "no target"),
    ],
)
def test_each_limit_is_kept(change: dict[str, float], message: str) -> None:
    REPORT.check(ParityLimits())
    with pytest.raises(ExportError, match=message):
        replace(REPORT, **change).check(ParityLimits())  # type: ignore[arg-type]


def test_an_export_that_misses_a_limit_fails(model: ConversionEncoder) -> None:
    with pytest.raises(ExportError, match="nothing was written"):
        export_encoder(
            model, VOCAB, PAIRS, check_rows(model), limits=replace(LOOSE, max_bytes=1000)
        )


def test_weights_that_are_not_finite_are_named() -> None:
    model = small_encoder()
    with torch.no_grad():
        model.pair_layer.bias[3] = torch.nan
    with pytest.raises(ExportError, match=r"pair_layer\.bias .* not finite"):
        export_encoder(model, VOCAB, PAIRS, check_rows(small_encoder()))


def test_another_vocabulary_is_refused(model: ConversionEncoder) -> None:
    with pytest.raises(ExportError, match="vocabulary that the model was trained with"):
        export_encoder(model, InputVocabulary("我"), PAIRS, check_rows(model))


def test_rows_without_a_place_are_refused(model: ConversionEncoder) -> None:
    rows = {name: array[:0] for name, array in check_rows(model).comparison.items()}
    with pytest.raises(ExportError, match="no target"):
        export_encoder(model, VOCAB, PAIRS, CheckRows(check_rows(model).calibration, rows))
    with pytest.raises(ExportError, match="ranges"):
        export_encoder(model, VOCAB, PAIRS, CheckRows(rows, rows))
