from __future__ import annotations

import pytest

from yinzi.converter import Converter
from yinzi.pinyin.english import MIXED_PINYIN


@pytest.fixture(scope="module")
def mixed(converter: Converter) -> Converter:
    return converter.with_scheme(MIXED_PINYIN)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("womaiiphone", "我买iphone"),
        ("womaiiPhone", "我买iPhone"),
        ("kfcwoyao", "kfc我要"),
        ("woyaomaijipiao", "我要买机票"),
        ("women", "我们"),
        ("wo3yao4mai3ji1piao4", "我要买机票"),
        ("womaiKFCjipiao", "我买KFC机票"),
        ("hello ni hao", "hello你好"),
    ],
)
def test_english_passes_and_pinyin_is_converted(mixed: Converter, typed: str, text: str) -> None:
    assert mixed.convert(typed, n_best=1)[0].text == text


def test_a_stray_digit_is_offered_as_a_number_too(mixed: Converter) -> None:
    texts = [candidate.text for candidate in mixed.convert("mai3piao", n_best=5)]
    assert "买票" in texts
    assert "买3票" in texts


def test_an_english_word_can_be_chosen_first(mixed: Converter) -> None:
    found = [one for one in mixed.candidates("iphonewoyao") if one.kind == "word"]
    assert ("iphone", 0, 6) in {(one.text, one.start, one.end) for one in found}
    assert next(one.text for one in found if one.text.isascii()) == "iphone"


@pytest.mark.parametrize("line", ["womaiiphone3ge", "woKFCmai3 piao", "iphoneapp,wo", "mai3mai4m"])
def test_letter_by_letter_equals_from_scratch(mixed: Converter, line: str) -> None:
    typing = mixed.type_keys()
    for end in range(len(line) + 1):
        assert typing.update(line[:end]) == mixed.candidates(line[:end])


def test_batches_equal_single_lines(mixed: Converter) -> None:
    lines = ["womaiiphone", "mai3piao", "kfc", "woyaoKFC", "ni hao"]
    assert mixed.convert_batch(lines) == [mixed.convert(line) for line in lines]
