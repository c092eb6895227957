from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.yinzi.language_model.naive_fuse import naive_lookup
from yinzi.errors import ArtifactError
from yinzi.language_model.cells import open_cells, pack_cells
from yinzi.language_model.fuse import FuseShape, FuseTable
from yinzi_train.ngram.tables import TableBits, build_fuse_cells

_IDS = st.integers(0, 2**21 - 1)


def _build(ngrams, codes, value_bits=5, fingerprint_bits=11, seed=1):
    return build_fuse_cells(
        ngrams, codes, bits=TableBits(value_bits, fingerprint_bits), seed=seed, n_attempts=50
    )


def _lookup(table, ngrams):
    parts = [table.multipliers.part(c, i) for i, c in enumerate(reversed(ngrams.T))]
    return table.lookup(sum(parts[1:], parts[0]))


def _random_ngrams(n, order=2, n_ids=3000, seed=0):
    ngrams = np.random.default_rng(seed).integers(0, n_ids, (n, order), dtype=np.int32)
    return np.unique(ngrams, axis=0)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 3).flatmap(
        lambda order: st.dictionaries(st.tuples(*[_IDS] * order), st.integers(0, 31), min_size=1)
    ),
    st.integers(0, 2**53),
)
def test_lookup_finds_every_stored_ngram_with_its_code(code_by_ngram, seed):
    ngrams = np.array(list(code_by_ngram), dtype=np.int32)
    codes = np.array(list(code_by_ngram.values()))
    cells, parameters = _build(ngrams, codes, seed=seed)
    assert _lookup(FuseTable(cells, parameters, name="t"), ngrams).tolist() == codes.tolist()


@pytest.mark.parametrize("width", range(8, 25))
def test_lookup_agrees_with_the_naive_twin(width):
    ngrams = _random_ngrams(300, order=2 + width % 2)
    codes = np.arange(len(ngrams)) % 16
    cells, parameters = _build(ngrams, codes, value_bits=4, fingerprint_bits=width - 4)
    cells.flags.writeable = False
    table = FuseTable(cells, parameters, name="t")
    asked = np.concatenate((ngrams, _random_ngrams(300, ngrams.shape[1], 2**21 - 1, seed=1)))
    expected = [naive_lookup(cells, parameters, ngram.tolist()) for ngram in asked]
    given_codes = [int(code) if code < 16 else None for code in _lookup(table, asked)]
    assert given_codes == expected
    assert given_codes[: len(ngrams)] == codes.tolist()


@pytest.mark.parametrize("bits", [(5, 3), (5, 11), (4, 8), (6, 6)])
def test_lookup_finds_unknown_ngrams_as_often_as_the_fingerprint_says(bits):
    ngrams = _random_ngrams(20_000)
    cells, parameters = _build(ngrams, np.arange(len(ngrams)) % 2 ** bits[0], *bits)
    table = FuseTable(cells, parameters, name="t")
    n_probes = 400_000
    probes = _random_ngrams(n_probes, seed=2) + np.int32([3000, 0])
    rate = (_lookup(table, probes) < table.n_codes).mean()
    expected = 2.0 ** -bits[1]
    assert abs(rate - expected) < 6 * np.sqrt(expected / len(probes))


def test_build_is_the_same_for_any_order_of_ngrams():
    ngrams = _random_ngrams(2000)
    codes = np.arange(len(ngrams)) % 32
    shuffled = np.random.default_rng(0).permutation(len(ngrams))
    cells, parameters = _build(ngrams, codes)
    again, parameters_again = _build(ngrams[shuffled], codes[shuffled])
    np.testing.assert_array_equal(cells, again)
    assert parameters == parameters_again


def test_build_stays_near_one_and_an_eighth_cells_an_ngram():
    assert FuseShape.for_keys(5_000_000).n_cells < 1.135 * 5_000_000


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10])
def test_build_takes_few_ngrams(n):
    ngrams = np.stack([np.arange(n), np.arange(n) + 1], axis=1).astype(np.int32)
    cells, parameters = _build(ngrams, np.arange(n))
    table = FuseTable(cells, parameters, name="t")
    assert _lookup(table, ngrams).tolist() == list(range(n))


def test_build_refuses_an_ngram_given_twice():
    with pytest.raises(ValueError, match=r"n-gram \[1, 2\] occurs twice"):
        _build(np.array([[1, 2], [3, 4], [1, 2]], dtype=np.int32), np.array([0, 0, 0]))


@given(st.integers(8, 24), st.lists(st.integers(0, 2**24 - 1), max_size=40))
def test_packed_cells_come_back(width, cells):
    cells = np.array(cells, dtype=np.uint32) & np.uint32((1 << width) - 1)
    stored = pack_cells(cells, width=width)
    opened = open_cells(stored, width=width, n_cells=cells.size, name="c")
    assert opened.take(np.arange(cells.size)).tolist() == cells.tolist()
    start = cells.size // 2
    assert (
        opened.after(start).take(np.arange(cells.size - start)).tolist() == cells[start:].tolist()
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": None}, "parameter seed of t is None"),
        ({"seed": -1}, "parameter seed of t is -1"),
        ({"segment_length": 12}, "segment_length of t is 12"),
        ({"n_segments": 0}, "parameter n_segments of t is 0"),
        ({"n_segments": 5000}, "t is uint16"),
        ({"fingerprint_bits": 30}, "t has cells of 35 bits"),
        ({"fingerprint_bits": 12}, "t is uint16"),
        ({"value_bits": True}, "parameter value_bits of t is True"),
    ],
)
def test_table_refuses_parameters_that_do_not_fit(change, message):
    cells, parameters = _build(_random_ngrams(100), np.zeros(100, dtype=np.int64))
    with pytest.raises(ArtifactError, match=message):
        FuseTable(cells, {**parameters, **change}, name="t")
