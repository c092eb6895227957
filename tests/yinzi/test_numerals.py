from __future__ import annotations

import pytest

from yinzi.numerals import MAX_DIGITS, formal_numeral, spelled_numeral, spoken_numeral


@pytest.mark.parametrize(
    ("digits", "spoken", "formal"),
    [
        ("0", "零", "零"),
        ("007", "七", "柒"),
        ("10", "十", "壹拾"),
        ("15", "十五", "壹拾伍"),
        ("101", "一百零一", "壹佰零壹"),
        ("110", "一百一十", "壹佰壹拾"),
        ("2000", "两千", "贰仟"),
        ("10010", "一万零一十", "壹万零壹拾"),
        ("100000", "十万", "壹拾万"),
        ("20300000", "两千零三十万", "贰仟零叁拾万"),
        ("100000001", "一亿零一", "壹亿零壹"),
        ("120000000000", "一千二百亿", "壹仟贰佰亿"),
    ],
)
def test_numbers(digits: str, spoken: str, formal: str) -> None:
    assert (spoken_numeral(digits), formal_numeral(digits)) == (spoken, formal)


def test_spelled_numeral() -> None:
    assert spelled_numeral("2026") == "二〇二六"


@pytest.mark.parametrize("text", ["", "1a", "-1", "１２", "²", "1" * (MAX_DIGITS + 1)])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        spoken_numeral(text)
