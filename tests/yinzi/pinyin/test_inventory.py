from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinzi.errors import InvalidPinyin
from yinzi.pinyin import SYLLABLES, prefix_range, syllable_id
from yinzi.pinyin.inventory import INITIALS, INTERJECTIONS, ROWS, near_syllables, respell

RARE = (
    "ê m n ng hm hng eng yo lo ei den dia nou cei fiao kei zhei shei pou nun rua biang tei lv nve"
)


def test_syllables_are_sorted_unique_and_about_four_hundred() -> None:
    assert list(SYLLABLES) == sorted(set(SYLLABLES))
    assert 410 <= len(SYLLABLES) <= 440


def test_syllables_hold_the_rare_ones() -> None:
    assert set(RARE.split()) <= set(SYLLABLES)


def test_rows_have_known_initials_and_distinct_parts_and_zhuyin() -> None:
    initials = {row.initial for row in ROWS}
    assert initials == {*INITIALS, ""} - {"y", "w"}
    assert len({(row.initial, row.final) for row in ROWS}) == len(ROWS)
    assert len({row.zhuyin for row in ROWS}) == len(ROWS)
    assert {row.syllable for row in ROWS if not set(row.syllable) & set("aeiouvê")} == INTERJECTIONS


@pytest.mark.parametrize("index", range(0, len(SYLLABLES), 7))
def test_syllable_id_inverts_syllables(index: int) -> None:
    assert syllable_id(SYLLABLES[index]) == index


@pytest.mark.parametrize(
    ("typed", "syllable"),
    [
        ("lue", "lve"),
        ("nue", "nve"),
        ("jv", "ju"),
        ("qvan", "quan"),
        ("xve", "xue"),
        ("yvn", "yun"),
    ],
)
def test_syllable_id_accepts_spelling_variants(typed: str, syllable: str) -> None:
    assert SYLLABLES[syllable_id(typed)] == respell(typed) == syllable


@pytest.mark.parametrize("text", ["", "zho", "ZHONG", "zhong1", "v", "lün", "\0", "音", "n" * 40])
def test_syllable_id_refuses_what_is_no_syllable(text: str) -> None:
    with pytest.raises(InvalidPinyin, match="unknown syllable"):
        syllable_id(text)


def test_prefix_range_is_the_slice_of_every_prefix() -> None:
    prefixes = {syllable[:end] for syllable in SYLLABLES for end in range(len(syllable) + 1)}
    for prefix in prefixes:
        low, high = prefix_range(prefix)
        starting = [index for index, s in enumerate(SYLLABLES) if s.startswith(prefix)]
        assert starting == list(range(low, high))


@given(st.text(max_size=6))
def test_prefix_range_is_empty_for_the_prefix_of_none(prefix: str) -> None:
    low, high = prefix_range(prefix)
    assert low < high or not any(s.startswith(respell(prefix)) for s in SYLLABLES)


@given(st.text(max_size=40))
def test_near_syllables_are_one_to_five_syllables(letters: str) -> None:
    near = near_syllables(letters)
    assert 1 <= len(near) <= 5
    assert set(near) <= set(SYLLABLES)
