from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES
from yinzi.scoring import InputVocabulary, PairTable, ScorerInput, ngram_ids
from yinzi.scoring.input_lines import InputLines, LineOptions, score_inputs
from yinzi.scoring.pair_layer import PairLayer

VOCAB = InputVocabulary("我你")
N_SYLLABLES = len(SYLLABLES)
PAIRS = PairTable(
    np.repeat(np.arange(N_SYLLABLES), 2).astype(np.int16),
    np.arange(0x4E00, 0x4E00 + 2 * N_SYLLABLES, dtype=np.uint32),
    np.ones(2 * N_SYLLABLES, dtype=np.uint32),
)
# Of the two pairs of a syllable, one has the hidden value as its logit, the other 0.
LAYER = PairLayer(
    np.tile(np.array([[1], [0]], dtype=np.int8), (N_SYLLABLES, 1)),
    np.ones(2 * N_SYLLABLES, dtype=np.float32),
    np.zeros(2 * N_SYLLABLES, dtype=np.float32),
)
OPTIONS = LineOptions((2, 3), 50, window=16, max_places=40)
Model = Callable[[InputLines], NDArray[np.floating]]
SIZES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), max_size=12)


def typed(sizes: Sequence[tuple[int, int]]) -> list[ScorerInput]:
    rng = np.random.default_rng(len(sizes))
    return [
        ScorerInput(
            rng.integers(0, N_SYLLABLES, n_places),
            rng.integers(0, 6, n_places),
            np.full(n_context, VOCAB.break_id),
        )
        for n_context, n_places in sizes
    ]


def hidden_of_places(inputs: Sequence[ScorerInput], model: Model) -> list[NDArray[np.float32]]:
    """Return what a model said of each place of each input; all places are syllables."""

    def run(lines: InputLines) -> NDArray[np.float32]:
        return model(lines)[..., None].astype(np.float32)

    scored = score_inputs(
        inputs, vocab=VOCAB, pairs=PAIRS, layer=LAYER, run_lines=run, options=OPTIONS
    )
    by_place = scored.logprobs.reshape(-1, 2)
    assert scored.starts.tolist() == list(range(0, 2 * len(by_place) + 1, 2))
    values = by_place[:, 0] - by_place[:, 1]
    first = scored.first_place
    return np.split(values, first[1:-1]) if inputs else []


@given(SIZES)
@settings(max_examples=40, deadline=None)
def test_each_place_gets_its_own_result(sizes: list[tuple[int, int]]) -> None:
    inputs = typed(sizes)
    found = hidden_of_places(inputs, lambda lines: (lines.input_ids % 97 + lines.input_tones) / 50)
    assert len(found) == len(inputs)
    for given_input, values in zip(inputs, found, strict=True):
        expected = (given_input.input_ids % 97 + given_input.tones) / 50
        np.testing.assert_allclose(values, expected, atol=1e-4)


@given(SIZES)
@settings(max_examples=40, deadline=None)
def test_lines_keep_to_window_and_batch_size(sizes: list[tuple[int, int]]) -> None:
    shapes: list[tuple[int, int]] = []

    def model(lines: InputLines) -> NDArray[np.floating]:
        n_lines, length = lines.input_ids.shape
        shapes.append((n_lines, length))
        n_blanks = (lines.segments < 0).sum(axis=1)
        assert (lines.input_ids[lines.segments < 0] == VOCAB.pad_id).all()
        assert n_blanks.max() < 2
        expected = ngram_ids(lines.input_ids, lines.segments, orders=(2, 3), n_rows=50)
        assert (lines.ngram_ids == expected).all()
        return np.zeros((n_lines, length))

    hidden_of_places(typed(sizes), model)
    assert all(length <= 16 and n_lines * length <= 40 for n_lines, length in shapes)


def test_long_inputs_see_a_quarter_of_the_window_around_each_place() -> None:
    def model(lines: InputLines) -> NDArray[np.floating]:
        column = np.arange(lines.input_ids.shape[1])
        n_inside = (lines.segments == 0).sum(axis=1)[:, None]
        return np.minimum(column, n_inside - 1 - column)

    for n_places in (17, 18, 40, 41, 47, 100):
        (room,) = hidden_of_places(typed([(3, n_places)]), model)
        place = np.arange(n_places)
        to_ends = np.minimum(place + 3, n_places - 1 - place)
        assert (room.round() >= np.minimum(to_ends, 3)).all(), n_places


def test_how_long_a_line_becomes_depends_on_itself_alone() -> None:
    lengths: dict[int, set[int]] = {}

    def model(lines: InputLines) -> NDArray[np.floating]:
        for n_inside in (lines.segments == 0).sum(axis=1).tolist():
            lengths.setdefault(n_inside, set()).add(lines.input_ids.shape[1])
        return np.zeros(lines.input_ids.shape)

    for sizes in ([(0, 5)], [(0, 5), (0, 12), (2, 3)], [(0, n) for n in range(1, 17)]):
        hidden_of_places(typed(sizes), model)
    assert all(len(found) == 1 for found in lengths.values())


def test_literals_have_an_empty_slice() -> None:
    ids = np.array([5, VOCAB.word_id, VOCAB.number_id, 7])
    scored = score_inputs(
        [ScorerInput(ids, np.zeros(4, dtype=np.int64), np.zeros(0, dtype=np.int64))],
        vocab=VOCAB,
        pairs=PAIRS,
        layer=LAYER,
        run_lines=lambda lines: np.zeros((*lines.input_ids.shape, 1), dtype=np.float32),
        options=OPTIONS,
    )
    assert scored.starts.tolist() == [0, 2, 2, 2, 4]
    assert scored.pair_low[[0, 3]].tolist() == [10, 14]


@pytest.mark.parametrize(
    "wrong",
    [{"window": 7}, {"window": 9}, {"ngram_rows": 1}, {"ngram_orders": (1,)}],
    ids=["short window", "odd window", "no rows", "order of one"],
)
def test_options_that_fit_no_model_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        LineOptions(**wrong)  # type: ignore[arg-type]
