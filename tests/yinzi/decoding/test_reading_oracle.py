from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.yinzi.decoding.reading_oracle import reading_matches


@dataclass(frozen=True)
class Offer:
    text: str
    syllables: tuple[str, ...]
    start: int
    end: int


@pytest.mark.parametrize(
    ("typed", "text", "spelled", "end", "is_right"),
    [
        ("nihao", "你好", "ni hao", 5, True),
        ("nihao", "你", "ni", 2, True),
        ("nihao", "你", "ni", 3, False),
        ("nihao", "你好", "ni huo", 5, False),
        ("nihao", "你好吗", "ni hao", 5, False),
        ("nh", "你好", "ni hao", 2, True),
        ("nihuo", "你好", "ni hao", 5, False),
        ("ni3 hǎo' ", "你好", "ni hao", 9, True),
        ("ni6", "你6", "ni 6", 3, True),
        ("ni6", "你7", "ni 6", 3, False),
        ("lüe", "略", "lve", 3, True),
        ("lu:e4", "略", "lve", 5, True),
        ("lue", "略", "lve", 3, True),
        ("qve", "却", "que", 3, True),
        ("dianr", "点儿", "dian er", 5, True),
        ("ni", "你", "nü", 2, False),
        ("", "", "", 0, True),
    ],
)
def test_reading_matches(typed: str, text: str, spelled: str, end: int, is_right: bool) -> None:
    assert reading_matches(typed, Offer(text, tuple(spelled.split()), 0, end)) is is_right
