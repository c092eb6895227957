from __future__ import annotations

import doctest
import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.yinzi_train.ngram.naive_kneser_ney import NaiveBackoff, NaiveKneserNey
from tests.yinzi_train.ngram.ngram_samples import corpora, count, zipf_sentences
from yinzi.errors import ConfigError
from yinzi_train.ngram import context_slices, discounts, kneser_ney
from yinzi_train.ngram.discounts import modified_discounts
from yinzi_train.ngram.kneser_ney import KneserNeyOptions, estimate

FALLBACK = (0.5, 1.0, 1.5)
BIGRAM_ARRAYS = ("bigram_keys", "bigram_count", "bigram_weighted")


def options(**changes) -> KneserNeyOptions:
    return replace(KneserNeyOptions(discount_fallback=FALLBACK), **changes)


def assert_same(model, naive: NaiveKneserNey) -> None:
    """Stored n-grams are the same; every conditional probability agrees."""
    fast = NaiveBackoff.of(model)
    stored = {g for g in naive.stored if len(g) > 1}
    assert {g for g in fast.logprob if len(g) > 1} == stored
    for context in fast.contexts():
        for word in fast.predicted:
            ngram = (*context, word)
            expected = math.log(naive.probability(ngram))
            assert math.log(fast.probability(ngram)) == pytest.approx(expected, abs=2e-6)
    for ngram, logprob in fast.logprob.items():
        if ngram != (fast.n_words,):  # the sentence start is not predicted
            assert logprob == pytest.approx(math.log(naive.probability(ngram)), abs=1e-6)


def assert_sums_to_one(model) -> None:
    fast = NaiveBackoff.of(model)
    for context in fast.contexts():
        total = sum(fast.probability((*context, word)) for word in fast.predicted)
        assert total == pytest.approx(1.0, abs=2e-6), context


@pytest.mark.parametrize(
    ("weights", "min_count"),
    [
        ((1.0,), (1, 1, 1)),
        ((1.0,), (1, 1, 3)),
        ((1.0,), (2, 2, 2)),
        ((1.0,), (1, 3, 2)),
        ((0.25, 1.0, 4.0), (1, 1, 1)),
        ((0.25, 1.0, 4.0), (1, 2, 3)),
        ((0.0, 1.0), (1, 1, 2)),
    ],
    ids=str,
)
def test_estimate_equals_naive_twin(weights, min_count):
    sentences = zipf_sentences(n_sentences=120, n_words=12, weights=weights)
    model = estimate(count(sentences, 12), options=options(min_count=min_count))
    assert_same(model, NaiveKneserNey(sentences, 12, min_count=min_count, fallback=FALLBACK))
    assert_sums_to_one(model)


def test_estimate_on_enough_text_uses_computed_discounts():
    sentences = zipf_sentences(n_sentences=1500, n_words=500)
    model = estimate(count(sentences, 500))  # without a fallback
    naive = NaiveKneserNey(sentences, 500)
    fast = NaiveBackoff.of(model)
    for ngram in sorted(naive.stored)[::7]:
        expected = math.log(naive.probability(ngram))
        assert fast.logprob[ngram] == pytest.approx(expected, abs=1e-6)


@given(sentences=corpora(), min_count=st.sampled_from([(1, 1, 1), (1, 1, 2), (1, 2, 2), (2, 3, 1)]))
@settings(max_examples=40, deadline=None)
def test_estimate_equals_naive_twin_on_any_corpus(sentences, min_count):
    model = estimate(count(sentences, 4), options=options(min_count=min_count, slice_length=3))
    assert_same(model, NaiveKneserNey(sentences, 4, min_count=min_count, fallback=FALLBACK))
    assert_sums_to_one(model)


def test_estimate_with_floor_counts_equals_naive_twin():
    sentences = zipf_sentences(n_sentences=60, n_words=10)
    floor = np.arange(1.0, 11.0)
    model = estimate(count(sentences, 10), options=options(), unigram_floor_counts=floor)
    assert_same(model, NaiveKneserNey(sentences, 10, fallback=FALLBACK, floor=floor.tolist()))
    assert_sums_to_one(model)


def test_even_floor_counts_change_nothing():
    counts = count(zipf_sentences(n_sentences=60, n_words=10), 10)
    floored = estimate(counts, options=options(), unigram_floor_counts=np.full(10, 7.0))
    plain = estimate(counts, options=options())
    np.testing.assert_allclose(floored.unigram_logprob, plain.unigram_logprob, rtol=1e-6)


def test_equal_weights_of_any_size_change_nothing():
    sentences = zipf_sentences(n_sentences=80, n_words=10)
    plain = estimate(count(sentences, 10), options=options())
    heavy = estimate(count([(words, 5.0) for words, _ in sentences], 10), options=options())
    for name in ("unigram_logprob", "bigram_logprob", "trigram_logprob", "bigram_backoff"):
        np.testing.assert_allclose(getattr(heavy, name), getattr(plain, name), atol=1e-6)


@pytest.mark.parametrize("slice_length", [1, 2, 17, 10_000])
def test_slice_length_does_not_change_the_model(slice_length):
    counts = count(zipf_sentences(n_sentences=100, n_words=15), 15)
    model = estimate(counts, options=options(slice_length=slice_length))
    whole = estimate(counts, options=options())
    for name in ("unigram_logprob", "bigrams", "bigram_backoff", "trigrams", "trigram_logprob"):
        np.testing.assert_allclose(getattr(model, name), getattr(whole, name), rtol=1e-6)


def test_sentence_start_is_never_predicted():
    model = estimate(count(zipf_sentences(n_sentences=30, n_words=6), 6), options=options())
    assert model.unigram_logprob[model.bos_id] == -99.0
    assert not np.any(model.bigrams[:, 1] == model.bos_id)


def test_estimate_leaves_the_counts_alone():
    counts = count(zipf_sentences(n_sentences=30, n_words=6), 6)
    before = replace(counts, **{k: v.copy() for k, v in vars(counts).items() if k != "n_words"})
    estimate(counts, options=options(min_count=(2, 2, 2)))
    for name, array in vars(before).items():
        np.testing.assert_array_equal(array, getattr(counts, name))


def test_min_count_keeps_what_trigrams_need():
    sentences = zipf_sentences(n_sentences=200, n_words=20)
    model = estimate(count(sentences, 20), options=options(min_count=(1, 50, 2)))
    bigrams = set(map(tuple, model.bigrams.tolist()))
    for first, second, third in model.trigrams.tolist():
        assert (first, second) in bigrams
        assert (second, third) in bigrams


def test_discounts_need_counts_of_counts_or_a_fallback():
    assert modified_discounts([0, 1, 1, 1], order=3, fallback=FALLBACK) == FALLBACK
    with pytest.raises(ConfigError, match=r"order 3.*discount_fallback"):
        modified_discounts([0, 1, 1, 1], order=3)
    with pytest.raises(ConfigError, match="no valid discounts"):
        modified_discounts([1, 1, 90, 1], order=2)  # the second discount would be negative


def test_estimate_on_a_tiny_corpus_asks_for_a_fallback():
    with pytest.raises(ConfigError, match="discount_fallback"):
        estimate(count([([0, 1], 1.0)], 2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_count": (0, 1, 1)}, "min_count"),
        ({"min_count": (1, 1)}, "min_count"),
        ({"slice_length": 0}, "slice_length"),
        ({"discount_fallback": (0.5, 1.0, 3.5)}, "discount_fallback"),
        ({"discount_fallback": (0.0, 1.0, 1.5)}, "discount_fallback"),
    ],
    ids=str,
)
def test_options_out_of_range_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        KneserNeyOptions(**changes)


def test_counts_that_do_not_fit_are_refused():
    counts = count([([0, 1, 2], 1.0), ([2, 1], 1.0)], 3)
    no_trigrams = count([([], 1.0)], 3)
    shorter = {name: getattr(counts, name)[:-1] for name in BIGRAM_ARRAYS}
    many = np.full_like(counts.trigram_count, 9)
    with pytest.raises(ConfigError, match="no trigram counts"):
        estimate(no_trigrams, options=options())
    with pytest.raises(ConfigError, match="not sorted"):
        estimate(replace(counts, bigram_keys=counts.bigram_keys[::-1]), options=options())
    with pytest.raises(ConfigError, match="not among"):
        estimate(replace(counts, **shorter), options=options())
    with pytest.raises(ConfigError, match="counted less often"):
        estimate(replace(counts, trigram_count=many), options=options())
    with pytest.raises(ConfigError, match="weighted"):
        estimate(replace(counts, trigram_weighted=-counts.trigram_weighted), options=options())
    with pytest.raises(ConfigError, match="differ in length"):
        estimate(replace(counts, trigram_count=counts.trigram_count[1:]), options=options())


@pytest.mark.parametrize(
    ("floor", "message"),
    [
        (np.ones(4), "shape"),
        (np.array([1.0, -1.0, 1.0]), "negative"),
        (np.array([1.0, np.inf, 1.0]), "infinite"),
        (np.array([1.0, 1.0, 0.0]), r"ids \[2\]"),
    ],
    ids=["shape", "negative", "infinite", "unseen"],
)
def test_floor_counts_that_do_not_fit_are_refused(floor, message):
    counts = count([([0, 1], 1.0)], 3)
    with pytest.raises(ConfigError, match=message):
        estimate(counts, options=options(), unigram_floor_counts=floor)


def test_one_word_after_all_words_has_one_probability_per_context():
    """A vocabulary of one word: everything is that word or the end."""
    model = estimate(count([([0], 1.0), ([0, 0], 1.0)], 1), options=options())
    fast = NaiveBackoff.of(model)
    for context in itertools.product([0, 1], [0]):
        assert fast.probability((*context, 0)) + fast.probability((*context, 2)) == pytest.approx(1)


@pytest.mark.parametrize(
    "module", [kneser_ney, discounts, context_slices], ids=lambda m: m.__name__
)
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0
