"""Write numbers in hanzi: as spoken, digit by digit, and as on cheques."""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_DIGITS", "formal_numeral", "spelled_numeral", "spoken_numeral"]

MAX_DIGITS: Final = 12
"""Longest number that has a spoken form here: below 万亿."""

_DIGITS: Final = "零一二三四五六七八九"
_SMALL_UNITS: Final = ("", "十", "百", "千")
_LARGE_UNITS: Final = ("", "万", "亿")
_FORMAL: Final = str.maketrans("零一二三四五六七八九十百千", "零壹贰叁肆伍陆柒捌玖拾佰仟")


def spelled_numeral(digits: str) -> str:
    """Return digits one by one, zero as 〇, as years are written.

    >>> spelled_numeral("2026")
    '二〇二六'
    """
    return "".join("〇" if digit == "0" else _DIGITS[int(digit)] for digit in digits)


def spoken_numeral(digits: str) -> str:
    """Return a whole number as it is said.

    >>> spoken_numeral("123"), spoken_numeral("10"), spoken_numeral("20050")
    ('一百二十三', '十', '两万零五十')

    Raises:
        ValueError: there are no ASCII digits, something else, or more than `MAX_DIGITS`.
    """
    text = _numeral(digits)
    if text.startswith("一十"):
        return text[1:]
    # 二 before 千, 万 and 亿 is said 两, at the front at least.
    return "两" + text[1:] if text[:1] == "二" and text[1:2] in tuple("千万亿") else text


def formal_numeral(digits: str) -> str:
    """Return a whole number in the digits that cannot be altered, as on cheques.

    >>> formal_numeral("123"), formal_numeral("10")
    ('壹佰贰拾叁', '壹拾')

    Raises:
        ValueError: as for `spoken_numeral`.
    """
    return _numeral(digits).translate(_FORMAL)


def _numeral(digits: str) -> str:
    if not (digits.isascii() and digits.isdigit()) or len(digits) > MAX_DIGITS:
        raise ValueError(f"{digits!r} is no number of 1 to {MAX_DIGITS} ASCII digits")
    digits = digits.lstrip("0")
    if not digits:
        return _DIGITS[0]
    width = -len(digits) % 4
    groups = [("0" * width + digits)[at : at + 4] for at in range(0, len(digits) + width, 4)]
    text = ""
    has_gap = False
    for unit, group in zip(reversed(_LARGE_UNITS[: len(groups)]), groups, strict=True):
        if not int(group):
            has_gap = True
            continue
        if text and (has_gap or group[0] == "0"):
            text += _DIGITS[0]
        text += _group(group) + unit
        has_gap = False
    return text


def _group(group: str) -> str:
    """Return four digits, not all zero, without zeros at either end."""
    text = ""
    is_gap = False
    for digit, unit in zip(group, reversed(_SMALL_UNITS), strict=True):
        if digit == "0":
            is_gap = bool(text)
            continue
        text += (_DIGITS[0] if is_gap else "") + _DIGITS[int(digit)] + unit
        is_gap = False
    return text
