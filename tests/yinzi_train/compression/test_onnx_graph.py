from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.yinzi_train.compression.encoder_samples import (
    LOOSE,
    PAIRS,
    VOCAB,
    check_rows,
    random_inputs,
    random_rows,
    small_encoder,
)
from yinzi.errors import ArtifactError
from yinzi.scoring import ScoredInputs
from yinzi.scoring.encoder import Encoder
from yinzi.scoring.input_lines import InputLines
from yinzi_train.compression import export_encoder
from yinzi_train.compression.encoder_graph import FloatArithmetic, encoder_graph
from yinzi_train.compression.parity import open_session
from yinzi_train.compression.quantization import (
    ActivationRange,
    quantize_columns,
    quantize_rows,
)
from yinzi_train.model.torch_scorer import TorchScorer

SIZES = [(0, 1), (0, 2), (3, 5), (0, 9), (32, 20), (7, 13), (0, 64), (5, 150), (0, 9), (2, 0)]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    model = small_encoder()
    exported = export_encoder(model, VOCAB, PAIRS, check_rows(model), limits=LOOSE)
    return Encoder(exported.graph, exported.arrays, exported.parameters)


def slices(scored: ScoredInputs, index: int) -> ScoredInputs:
    """Return one input of several."""
    low, high = scored.first_place[index : index + 2]
    starts = scored.starts[low : high + 1]
    return ScoredInputs(
        scored.logprobs[starts[0] : starts[-1]],
        starts - starts[0],
        scored.pair_low[low:high],
        np.array([0, high - low]),
    )


@pytest.mark.parametrize(
    "settings",
    [{}, {"ngram_orders": []}, {"ngram_orders": [3]}, {"n_layers": 1, "n_heads": 4}],
    ids=["default", "no n-grams", "one order", "four heads"],
)
def test_float_graph_gives_what_torch_gives(settings: dict[str, Any]) -> None:
    model = small_encoder(**settings)
    session = open_session(encoder_graph(model, FloatArithmetic()).SerializeToString())
    rows = random_rows(model)
    given = {value.name: rows[value.name] for value in session.get_inputs()}
    with torch.no_grad():
        expected = model.encode({name: torch.from_numpy(rows[name]) for name in rows}).numpy()
    found = session.run(["hidden"], given)[0]
    assert np.abs(found - expected)[rows["segments"] >= 0].max() < 1e-5


@pytest.mark.parametrize("settings", [{}, {"ngram_orders": []}], ids=["default", "no n-grams"])
def test_int8_encoder_is_close_to_the_torch_scorer(settings: dict[str, Any]) -> None:
    model = small_encoder(**settings)
    exported = export_encoder(model, VOCAB, PAIRS, check_rows(model), limits=LOOSE)
    encoder = Encoder(exported.graph, exported.arrays, exported.parameters)
    inputs = random_inputs(np.random.default_rng(5), SIZES)
    found, expected = encoder.score(inputs), TorchScorer(model, VOCAB, PAIRS).score(inputs)
    assert found.starts.tolist() == expected.starts.tolist()
    assert found.pair_low.tolist() == expected.pair_low.tolist()
    assert found.first_place.tolist() == expected.first_place.tolist()
    assert np.abs(found.logprobs - expected.logprobs).mean() < 0.05
    spread = np.abs(expected.logprobs - expected.logprobs.mean()).mean()
    assert spread > 0.5, "the model says something"


def test_a_result_does_not_depend_on_the_other_lines(encoder: Encoder) -> None:
    rng = np.random.default_rng(6)
    for _ in range(6):
        sizes = [(int(rng.integers(0, 20)), int(rng.integers(1, 45))) for _ in range(12)]
        inputs = random_inputs(rng, sizes)
        together = encoder.score(inputs)
        for index, one in enumerate(inputs):
            alone, among = encoder.score([one]), slices(together, index)
            np.testing.assert_allclose(among.logprobs, alone.logprobs, atol=1e-5)
            for low, high in zip(alone.starts, alone.starts[1:], strict=False):
                if low < high:
                    best = np.argmax(alone.logprobs[low:high])
                    assert best == np.argmax(among.logprobs[low:high])


def test_hidden_vectors_do_not_depend_on_the_batch_to_the_last_bit(encoder: Encoder) -> None:
    rows = random_rows(small_encoder())
    names = ("input_ids", "input_tones", "segments", "ngram_ids")
    together = encoder.run_lines(InputLines(*(rows[name] for name in names)))
    for line in range(len(together)):
        alone = encoder.run_lines(InputLines(*(rows[name][line : line + 1] for name in names)))
        assert (alone[0] == together[line]).all()


def test_the_graph_of_another_encoder_is_refused(encoder: Encoder) -> None:
    other = small_encoder(ngram_orders=[])
    exported = export_encoder(other, VOCAB, PAIRS, check_rows(other), limits=LOOSE)
    parameters = {**exported.parameters, "ngram_orders": [2], "ngram_rows": 97}
    mixed = Encoder(exported.graph, exported.arrays, parameters)
    with pytest.raises(ArtifactError, match="of another encoder"):
        mixed.score(random_inputs(np.random.default_rng(0), [(0, 3)]))


def test_a_truncated_graph_is_refused() -> None:
    model = small_encoder()
    exported = export_encoder(model, VOCAB, PAIRS, check_rows(model), limits=LOOSE)
    cut = Encoder(exported.graph[:-100], exported.arrays, exported.parameters)
    with pytest.raises(ArtifactError, match="damaged"):
        cut.score(random_inputs(np.random.default_rng(0), [(0, 3)]))


def test_torch_scorer_follows_the_model_and_leaves_its_mode() -> None:
    model = small_encoder().train()
    scorer = TorchScorer(model, VOCAB, PAIRS)
    inputs = random_inputs(np.random.default_rng(0), [(0, 4)])
    before = scorer.score(inputs).logprobs
    with torch.no_grad():
        model.pair_layer.bias += torch.arange(len(PAIRS)) % 3
    assert np.abs(scorer.score(inputs).logprobs - before).max() > 0.1
    assert model.training


def test_quantized_rows_are_within_half_a_step() -> None:
    weight = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    for largest in (64, 127):
        codes, scales = quantize_rows(weight, largest=largest)
        assert np.abs(codes).max() == largest
        assert (np.abs(codes * scales[:, None] - weight) <= scales[:, None] * 0.5001).all()
    codes, scales = quantize_columns(weight)
    assert (np.abs(codes * scales - weight) <= scales * 0.5001).all()


@pytest.mark.parametrize(
    ("low", "high"), [(-3.0, 5.0), (0.0, 2.0), (1.0, 2.0), (-4.0, -1.0), (0, 0)]
)
def test_ranges_have_a_code_for_zero_and_for_their_ends(low: float, high: float) -> None:
    scale, zero = ActivationRange(low, high).scale_and_zero()
    for value in (low, 0.0, high):
        code = np.rint(value / scale) + zero
        assert -1 <= code <= 256
        assert np.clip(code, 0, 255) == pytest.approx(code, abs=1)
