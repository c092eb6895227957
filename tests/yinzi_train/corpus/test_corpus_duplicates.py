"""Duplicates: against a slow oracle, and independent of how rows are batched."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinzi_train.corpus.duplicates import find_duplicates, row_keys
from yinzi_train.corpus.options import CorpusOptions

OPTIONS = CorpusOptions()


def content(text: str) -> str:
    return "".join(re.findall(r"[a-z0-9\u4e00-\u9fff]", text.lower()))


def similarity(one: str, two: str) -> float:
    a, b = ({content(t)[i : i + 3] for i in range(len(content(t)) - 2)} for t in (one, two))
    return len(a & b) / len(a | b)


def make_texts(n_texts: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    hanzi = [chr(code) for code in range(0x4E00, 0x4E00 + 3000)]
    texts = ["".join(rng.choices(hanzi, k=rng.randint(12, 80))) for _ in range(n_texts)]
    for at in range(0, n_texts, 3):  # change a few characters of some
        changed = list(texts[at])
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(changed))] = rng.choice(hanzi)
        texts.append("".join(changed))
    return texts


@given(st.lists(st.text(alphabet="我要买票，。 aA1", max_size=6), max_size=40))
def test_exact_duplicates_are_those_of_a_dictionary(texts: list[str]) -> None:
    found = find_duplicates([row_keys(texts, OPTIONS)], OPTIONS)
    first: dict[str, int] = {}
    expected = []
    for at, text in enumerate(texts):
        is_new = content(text) not in first
        expected.append(-1 if is_new else first[content(text)])
        first.setdefault(content(text), at)
    assert found.exact_of.tolist() == expected
    assert set(found.near_of.tolist()) <= {-1}


def test_near_duplicates_are_similar_and_most_similar_rows_are_found() -> None:
    texts = make_texts(900, seed=7)
    near_of = find_duplicates([row_keys(texts, OPTIONS)], OPTIONS).near_of
    pairs = [(at, int(like)) for at, like in enumerate(near_of) if like >= 0]
    assert pairs
    assert all(like < at and near_of[like] < 0 for at, like in pairs)
    assert min(similarity(texts[at], texts[like]) for at, like in pairs) > 0.6
    originals = {900 + at // 3: at for at in range(0, 900, 3)}
    sure = [at for at, like in originals.items() if similarity(texts[at], texts[like]) >= 0.9]
    assert len(sure) > 20
    assert np.mean([near_of[at] >= 0 for at in sure]) > 0.95
    far = [at for at, like in originals.items() if similarity(texts[at], texts[like]) < 0.6]
    assert np.mean([near_of[at] >= 0 for at in far]) < 0.02


@pytest.mark.parametrize("n_batches", [2, 7])
def test_duplicates_do_not_depend_on_batches(n_batches: int) -> None:
    texts = make_texts(300, seed=3)
    texts += texts[:20]
    whole = find_duplicates([row_keys(texts, OPTIONS)], OPTIONS)
    step = len(texts) // n_batches + 1
    keys = [row_keys(texts[at : at + step], OPTIONS) for at in range(0, len(texts), step)]
    parts = find_duplicates(keys, OPTIONS)
    assert np.array_equal(whole.exact_of, parts.exact_of)
    assert np.array_equal(whole.near_of, parts.near_of)
    assert (whole.exact_of >= 0).sum() == 20


def test_short_rows_are_never_near_duplicates() -> None:
    texts = ["我要买三张票去西安", "我要买三张票去西安吧"]
    assert find_duplicates([row_keys(texts, OPTIONS)], OPTIONS).near_of.tolist() == [-1, -1]
    loose = CorpusOptions(near_min_chars=3)
    assert find_duplicates([row_keys(texts, loose)], loose).near_of.tolist() == [-1, 0]


def test_duplicates_can_be_kept() -> None:
    keep = CorpusOptions(drop_exact=False, drop_near=False)
    found = find_duplicates([row_keys(["我要买票"] * 3, keep)], keep)
    assert found.exact_of.tolist() == found.near_of.tolist() == [-1, -1, -1]


def test_no_rows_have_no_duplicates() -> None:
    assert len(find_duplicates([row_keys([], OPTIONS)], OPTIONS).exact_of) == 0


def test_rows_with_line_ends_and_empty_rows_keep_their_place() -> None:
    texts = ["", "我要\n买票", "", "我要买票", ""]
    keys = row_keys(texts, OPTIONS)
    assert keys.n_chars.tolist() == [0, 4, 0, 4, 0]
    assert find_duplicates([keys], OPTIONS).exact_of.tolist() == [-1, -1, 0, 1, 0]
