from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from yinzi.errors import ConfigError
from yinzi.language_model import LanguageModel
from yinzi_train.ngram.model import NgramModel
from yinzi_train.ngram.tables import (
    TableBits,
    TableOptions,
    fit_levels,
    nearest_levels,
    write_tables,
)

OPTIONS = TableOptions(n_probes=200_000)


def _chain_model(n_words=2000, n_bigrams=20_000, n_trigrams=20_000) -> NgramModel:
    """A random model whose trigrams all are chains of two stored bigrams."""
    rng = np.random.default_rng(0)
    bigrams = np.unique(rng.integers(0, n_words, (n_bigrams, 2), dtype=np.int32), axis=0)
    starts = np.searchsorted(bigrams[:, 0], np.arange(n_words + 1))
    head = rng.integers(0, len(bigrams), n_trigrams)
    middle = bigrams[head, 1]
    n_next = starts[middle + 1] - starts[middle]
    tail = starts[middle] + (rng.random(n_trigrams) * n_next).astype(np.int64)
    has_next = n_next > 0
    head, tail = head[has_next], tail[has_next]
    trigrams = np.unique(np.column_stack([bigrams[head], bigrams[tail, 1]]), axis=0)
    bigram_backoff = np.zeros(len(bigrams), dtype=np.float32)
    bigram_backoff[head] = -rng.random(len(head))

    def logprobs(n, low, high):
        return rng.uniform(low, high, n).astype(np.float32)

    return NgramModel(
        n_words=n_words,
        unigram_logprob=logprobs(n_words + 2, -16, -6),
        unigram_backoff=logprobs(n_words + 2, -3, -0.1),
        bigrams=bigrams,
        bigram_logprob=logprobs(len(bigrams), -9, -1),
        bigram_backoff=bigram_backoff,
        trigrams=trigrams,
        trigram_logprob=logprobs(len(trigrams), -6, -0.1),
    )


@pytest.fixture(scope="module")
def chain_model():
    return _chain_model()


def _load(folder, report):
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in folder.iterdir()}
    return LanguageModel(arrays, report.parameters)


def test_written_logprobs_are_the_models_within_rounding(chain_model, tmp_path):
    report = write_tables(chain_model, tmp_path, options=OPTIONS)
    model = _load(tmp_path, report)
    w1, w2, words = chain_model.trigrams.T
    errors = model.logprobs(w1, w2, words) - chain_model.trigram_logprob
    rmse = np.sqrt(np.mean(errors**2))
    assert rmse == pytest.approx(report.rmse["trigram"], rel=0.05)  # no error from below it
    assert rmse < 0.2
    w2, words = chain_model.bigrams.T
    errors = model.logprobs(np.full_like(w2, -1), w2, words) - chain_model.bigram_logprob
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(report.rmse["bigram"], rel=0.01)


def test_report_counts_sizes_and_false_finds(chain_model, tmp_path):
    report = write_tables(chain_model, tmp_path, options=OPTIONS)
    on_disk = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert report.file_bytes == on_disk
    assert report.total_bytes == sum(on_disk.values())
    assert report.n_ngrams == {
        "bigram": len(chain_model.bigrams),
        "context": int((chain_model.bigram_backoff != 0).sum()),
        "trigram": len(chain_model.trigrams),
    }
    for rate in report.false_positive_rate.values():
        assert rate == pytest.approx(2**-11, rel=0.7)
    assert report.n_dropped_without_suffix == report.n_dropped_without_context == 0


def test_parameters_fit_into_json(chain_model, tmp_path):
    import json

    parameters = write_tables(chain_model, tmp_path, options=OPTIONS).parameters
    assert json.loads(json.dumps(parameters)) == parameters


def test_writing_twice_gives_the_same_bytes(chain_model, tmp_path):
    for name in ("a", "b"):
        write_tables(chain_model, tmp_path / name, options=OPTIONS)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_trigrams_without_stored_bigrams_are_dropped_and_counted(tmp_path):
    model = NgramModel(
        n_words=4,
        unigram_logprob=np.float32([-1, -2, -3, -4, -99, -1]),
        unigram_backoff=np.float32([-0.5, 0, -0.25, 0, 0, 0]),
        bigrams=np.int32([[0, 1], [1, 2], [2, 3]]),
        bigram_logprob=np.float32([-0.5, -0.75, -1.5]),
        bigram_backoff=np.zeros(3, np.float32),
        trigrams=np.int32([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]),
        trigram_logprob=np.float32([-0.125, -0.25, -0.5, -1]),
    )
    report = write_tables(model, tmp_path, options=dataclasses.replace(OPTIONS, n_probes=10))
    assert report.n_dropped_without_suffix == 1  # (1, 3)
    assert report.n_dropped_without_context == 1  # (0, 2)
    assert report.n_ngrams == {"bigram": 3, "context": 2, "trigram": 2}
    loaded = _load(tmp_path, report)
    w1, w2, words = model.trigrams[[0, 3]].T
    np.testing.assert_allclose(loaded.logprobs(w1, w2, words), [-0.125, -1], atol=1e-6)


def test_model_without_bigrams_is_written(tmp_path):
    model = NgramModel(
        n_words=2,
        unigram_logprob=np.float32([-1, -2, -99, -0.5]),
        unigram_backoff=np.zeros(4, np.float32),
        bigrams=np.empty((0, 2), np.int32),
        bigram_logprob=np.empty(0, np.float32),
        bigram_backoff=np.empty(0, np.float32),
        trigrams=np.empty((0, 3), np.int32),
        trigram_logprob=np.empty(0, np.float32),
    )
    loaded = _load(tmp_path, write_tables(model, tmp_path, options=OPTIONS))
    assert loaded.sentence_logprob([0, 1]) == pytest.approx(-3.5)


def test_wider_unigram_codes_round_finer(chain_model, tmp_path):
    wide = dataclasses.replace(OPTIONS, unigram_logprob_bits=16)
    narrow_rmse = write_tables(chain_model, tmp_path / "8", options=OPTIONS).rmse
    wide_rmse = write_tables(chain_model, tmp_path / "16", options=wide).rmse
    assert wide_rmse["unigram_logprob"] < narrow_rmse["unigram_logprob"] / 10


def test_writer_refuses_a_bigram_given_twice(chain_model, tmp_path):
    twice = dataclasses.replace(
        chain_model,
        bigrams=np.concatenate((chain_model.bigrams[:1], chain_model.bigrams)),
        bigram_logprob=np.append(chain_model.bigram_logprob, np.float32(-1)),
        bigram_backoff=np.append(chain_model.bigram_backoff, np.float32(0)),
    )
    with pytest.raises(ValueError, match="occurs twice"):
        write_tables(twice, tmp_path, options=OPTIONS)


def test_writer_refuses_logprobs_that_are_not_finite(chain_model, tmp_path):
    broken = dataclasses.replace(
        chain_model, bigram_logprob=np.full_like(chain_model.bigram_logprob, -np.inf)
    )
    with pytest.raises(ValueError, match="values for bigram are not all finite"):
        write_tables(broken, tmp_path, options=OPTIONS)


def test_levels_round_better_than_equal_steps():
    values = np.random.default_rng(0).gamma(2.0, size=50_000).astype(np.float32)
    levels = fit_levels(values, n_levels=32)
    errors = values - levels[nearest_levels(values, levels)]
    step = (values.max() - values.min()) / 32
    assert np.sqrt(np.mean(errors**2)) < 0.6 * step / np.sqrt(12)


def test_levels_are_the_values_if_these_are_few():
    values = np.float32([2, 0, 2, 1])
    levels = fit_levels(values, n_levels=8)
    assert levels[nearest_levels(values, levels)].tolist() == values.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (lambda: TableBits(0, 11), "value_bits is 0"),
        (lambda: TableBits(5, 20), "5 . 20, expected 8 to 24"),
        (lambda: TableBits(8, 0), "fingerprint of 1 or more"),
        (lambda: TableOptions(unigram_backoff_bits=17), "unigram_backoff_bits is 17"),
        (lambda: TableOptions(n_attempts=0), "n_attempts is 0"),
        (lambda: TableOptions(seed=-1), "seed is -1"),
    ],
    ids=range(6),
)
def test_options_refuse_what_cannot_be(options, message):
    with pytest.raises(ConfigError, match=message):
        options()
