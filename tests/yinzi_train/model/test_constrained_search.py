from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from tests.yinzi_train.model.model_samples import (
    EVERY,
    PAIRS,
    STEPWISE,
    VOCAB,
    given,
    random_samples,
    tiny_model,
)
from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary, ScorerInput
from yinzi_train.model import ConversionModel
from yinzi_train.model.constrained_search import LITERAL, Conversion, convert, input_batch
from yinzi_train.model.families import build_model
from yinzi_train.model.restricted_softmax import restricted_logprobs

INPUTS = [
    given("zh hao ma", "你好"),
    given("ma A zh", tones=[3, 0, 0]),
    given("ch zhao", "妈"),
    given("ni"),
]


def converted(
    model: ConversionModel, inputs: list[ScorerInput], **options: Any
) -> list[list[Conversion]]:
    return convert(model, inputs, pairs=PAIRS, vocab=VOCAB, **options)


def logprobs_of(
    model: ConversionModel, typed: ScorerInput, all_pair_ids: Sequence[tuple[int, ...]]
) -> list[float]:
    """Return what the model, given the pairs as in training, makes of them."""
    inputs = [typed] * len(all_pair_ids)
    batch = input_batch(inputs, vocab=VOCAB, pairs=PAIRS, config=model.config)
    batch["targets"][:, len(typed.context) :] = torch.tensor(all_pair_ids)
    with torch.no_grad():
        hidden = model.encode(batch)
    low, high = batch["pair_low"].reshape(-1), batch["pair_high"].reshape(-1)
    logprobs, starts = restricted_logprobs(
        hidden.flatten(0, 1), model.pair_layer.weight, model.pair_layer.bias, low=low, high=high
    )
    pairs = batch["targets"].reshape(-1)
    is_chosen = pairs >= 0
    totals = torch.zeros(len(pairs))
    totals[is_chosen] = logprobs[(starts[:-1] + pairs - low)[is_chosen]]
    return totals.view(len(inputs), -1).sum(1).tolist()


def every_conversion(model: ConversionModel, typed: ScorerInput) -> list[Conversion]:
    """Enumerate all readable texts, the likeliest reading of each."""
    bounds = PAIRS.starts[VOCAB.ranges[typed.input_ids]]
    choices = [range(low, high) if low < high else [-1] for low, high in bounds]
    best: dict[str, Conversion] = {}
    every = list(itertools.product(*choices))
    for pair_ids, logprob in zip(every, logprobs_of(model, typed, every), strict=True):
        text = "".join(chr(PAIRS.hanzi[pair]) if pair >= 0 else LITERAL for pair in pair_ids)
        found = Conversion(text, pair_ids, logprob)
        if text not in best or found.logprob > best[text].logprob:
            best[text] = found
    return sorted(best.values(), key=lambda conversion: -conversion.logprob)


def assert_same(found: list[Conversion], expected: list[Conversion]) -> None:
    assert [c.pair_ids for c in found] == [c.pair_ids for c in expected]
    assert [c.text for c in found] == [c.text for c in expected]
    assert [c.logprob for c in found] == pytest.approx([c.logprob for c in expected], abs=1e-4)


@pytest.mark.parametrize("family", EVERY)
def test_a_wide_beam_finds_what_enumeration_finds(family: str) -> None:
    model = tiny_model(family, seed=2)
    for typed, found in zip(
        INPUTS, converted(model, INPUTS, n_best=100, beam_width=120), strict=True
    ):
        expected = every_conversion(model, typed)
        assert_same(found, expected)
    assert len(found) == 1


def test_an_encoder_needs_no_width() -> None:
    model = tiny_model("encoder", seed=3)
    for typed, found in zip(INPUTS, converted(model, INPUTS, n_best=4), strict=True):
        assert_same(found, every_conversion(model, typed)[:4])


@pytest.mark.parametrize("family", EVERY)
def test_together_is_as_one_by_one(family: str) -> None:
    model = tiny_model(family, seed=4)
    inputs = [sample.given for sample in random_samples(10, seed=6)]
    together = converted(model, inputs, n_best=3, beam_width=4)
    for typed, found in zip(inputs, together, strict=True):
        assert_same(found, converted(model, [typed], n_best=3, beam_width=4)[0])


@pytest.mark.parametrize("family", EVERY)
def test_conversions_are_sorted_distinct_and_readable(family: str) -> None:
    model = tiny_model(family, seed=5)
    inputs = [sample.given for sample in random_samples(8, seed=7)]
    for typed, found in zip(inputs, converted(model, inputs, n_best=5), strict=True):
        logprobs = [conversion.logprob for conversion in found]
        assert sorted(logprobs, reverse=True) == logprobs
        assert len({conversion.text for conversion in found}) == len(found) >= 1
        for conversion in found:
            assert len(conversion.text) == len(conversion.pair_ids) == len(typed.input_ids)
            for pair, char, (low, high) in zip(
                conversion.pair_ids,
                conversion.text,
                VOCAB.ranges[typed.input_ids],
                strict=True,
            ):
                if low == high:
                    assert (pair, char) == (-1, LITERAL)
                elif pair >= 0:
                    assert low <= PAIRS.syllables[pair] < high
                    assert chr(PAIRS.hanzi[pair]) == char
            (expected,) = logprobs_of(model, typed, [conversion.pair_ids])
            assert conversion.logprob == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("family", STEPWISE)
def test_steps_give_what_teacher_forcing_gives(family: str) -> None:
    model = tiny_model(family, seed=6)
    samples = random_samples(6, seed=8)
    batch = input_batch([s.given for s in samples], vocab=VOCAB, pairs=PAIRS, config=model.config)
    for line, sample in enumerate(samples):
        batch["targets"][line, : len(sample.targets)] = torch.tensor(sample.targets)
    with torch.no_grad():
        expected = model.encode(batch)
        source, state = model.begin(batch)
        previous = torch.full((len(samples),), -1)
        for place in range(batch["segments"].shape[1]):
            hidden, state = model.step(source, state, place=place, previous=previous)
            is_inside = batch["segments"][:, place] >= 0
            torch.testing.assert_close(
                hidden[is_inside], expected[is_inside, place], rtol=1e-4, atol=1e-5
            )
            previous = batch["targets"][:, place]


@pytest.mark.parametrize("family", EVERY)
def test_left_context_counts(family: str) -> None:
    model = tiny_model(family, seed=7, spread=0.2)
    without, with_context = converted(model, [given("ma ma"), given("ma ma", "你好")])
    logprobs = [conversions[0].logprob for conversions in (without, with_context)]
    assert abs(logprobs[0] - logprobs[1]) > 1e-3


@pytest.mark.parametrize("family", EVERY)
def test_inputs_of_nothing_and_of_literals(family: str) -> None:
    model = tiny_model(family)
    empty, literals, unknown = converted(model, [given(""), given("A A", "你"), given("bo ma")])
    assert empty == [Conversion("", (), 0.0)]
    assert literals == [Conversion(LITERAL * 2, (-1, -1), 0.0)]
    assert {conversion.text[0] for conversion in unknown} == {LITERAL}
    assert converted(model, []) == []


@pytest.mark.parametrize("family", EVERY)
def test_models_keep_their_mode(family: str) -> None:
    model = tiny_model(family, dropout=0.5).train()
    first, second = (converted(model, INPUTS) for _ in range(2))
    assert model.training
    assert first == second


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_best": 0}, "n_best is 0"),
        ({"n_best": 9, "beam_width": 8}, "beam_width is 8 and n_best 9"),
        ({"vocab": InputVocabulary("你")}, "n_hanzi 6, the vocabularies 1"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        convert(tiny_model("gru"), INPUTS, **{"pairs": PAIRS, "vocab": VOCAB, **options})


@pytest.mark.parametrize(
    ("ids", "tones", "message"),
    [
        ([1, 2], [0], "2 places and 1 tones"),
        ([-1], [0], "input id -1"),
        ([10**6], [0], "input id 1000000: expected 0 to"),
        ([1], [6], "tone 6: expected 0 to 5"),
    ],
)
@pytest.mark.parametrize("family", ["encoder", "lstm"])
def test_inputs_are_checked(family: str, ids: list[int], tones: list[int], message: str) -> None:
    wrong = ScorerInput(np.array(ids), np.array(tones), np.zeros(0, dtype=np.int64))
    with pytest.raises(ConfigError, match=message):
        converted(tiny_model(family), [given("ma"), wrong])


def test_other_models_are_refused() -> None:
    model = ConversionModel(build_model("gru", {}, VOCAB, PAIRS).config)
    with pytest.raises(ConfigError, match="cannot search with a ConversionModel"):
        converted(model, INPUTS)
