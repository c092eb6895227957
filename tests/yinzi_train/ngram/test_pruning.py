from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.yinzi_train.ngram.naive_kneser_ney import NaiveBackoff
from tests.yinzi_train.ngram.ngram_samples import corpora, count, zipf_sentences
from yinzi.errors import ConfigError
from yinzi_train.ngram import pruning
from yinzi_train.ngram.kneser_ney import KneserNeyOptions, estimate
from yinzi_train.ngram.pruning import (
    HistoryLogprobs,
    history_logprobs,
    model_history_logprobs,
    prune_entropy,
    prune_losses,
)

OPTIONS = KneserNeyOptions(discount_fallback=(0.5, 1.0, 1.5))


def sample(n_sentences: int = 120, n_words: int = 10):
    counts = count(zipf_sentences(n_sentences=n_sentences, n_words=n_words), n_words)
    return counts, estimate(counts, options=OPTIONS)


def assert_sums_to_one(model) -> None:
    fast = NaiveBackoff.of(model)
    for context in fast.contexts():
        total = sum(fast.probability((*context, word)) for word in fast.predicted)
        assert total == pytest.approx(1.0, abs=5e-6), context


def assert_closed(model) -> None:
    bigrams = set(map(tuple, model.bigrams.tolist()))
    for first, second, third in model.trigrams.tolist():
        assert {(first, second), (second, third)} <= bigrams


@pytest.mark.parametrize("order", ["bigrams", "trigrams"])
def test_losses_equal_relative_entropy_over_all_words(order):
    """Drop each n-gram for real and sum p log(p / p') over the vocabulary."""
    counts, model = sample(n_sentences=60, n_words=8)
    history = history_logprobs(model, counts=counts)
    losses = getattr(prune_losses(model, history=history), order.removesuffix("s"))
    if order == "bigrams":  # alone: trigrams would bridge a bigram that is gone
        model.trigrams, model.trigram_logprob = model.trigrams[:0], model.trigram_logprob[:0]
        model.bigram_backoff = np.zeros_like(model.bigram_backoff)
        log_history = history.unigram[model.bigrams[:, 0]]
    else:
        row_of = {tuple(bigram): row for row, bigram in enumerate(model.bigrams.tolist())}
        rows = [row_of[tuple(trigram[:2])] for trigram in model.trigrams.tolist()]
        log_history = history.bigram[rows]
    naive = NaiveBackoff.of(model)
    for ngram, loss, log_h in zip(getattr(model, order).tolist(), losses, log_history, strict=True):
        expected = naive.loss(tuple(ngram), math.exp(log_h))
        assert loss == pytest.approx(expected, rel=1e-3, abs=2e-7)


def test_history_from_counts_is_relative_frequency():
    counts, model = sample()
    history = history_logprobs(model, counts=counts)
    is_context = np.arange(counts.n_words + 2) != counts.eos_id
    assert np.exp(history.unigram[is_context]).sum() == pytest.approx(1.0)
    n_sentences = counts.unigram_count[counts.bos_id]
    n_predicted = counts.unigram_count.sum() - n_sentences
    expected = math.log(n_sentences / n_predicted)
    assert history.unigram[counts.bos_id] == pytest.approx(expected)


@pytest.mark.parametrize("threshold", [0.0, 1e-6, 1e-4, 1e-3, 1e-2, 10.0])
def test_pruned_model_is_closed_and_sums_to_one(threshold):
    counts, model = sample()
    history = history_logprobs(model, counts=counts)
    pruned = prune_entropy(model, threshold=threshold, history=history)
    assert_closed(pruned)
    assert_sums_to_one(pruned)
    assert len(pruned.bigrams) <= len(model.bigrams)


@given(sentences=corpora(n_words=3), threshold=st.sampled_from([1e-4, 1e-3, 1e-2, 0.1]))
@settings(max_examples=30, deadline=None)
def test_pruning_any_model_keeps_sums(sentences, threshold):
    model = estimate(count(sentences, 3), options=OPTIONS)
    pruned = prune_entropy(model, threshold=threshold)
    assert_closed(pruned)
    assert_sums_to_one(pruned)


def test_pruning_everything_leaves_unigrams():
    _, model = sample()
    pruned = prune_entropy(model, n_ngrams=0)
    assert len(pruned.bigrams) == len(pruned.trigrams) == 0
    assert not pruned.unigram_backoff.any()
    np.testing.assert_array_equal(pruned.unigram_logprob, model.unigram_logprob)


def test_pruning_nothing_returns_an_equal_model():
    _, model = sample()
    n_ngrams = len(model.bigrams) + len(model.trigrams)
    for target in (n_ngrams, (len(model.bigrams), len(model.trigrams)), 10 * n_ngrams):
        pruned = prune_entropy(model, n_ngrams=target)
        for name, array in vars(model).items():
            np.testing.assert_array_equal(getattr(pruned, name), array)


@pytest.mark.parametrize("n_ngrams", [1, 2, 10, 50, 100])
def test_total_target_is_met(n_ngrams):
    _, model = sample()
    pruned = prune_entropy(model, n_ngrams=n_ngrams)
    n_kept = len(pruned.bigrams) + len(pruned.trigrams)
    # A bigram that lives by its trigram's loss ties with it: they come and go together.
    assert n_ngrams - 3 <= n_kept <= n_ngrams
    assert_closed(pruned)


def test_targets_by_order_are_met():
    _, model = sample()
    pruned = prune_entropy(model, n_ngrams=(40, 25))
    assert (len(pruned.bigrams), len(pruned.trigrams)) == (40, 25)
    assert_closed(pruned)
    assert_sums_to_one(pruned)


def test_too_few_bigrams_for_the_trigrams_are_refused():
    _, model = sample()
    with pytest.raises(ConfigError, match="more bigrams or fewer trigrams"):
        prune_entropy(model, n_ngrams=(2, 40))


def test_total_target_equals_its_threshold():
    _, model = sample()
    losses = prune_losses(model)
    by_number = prune_entropy(model, n_ngrams=80, losses=losses)
    smallest = min(
        loss
        for trigram, loss in zip(model.trigrams.tolist(), losses.trigram, strict=True)
        if trigram in by_number.trigrams.tolist()
    )
    by_threshold = prune_entropy(model, threshold=np.nextafter(smallest, 0), losses=losses)
    np.testing.assert_array_equal(by_threshold.trigrams, by_number.trigrams)


def test_pruning_by_entropy_loses_less_than_the_worst_choice():
    """Cross-entropy on the training text: the least useful n-grams against the most useful."""
    counts, model = sample(n_sentences=300, n_words=20)
    history = history_logprobs(model, counts=counts)
    losses = prune_losses(model, history=history)
    n_trigrams = len(model.trigrams) // 2
    best = prune_entropy(model, n_ngrams=(len(model.bigrams), n_trigrams), losses=losses)
    worst_losses = pruning.PruneLosses(bigram=losses.bigram, trigram=-losses.trigram + 1.0)
    worst = prune_entropy(model, n_ngrams=(len(model.bigrams), n_trigrams), losses=worst_losses)

    def cross_entropy(m) -> float:
        naive = NaiveBackoff.of(m)
        keys = model.trigrams.tolist()
        return -sum(
            c * math.log(naive.probability(tuple(k)))
            for k, c in zip(keys, counts.trigram_count.tolist(), strict=True)
        )

    assert cross_entropy(model) <= cross_entropy(best) < cross_entropy(worst)


def test_slices_do_not_change_the_result(monkeypatch):
    _, model = sample()
    whole = prune_entropy(model, n_ngrams=90)
    monkeypatch.setattr(pruning, "_SLICE_LENGTH", 5)
    sliced = prune_entropy(model, n_ngrams=90)
    for name, array in vars(whole).items():
        np.testing.assert_array_equal(getattr(sliced, name), array)


def test_pruning_leaves_its_input_alone():
    _, model = sample()
    before = {name: np.copy(array) for name, array in vars(model).items()}
    prune_entropy(model, n_ngrams=20)
    for name, array in before.items():
        np.testing.assert_array_equal(getattr(model, name), array)


@pytest.mark.parametrize(
    "settings_",
    [
        {},
        {"threshold": 1e-8, "n_ngrams": 5},
        {"threshold": -1.0},
        {"n_ngrams": -1},
        {"n_ngrams": (3, -1)},
    ],
    ids=str,
)
def test_settings_that_clash_or_are_out_of_range_are_refused(settings_):
    _, model = sample(n_sentences=10)
    with pytest.raises(ConfigError, match="threshold"):
        prune_entropy(model, **settings_)


def test_history_and_losses_of_another_model_are_refused():
    counts, model = sample()
    _, other = sample(n_sentences=10)
    with pytest.raises(ConfigError, match="history"):
        prune_entropy(other, threshold=1e-6, history=history_logprobs(model, counts=counts))
    with pytest.raises(ConfigError, match="losses"):
        prune_entropy(other, threshold=1e-6, losses=prune_losses(model))


def test_contexts_that_never_occur_cost_nothing():
    _, model = sample(n_sentences=20)
    history = model_history_logprobs(model)
    never = HistoryLogprobs(
        unigram=np.full_like(history.unigram, -np.inf),
        bigram=np.full_like(history.bigram, -np.inf),
    )
    losses = prune_losses(model, history=never)
    assert not losses.bigram.any()
    assert not losses.trigram.any()
