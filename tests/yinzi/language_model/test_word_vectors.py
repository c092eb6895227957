from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.yinzi.language_model.model_samples import (
    AFFINITY,
    BOS,
    EOS,
    N_WORDS,
    random_model,
    random_vectors,
    store,
)
from yinzi.errors import ArtifactError
from yinzi.language_model import (
    PAIR_FEATURES,
    AdaptedLanguageModel,
    AffinityWeights,
    LanguageModel,
    WordParts,
    WordVectors,
)
from yinzi.language_model.word_vectors import ROLES
from yinzi_train.ngram.model import NgramModel

Stored = tuple[dict[str, NDArray[Any]], dict[str, Any]]

WORD_IDS = np.array([*range(N_WORDS), EOS])


class NaiveVectors:
    """Vectors put together word by word, and the features of one word after two."""

    def __init__(self, arrays: dict[str, NDArray[Any]], model: NgramModel) -> None:
        bits = "".join(f"{byte:08b}"[::-1] for byte in arrays["vector_words"].tolist())
        self.ids = [number for number, bit in enumerate(bits) if bit == "1"]
        self.bigrams = {tuple(bigram) for bigram in model.bigrams.tolist()}
        self.trigrams = {tuple(trigram) for trigram in model.trigrams.tolist()}
        self.vectors = {
            (role, word): np.concatenate(
                [
                    arrays[f"vector_{role}_centroids"][part, code].astype(float)
                    for part, code in enumerate(arrays[f"vector_{role}_codes"][row])
                ]
            )
            for role in ROLES
            for row, word in enumerate(self.ids)
        }

    def affinity(self, role: str, before: int, word: int) -> float:
        if before not in self.ids or word not in self.ids:
            return 0.0
        return float(self.vectors[role, before] @ self.vectors["next", word])

    def features(self, w1: int, w2: int, word: int) -> list[float]:
        last, skip = self.affinity("last", w2, word), self.affinity("skip", w1, word)
        is_pair, is_triple = (w2, word) in self.bigrams, (w1, w2, word) in self.trigrams
        is_known = w2 in self.ids and word in self.ids
        return [
            last if is_pair else 0.0,
            0.0 if is_pair else last,
            float(not is_pair and is_known),
            float(not is_pair and not is_known),
            skip if is_triple else 0.0,
            0.0 if is_triple else skip,
        ]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return store(random_model(), tmp_path_factory.mktemp("language_model"))


@pytest.fixture(scope="module")
def vector_arrays() -> dict[str, NDArray[Any]]:
    return random_vectors(N_WORDS + 2)


@pytest.fixture(scope="module")
def model(stored: Stored, vector_arrays: dict[str, NDArray[Any]]) -> LanguageModel:
    arrays, parameters = stored
    return LanguageModel({**arrays, **vector_arrays}, parameters)


@pytest.fixture(scope="module")
def naive(vector_arrays: dict[str, NDArray[Any]]) -> NaiveVectors:
    return NaiveVectors(vector_arrays, random_model())


def random_call(
    n_words: int, n_hypotheses: int = 20
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return words two before and one before, [7, n_hypotheses] each, words, and their rows."""
    rng = np.random.default_rng(n_words)
    w1 = rng.integers(-1, N_WORDS, (7, n_hypotheses), dtype=np.int32)
    w2 = rng.integers(0, BOS + 1, (7, n_hypotheses), dtype=np.int32)
    return w1, w2, rng.choice(WORD_IDS, n_words), rng.integers(0, 7, n_words)


def test_features_agree_with_vectors_put_together_one_by_one(
    model: LanguageModel, naive: NaiveVectors
) -> None:
    trigrams = random_model().trigrams
    w1, w2, words = np.random.default_rng(0).integers(-1, N_WORDS + 2, (3, 3000))
    w2, words = np.maximum(w2, 0), np.maximum(words, 0)
    w1, w2, words = np.concatenate((np.stack((w1, w2, words)), trigrams.T), axis=1)
    found = model.pair_features(w1, w2, words)
    assert found.dtype == np.float32
    assert found.shape == (len(words), len(PAIR_FEATURES))
    expected = np.array(
        [naive.features(*ids) for ids in zip(w1.tolist(), w2.tolist(), words.tolist(), strict=True)]
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert (expected != 0).sum(axis=0).min() > 20


def test_words_without_vectors_and_no_word_at_all_are_unknown(
    model: LanguageModel, naive: NaiveVectors
) -> None:
    vectors = model.vectors
    assert vectors is not None
    others = sorted({*range(N_WORDS)} - {*naive.ids})
    assert len(others) > 5
    assert vectors.n_vectors == len(naive.ids)
    assert vectors.rows(np.array(naive.ids)).tolist() == list(range(vectors.n_vectors))
    assert set(vectors.rows(np.array([-1, *others])).tolist()) == {vectors.n_vectors}
    unseen = [word for word in others if all(word not in pair for pair in naive.bigrams)]
    one, known = np.array(unseen[:1]), np.array(naive.ids[:1])
    for before, word in ((one, known), (known, one), (one, one)):
        assert model.pair_features(before, before, word).tolist() == [[0, 0, 0, 1, 0, 0]]
    assert model.pair_features(np.array([-1]), known, known)[0, 4:].tolist() == [0, 0]


@pytest.mark.parametrize("n_hypotheses", [0, 1, 20])
@pytest.mark.parametrize("n_words", [0, 1, 30, 2000])
def test_scores_are_logprobs_and_weighted_features(
    model: LanguageModel, n_words: int, n_hypotheses: int
) -> None:
    w1, w2, words, rows = random_call(n_words, n_hypotheses)
    contexts = model.contexts(w1, w2)
    logprobs, added = model.scores_after(contexts, words, rows, AFFINITY)
    np.testing.assert_array_equal(logprobs, model.logprobs_after(contexts, words, rows))
    each = np.repeat(words, n_hypotheses)
    features = model.pair_features(w1[rows].reshape(-1), w2[rows].reshape(-1), each)
    expected = (features @ list(vars(AFFINITY).values())).reshape(n_words, n_hypotheses)
    assert np.shape(added) == expected.shape
    np.testing.assert_allclose(added, expected, atol=1e-5)


def test_many_words_score_as_few_at_a_time(model: LanguageModel) -> None:
    w1, w2, words, rows = random_call(20_000, 1)
    contexts = model.contexts(w1, w2)
    whole = model.scores_after(contexts, words, rows, AFFINITY)
    parts = [
        model.scores_after(contexts, words[at : at + 900], rows[at : at + 900], AFFINITY)
        for at in range(0, len(words), 900)
    ]
    for of_whole, *of_parts in zip(whole, *parts, strict=True):
        np.testing.assert_allclose(of_whole, np.concatenate(of_parts), atol=1e-6)


def test_contexts_filled_row_by_row_know_their_vectors(model: LanguageModel) -> None:
    w1, w2, words, rows = random_call(50)
    contexts = model.empty_contexts(w1.shape)
    for row in range(len(w1)):
        contexts[row] = model.contexts(w1[row], w2[row])
    for found, expected in zip(
        model.scores_after(contexts[rows], words, np.arange(50), AFFINITY),
        model.scores_after(model.contexts(w1, w2), words, rows, AFFINITY),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


def test_nothing_is_added_without_vectors_or_without_weights(
    stored: Stored, model: LanguageModel
) -> None:
    plain = LanguageModel(*stored)
    assert plain.vectors is None
    w1, w2, words, rows = random_call(30)
    expected = plain.logprobs_after(plain.contexts(w1, w2), words, rows)
    for one, weights in ((plain, AFFINITY), (plain, AffinityWeights()), (model, AffinityWeights())):
        logprobs, added = one.scores_after(one.contexts(w1, w2), words, rows, weights)
        np.testing.assert_array_equal(logprobs, expected)
        assert np.shape(added) == ()
        assert added == 0
    assert not plain.pair_features(w1[0], w2[0], words[:20]).any()
    nothing = np.zeros(0, dtype=np.int32)
    for one in (plain, model):
        assert one.pair_features(nothing, nothing, nothing).shape == (0, len(PAIR_FEATURES))


@pytest.mark.parametrize("name", PAIR_FEATURES)
def test_one_weight_alone_counts(model: LanguageModel, name: str) -> None:
    option = name.removesuffix("s")
    weights = AffinityWeights(**{option: -2.0})
    assert weights
    w1, w2, words, rows = random_call(300)
    _, added = model.scores_after(model.contexts(w1, w2), words, rows, weights)
    features = model.pair_features(w1[rows, 0], w2[rows, 0], words)
    np.testing.assert_allclose(
        np.asarray(added)[:, 0], -2.0 * features[:, PAIR_FEATURES.index(name)], atol=1e-5
    )
    assert np.any(added)


@pytest.mark.parametrize(
    "name",
    [
        "vector_words",
        *(f"vector_{role}_{part}" for role in ROLES for part in ("codes", "centroids")),
    ],
)
def test_missing_and_misshapen_arrays_are_named(
    vector_arrays: dict[str, NDArray[Any]], name: str
) -> None:
    without = {key: array for key, array in vector_arrays.items() if key != name}
    with pytest.raises(ArtifactError, match=f"word vectors: array '{name}' is missing"):
        WordVectors(without, n_ids=N_WORDS + 2)
    array = vector_arrays[name]
    for changed in (array.astype(np.int64), array[None]):
        with pytest.raises(ArtifactError, match=rf"{name} is \w+ \[.*\], expected \w+ of \d dim"):
            WordVectors({**vector_arrays, name: changed}, n_ids=N_WORDS + 2)
    with pytest.raises(ArtifactError, match=rf"{name}.*; the artifact is damaged or edited"):
        WordVectors({**vector_arrays, name: array[:-1]}, n_ids=N_WORDS + 2)


def test_arrays_that_do_not_fit_together_are_refused(
    stored: Stored, vector_arrays: dict[str, NDArray[Any]]
) -> None:
    arrays, parameters = stored
    one_less = vector_arrays["vector_words"].copy()
    one_less[0] &= one_less[0] - 1
    one_part_less = {
        f"vector_skip_{part}": vector_arrays[f"vector_skip_{part}"][cut]
        for part, cut in (("codes", np.s_[:, 1:]), ("centroids", np.s_[1:]))
    }
    few_centroids = vector_arrays["vector_last_centroids"][:, :255]
    for changed, message in (
        ({"vector_words": one_less}, r"vector_skip_codes are \[\d+, 3\] for \d+ words"),
        ({"vector_last_centroids": few_centroids}, r"vector_last_centroids \[3, 255, 2\]"),
        (one_part_less, r"vectors have \[4, 6, 6\] dimensions"),
        ({"vector_words": np.zeros(7, np.uint8)}, "vector_words has 7 bytes for 42 ids"),
    ):
        with pytest.raises(ArtifactError, match=message):
            LanguageModel({**arrays, **vector_arrays, **changed}, parameters)


@pytest.fixture(scope="module")
def adapted(model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> AdaptedLanguageModel:
    """The new word 3 stands for the base's 1 and 4; those after it have moved up by one."""
    folder = tmp_path_factory.mktemp("domain")
    domain = LanguageModel(*store(random_model(N_WORDS + 1), folder))
    inner = model.logprobs(np.array([-1]), np.array([1]), np.array([4]))
    parts = WordParts(*(np.array([number], dtype=np.int32) for number in (3, 1, 4, 1)), inner)
    weights = np.linspace(0.1, 0.8, 16, dtype=np.float32).reshape(4, 4)
    return AdaptedLanguageModel(model, domain, parts, weights=weights)


def test_adapted_model_gives_what_its_base_does(
    adapted: AdaptedLanguageModel, model: LanguageModel
) -> None:
    def in_base(ids: NDArray[Any], of_new: int) -> NDArray[Any]:
        return np.where(ids == 3, of_new, np.where(ids > 3, ids - 1, ids))

    rng = np.random.default_rng(5)
    w1 = rng.integers(-1, N_WORDS + 1, (7, 20), dtype=np.int32)
    w2 = rng.integers(0, N_WORDS + 2, (7, 20), dtype=np.int32)
    w1[0], w2[1], w2[2, :10] = 3, 3, 3
    words = np.array([3, *rng.integers(0, N_WORDS + 1, 200), adapted.eos_id], dtype=np.int32)
    rows = rng.integers(0, 7, len(words))
    contexts = adapted.contexts(w1, w2)
    logprobs, added = adapted.scores_after(contexts, words, rows, AFFINITY)
    np.testing.assert_array_equal(logprobs, adapted.logprobs_after(contexts, words, rows))
    base_w1, base_w2 = np.where(w2 == 3, 1, in_base(w1, 4)), in_base(w2, 4)
    base_words = in_base(words, 1)
    _, expected = model.scores_after(model.contexts(base_w1, base_w2), base_words, rows, AFFINITY)
    np.testing.assert_array_equal(added, expected)
    np.testing.assert_array_equal(
        adapted.pair_features(w1[rows, 0], w2[rows, 0], words),
        model.pair_features(base_w1[rows, 0], base_w2[rows, 0], base_words),
    )
