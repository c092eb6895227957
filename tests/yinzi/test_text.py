from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinzi.text import is_hanzi, miu_spans, normalize


@pytest.mark.parametrize(
    "char",
    ["一", "音", "鿿", "㐀", "〇", "\U00020000", "\U0002b740", "\U00030000", "\U00031350", "﨎"],
)
def test_is_hanzi_accepts_every_block(char: str) -> None:
    assert is_hanzi(char)


@pytest.mark.parametrize(
    "char", ["", "a", "音字", "，", "々", "⺀", "あ", "한", "ㄓ", "１", "\0", "😀", "\ud800"]
)
def test_is_hanzi_refuses_everything_else(char: str) -> None:
    assert not is_hanzi(char)


@given(st.text(alphabet=st.sampled_from("音字〇a ，\0😀𠀀"), max_size=30))
def test_miu_spans_are_the_maximal_runs(text: str) -> None:
    inside = {position for start, end in miu_spans(text) for position in range(start, end)}
    assert inside == {position for position, char in enumerate(text) if is_hanzi(char)}
    ends = [position for span in miu_spans(text) for position in span]
    assert all(left < right for left, right in pairwise(ends))


@given(st.text())
def test_normalize_is_nfc_and_idempotent(text: str) -> None:
    assert normalize(text) == unicodedata.normalize("NFC", text)
    assert normalize(normalize(text)) == normalize(text)


def test_normalize_keeps_compatibility_forms() -> None:
    assert normalize("ｎｉ①") == "ｎｉ①"
