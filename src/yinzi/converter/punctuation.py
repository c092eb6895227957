"""Turn ASCII punctuation among hanzi into Chinese punctuation.

Numbers, addresses and file names keep theirs (`3.14`, `12:30`, `a@b.com`), and so do marks between
Latin words: only marks that hanzi stand beside, or that end a text with hanzi in it, are changed;
and quotes, which come in pairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from yinzi.text import is_hanzi

__all__ = ["CHINESE_FORMS", "QUOTES", "chinese_punctuation"]

_PROTECTED = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]*[A-Za-z0-9/]"  # addresses with a scheme
    r"|www\.[!-~]*[A-Za-z0-9/]"
    r"|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"  # e-mail
    r"|[0-9]+(?:[.,:/-][0-9]+)+%?"  # numbers, times, dates
    r"|[A-Za-z0-9_]+(?:[.'/\\_:-][A-Za-z0-9_]+)+"  # file names, versions, don't
)
_MARK = re.compile(r"\.{3,}|-{2,}|[,.!?:;()<>\"'\\]")
CHINESE_FORMS: Final = {
    ",": "，",
    ".": "。",
    "!": "！",
    "?": "？",
    ":": "：",
    ";": "；",
    "(": "（",
    ")": "）",
    "<": "《",
    ">": "》",
    "\\": "、",
}
QUOTES: Final = {'"': "“”", "'": "‘’"}
_CHINESE_MARKS: Final = frozenset("，。！？：；（）《》、“”‘’…—")
_OPENING: Final = frozenset("（《“‘")


def chinese_punctuation(text: str, *, left_context: str = "") -> str:
    """Return a text with Chinese punctuation where it is Chinese.

    Quotes are paired, counting those of the text before. Blanks beside a changed mark go.

    >>> chinese_punctuation('他说:"你好,iPhone 3.5!"')
    '他说：“你好，iPhone 3.5！”'
    >>> chinese_punctuation("Hello, world. a@b.com")
    'Hello, world. a@b.com'

    Args:
        text: what is changed.
        left_context: text before it, which tells beside what it begins; it is not returned.
    """
    whole = left_context + text
    if not any(is_hanzi(char) for char in whole):
        return text
    kept = [match.span() for match in _PROTECTED.finditer(whole)]
    is_open = {
        quote: sum(left_context.count(char) for char in (quote, *pair)) % 2 == 1
        for quote, pair in QUOTES.items()
    }
    parts: list[str] = []
    position = len(left_context)
    for match in _MARK.finditer(whole, len(left_context)):
        start, end = match.span()
        mark = match.group()
        if any(low <= start < high for low, high in kept):
            continue
        if mark not in QUOTES and not _is_chinese(whole, start, end):
            continue
        if mark in QUOTES:
            changed = QUOTES[mark][is_open[mark]]
            is_open[mark] = not is_open[mark]
        elif mark in CHINESE_FORMS:
            changed = CHINESE_FORMS[mark]
        else:
            changed = "……" if mark[0] == "." else "——"
        before = whole[position:start]
        parts += [before if changed in _OPENING else before.rstrip(" "), changed]
        position = end
        while changed not in _OPENING | {"”", "’"} and whole[position : position + 1] == " ":
            position += 1
    parts.append(whole[position:])
    return "".join(parts)


def _is_chinese(text: str, start: int, end: int) -> bool:
    """Tell whether the nearest character on either side that is no mark or blank is a hanzi."""
    before = _nearest(reversed(text[:start]))
    after = _nearest(text[end:])
    return _is_of_chinese(before) or _is_of_chinese(after) or not after


def _nearest(chars: Iterable[str]) -> str:
    for char in chars:
        if not char.isspace() and not _MARK.fullmatch(char):
            return char
    return ""


def _is_of_chinese(char: str) -> bool:
    return is_hanzi(char) or (char != "" and char in _CHINESE_MARKS)
