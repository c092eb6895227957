from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.yinzi_train.dataset.augmentation_samples import row_of, table_of
from yinzi.pinyin import SYLLABLES
from yinzi_train.dataset.augmentation_marks import BorderOptions, apply_borders
from yinzi_train.dataset.augmentation_rows import TypedRows
from yinzi_train.dataset.augmentation_typing import (
    ERROR_KINDS,
    TypingErrorOptions,
    apply_typing_errors,
    key_neighbours,
    wrong_spelling,
)

UNIT = st.floats(0, 1, exclude_max=True)


def test_neighbours_are_mutual_and_touch() -> None:
    neighbours = key_neighbours()
    assert set(neighbours) == set("abcdefghijklmnopqrstuvwxyz")
    for key, near in neighbours.items():
        assert 2 <= len(near) <= 6
        assert all(key in neighbours[other] for other in near)
    assert set(neighbours["g"]) == set("ftyhvb")
    assert set(neighbours["q"]) == set("wa")


@settings(deadline=None)
@given(st.sampled_from(SYLLABLES), st.sampled_from(ERROR_KINDS), UNIT, UNIT)
def test_an_error_is_one_edit_of_its_kind(
    letters: str, kind: str, letter: float, key: float
) -> None:
    made = wrong_spelling(letters, kind, letter=letter, key=key)
    if made is None:
        assert "ê" in letters
        return
    assert made.before == letters
    assert made.after not in ("", letters)
    grown = {"omission": -1, "doubling": 1, "insertion": 1}.get(made.kind, 0)
    assert len(made.after) == len(letters) + grown
    neighbours = key_neighbours()
    if made.kind == "neighbour":
        different = [pair for pair in zip(letters, made.after, strict=True) if pair[0] != pair[1]]
        assert len(different) == 1
        assert different[0][1] in neighbours[different[0][0]]
    elif made.kind == "swap":
        assert sorted(made.after) == sorted(letters)
    else:
        short, long = sorted((letters, made.after), key=len)
        assert any(long[:i] + long[i + 1 :] == short for i in range(len(long)))
        if made.kind == "insertion":
            new = (Counter(long) - Counter(short)).elements()
            assert any(new_key in neighbours[old] for new_key in new for old in letters)


@pytest.mark.parametrize(("letters", "kind"), [("a", "omission"), ("a", "swap"), ("mm", "swap")])
def test_what_cannot_happen_becomes_a_neighbour(letters: str, kind: str) -> None:
    made = wrong_spelling(letters, kind, letter=0.0, key=0.4)
    assert made is not None
    assert made.kind == "neighbour"


def test_letters_without_a_key_are_left() -> None:
    assert wrong_spelling("ê", "doubling", letter=0.0, key=0.0) is None


def test_rate_is_that_of_letters() -> None:
    table = table_of([row_of(f"t:{i}", "wo3 zhuang1") for i in range(5000)])
    rows = apply_typing_errors(TypedRows.from_table(table), TypingErrorOptions(rate=0.02))
    by_position = Counter(int(rows.positions[place]) for place in rows.wrong_letters)
    assert by_position[0] / 5000 == pytest.approx(1 - 0.98**2, abs=0.01)
    assert by_position[1] / 5000 == pytest.approx(1 - 0.98**6, abs=0.02)
    kinds = Counter(wrong.kind for wrong in rows.wrong_letters.values())
    for kind, share in TypingErrorOptions().shares.items():
        assert kinds[kind] / sum(kinds.values()) == pytest.approx(share, abs=0.05)


def test_errors_come_on_top_of_other_operations() -> None:
    table = table_of([row_of(f"t:{i}", "zhong1 guo2") for i in range(200)])
    rows = apply_borders(TypedRows.from_table(table), BorderOptions(rate=1))
    cut = replace(rows, n_letters=rows.n_letters - 1)
    wrong = apply_typing_errors(cut, TypingErrorOptions(rate=0.2)).wrong_letters.values()
    assert {error.before for error in wrong} == {"zhon", "gu"}
