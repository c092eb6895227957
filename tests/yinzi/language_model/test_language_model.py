from __future__ import annotations

import math

import numpy as np
import pytest

from tests.yinzi.language_model.model_samples import BOS, EOS, N_WORDS, random_model, store
from yinzi.errors import ArtifactError
from yinzi.language_model import Contexts, FuseTable, LanguageModel, twins
from yinzi_train.ngram.model import NgramModel


class NaiveModel:
    """Backoff by the book, one n-gram at a time."""

    def __init__(self, model: NgramModel) -> None:
        self.unigram = model.unigram_logprob.tolist()
        self.backoff_1 = model.unigram_backoff.tolist()
        bigrams = [tuple(bigram) for bigram in model.bigrams.tolist()]
        self.bigram = dict(zip(bigrams, model.bigram_logprob.tolist(), strict=True))
        self.backoff_2 = dict(zip(bigrams, model.bigram_backoff.tolist(), strict=True))
        trigrams = [tuple(trigram) for trigram in model.trigrams.tolist()]
        self.trigram = dict(zip(trigrams, model.trigram_logprob.tolist(), strict=True))

    def logprob(self, w1: int, w2: int, word: int) -> float:
        if (w1, w2, word) in self.trigram:
            return self.trigram[w1, w2, word]
        backoff = self.backoff_2.get((w1, w2), 0.0)
        if (w2, word) in self.bigram:
            return backoff + self.bigram[w2, word]
        return backoff + self.backoff_1[w2] + self.unigram[word]


@pytest.fixture(scope="module")
def ngram_model() -> NgramModel:
    return random_model()


@pytest.fixture(scope="module")
def naive(ngram_model) -> NaiveModel:
    return NaiveModel(ngram_model)


@pytest.fixture(scope="module")
def stored(ngram_model, tmp_path_factory):
    return store(ngram_model, tmp_path_factory.mktemp("language_model"))


@pytest.fixture(scope="module")
def model(stored) -> LanguageModel:
    return LanguageModel(*stored)


CONTEXT_IDS = np.arange(N_WORDS + 1)
WORD_IDS = np.array([*range(N_WORDS), EOS])


def test_logprobs_agree_with_naive_backoff_for_every_trigram(model, naive):
    w1 = np.array([-1, *CONTEXT_IDS], dtype=np.int32)[:, None, None]
    w2 = CONTEXT_IDS.astype(np.int32)[:, None]
    logprobs = model.logprobs(w1, w2, WORD_IDS.astype(np.int32))
    assert logprobs.dtype == np.float32
    expected = [
        [[naive.logprob(a, b, c) for c in WORD_IDS] for b in CONTEXT_IDS] for a in w1.ravel()
    ]
    np.testing.assert_allclose(logprobs, expected, atol=1e-5)


def test_context_backoff_agrees_with_the_model(model, ngram_model, naive):
    w1 = np.array([-1, *CONTEXT_IDS], dtype=np.int32)[:, None]
    backoffs, is_context = model.context_backoff(w1, CONTEXT_IDS)
    contexts = {tuple(trigram[:2]) for trigram in ngram_model.trigrams.tolist()}
    for i, a in enumerate(w1.ravel()):
        for j, b in enumerate(CONTEXT_IDS):
            assert is_context[i, j] == ((a, b) in contexts)
            assert backoffs[i, j] == pytest.approx(naive.backoff_2.get((a, b), 0.0), abs=1e-6)
    np.testing.assert_array_equal(backoffs != 0, is_context)


def _random_call(n_words, n_rows=7, n_hypotheses=20, seed=0):
    rng = np.random.default_rng(seed)
    w1 = rng.integers(-1, N_WORDS, (n_rows, n_hypotheses), dtype=np.int32)
    w2 = rng.integers(0, N_WORDS + 1, (n_rows, n_hypotheses), dtype=np.int32)
    return w1, w2, rng.choice(WORD_IDS, n_words), rng.integers(0, n_rows, n_words)


@pytest.mark.parametrize("n_words", [0, 1, 30, 2000])
def test_all_ways_to_ask_agree(model, n_words):
    w1, w2, words, rows = _random_call(n_words)
    backoff, is_context = model.context_backoff(w1, w2)
    expected = model.logprobs(w1[rows], w2[rows], words[:, None])
    given = model.logprobs_given(
        w1[rows], w2[rows], backoff[rows], is_context[rows], words[:, None]
    )
    np.testing.assert_array_equal(given, expected)
    contexts = model.contexts(w1, w2)
    np.testing.assert_array_equal(model.logprobs_after(contexts, words, rows), expected)
    np.testing.assert_array_equal(model.logprobs_after(contexts[rows], words), expected)


def test_logprobs_of_many_rows_equal_one_by_one(model):
    w1, w2, words, rows = _random_call(60)
    together = model.logprobs(w1[rows], w2[rows], words[:, None])
    for i, row in enumerate(rows):
        for j in range(0, w1.shape[1], 5):
            alone = model.logprobs(w1[row, j], w2[row, j], words[i])
            assert alone.shape == ()
            assert alone == together[i, j]


@pytest.mark.parametrize(
    ("shapes", "shape"),
    [
        (((3, 4), (3, 4), (3, 1)), (3, 4)),
        (((4,), (4,), (3, 1)), (3, 4)),
        (((), (), (5,)), (5,)),
        (((5,), (5,), ()), (5,)),
        (((2, 1, 4), (3, 4), (2, 3, 4)), (2, 3, 4)),
        (((0, 4), (0, 4), (0, 1)), (0, 4)),
        (((3, 0), (3, 0), (3, 1)), (3, 0)),
        (((1, 1), (1, 1), (1, 9)), (1, 9)),
    ],
)
def test_logprobs_broadcasts(model, naive, shapes, shape):
    rng = np.random.default_rng(0)
    ids = [rng.integers(0, N_WORDS, part, dtype=np.int32) for part in shapes]
    logprobs = model.logprobs(*ids)
    assert logprobs.shape == shape
    expected = np.vectorize(naive.logprob, otypes=[float])(*np.broadcast_arrays(*ids))
    np.testing.assert_allclose(logprobs, expected, atol=1e-5)


def test_contexts_fill_row_by_row(model):
    w1, w2, words, rows = _random_call(50)
    contexts = Contexts.empty(w1.shape)
    for row in range(len(w1)):
        contexts[row] = model.contexts(w1[row], w2[row])
    expected = model.logprobs_after(model.contexts(w1, w2), words, rows)
    np.testing.assert_array_equal(model.logprobs_after(contexts, words, rows), expected)


def test_hypotheses_that_end_in_one_word_know_of_each_other(model):
    w1, w2, _, _ = _random_call(1)
    first = [[row.index(word) for word in row] for row in w2.tolist()]
    back = np.arange(w2.shape[1]) - first
    assert (back > 0).any()
    np.testing.assert_array_equal(twins(w2), back)
    np.testing.assert_array_equal(model.contexts(w1, w2).twins, back)
    assert not model.contexts(w1.reshape(-1), w2.reshape(-1)).twins.any()  # no row to look along
    assert twins(np.zeros((3, 0))).shape == (3, 0)


def test_hypotheses_that_end_in_one_word_are_looked_up_once(model, monkeypatch):
    n_asked = []
    lookup = FuseTable.lookup
    monkeypatch.setattr(
        FuseTable, "lookup", lambda table, sums: n_asked.append(sums.size) or lookup(table, sums)
    )
    w1, w2, words, rows = _random_call(60)
    w2[:] = w2[:, :2].repeat(10, axis=1)
    contexts = model.contexts(w1, w2)
    n_asked.clear()
    model.logprobs_after(contexts, words, rows)
    assert 0 < n_asked[0] <= 2 * words.size


def test_empty_contexts_add_nothing(model):
    words = WORD_IDS
    logprobs = model.logprobs_after(Contexts.empty((1, 2)), words, np.zeros(words.size, np.intp))
    np.testing.assert_array_equal(logprobs[:, 0], model.unigram_logprobs[words])


def test_sentence_logprob_sums_over_words_and_end(model, naive):
    words = [15, 12, 3, 30]
    padded = [-1, BOS, *words, EOS]
    expected = sum(naive.logprob(*padded[i : i + 3]) for i in range(len(words) + 1))
    assert model.sentence_logprob(words) == pytest.approx(expected, abs=1e-4)


def test_sentence_logprob_of_nothing_is_that_of_the_end(model, naive):
    assert model.sentence_logprob([]) == pytest.approx(naive.logprob(-1, BOS, EOS), abs=1e-5)


def test_unigram_logprobs_are_the_models_but_for_the_sentence_start(model, ngram_model):
    assert model.unigram_logprobs[BOS] == -math.inf
    np.testing.assert_allclose(
        model.unigram_logprobs[WORD_IDS], ngram_model.unigram_logprob[WORD_IDS], atol=1e-6
    )
    assert (model.bos_id, model.eos_id) == (BOS, EOS)


def test_word_id_past_the_end_is_an_error(model):
    with pytest.raises(IndexError):
        model.logprobs(np.array([-1]), np.array([0]), np.array([N_WORDS + 2]))


@pytest.mark.parametrize("name", ["bigram_cells", "unigram_logprob_codes", "has_predecessor"])
def test_model_refuses_missing_or_cut_arrays(stored, name):
    arrays, parameters = stored
    without = {key: array for key, array in arrays.items() if key != name}
    with pytest.raises(ArtifactError, match=f"array '{name}' is missing"):
        LanguageModel(without, parameters)
    with pytest.raises(ArtifactError, match=f"{name} is uint8"):
        LanguageModel({**arrays, name: arrays[name][:-1]}, parameters)


def test_model_refuses_codes_without_level(stored):
    arrays, parameters = stored
    with pytest.raises(ArtifactError, match="unigram_backoff_levels has 2 levels"):
        LanguageModel(
            {**arrays, "unigram_backoff_levels": arrays["unigram_backoff_levels"][:2]}, parameters
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_words": "40"}, "parameter n_words"),
        ({"n_words": 2**21}, "expected at most"),
        ({"trigram": None}, "parameters of the trigram table"),
    ],
)
def test_model_refuses_parameters_that_do_not_fit(stored, change, message):
    arrays, parameters = stored
    with pytest.raises(ArtifactError, match=message):
        LanguageModel(arrays, {**parameters, **change})
