"""Map the punctuation of a keyboard to Chinese forms."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from yinzi.converter.punctuation import CHINESE_FORMS, QUOTES

__all__ = ["CHINESE_PUNCTUATION", "chinese_punctuation"]

CHINESE_PUNCTUATION: Final[Mapping[str, str | tuple[str, str]]] = MappingProxyType(
    {
        **CHINESE_FORMS,
        "[": "【",
        "]": "】",
        "^": "……",
        "_": "——",
        "$": "￥",
        "~": "～",
        "`": "·",
        **{key: (pair[0], pair[1]) for key, pair in QUOTES.items()},
    }
)
"""Chinese forms by key; two forms take turns, an opening and a closing one."""

_IN_NUMBERS: Final = ".,:"


def chinese_punctuation(
    key: str, *, left_context: str, open_quotes: frozenset[str]
) -> tuple[str, frozenset[str]]:
    """Return what a key writes, and the quotes that are open after it.

    A point, comma or colon directly behind a digit stays as it is, as in 3.14 and 12:30.

    >>> chinese_punctuation(".", left_context="是", open_quotes=frozenset())[0]
    '。'
    >>> chinese_punctuation(".", left_context="3", open_quotes=frozenset())[0]
    '.'

    Args:
        key: a character.
        left_context: the text before it.
        open_quotes: keys of the quotes that were opened and not closed.
    """
    form = CHINESE_PUNCTUATION.get(key, key)
    last = left_context[-1:]
    if key in _IN_NUMBERS and last.isascii() and last.isdigit():
        return key, open_quotes
    if isinstance(form, str):
        return form, open_quotes
    if key in open_quotes:
        return form[1], open_quotes - {key}
    return form[0], open_quotes | {key}
