"""Read a line of zhuyin: symbols with or without tone signs, or the keys of the Daqian keyboard.

A tone sign ends a syllable. Without tones the symbols of a line run on like letters of pinyin, and
the graph finds the syllables. The first tone has no sign; on keyboards it is a blank. A blank is
read so if the line has a sign for any other tone, else it is a border as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from yinzi.pinyin.edges import EdgeKind, GraphOptions, Proposal
from yinzi.pinyin.inventory import INTERJECTIONS, ROWS
from yinzi.pinyin.key_reading import KeyReader
from yinzi.pinyin.prefix_cover import prefix_cover
from yinzi.pinyin.reading import Span, Stretch
from yinzi.pinyin.scheme import InputScheme
from yinzi.pinyin.syllable import Syllable
from yinzi.pinyin.zhuyin import write_zhuyin

__all__ = ["DAQIAN", "DAQIAN_KEYS", "ZHUYIN", "zhuyin_edges"]

DAQIAN_KEYS: dict[str, str] = dict(
    zip(
        "1qaz2wsxedcrfv5tgbyhnujm8ik,9ol.0p;/-3467",
        "ㄅㄆㄇㄈㄉㄊㄋㄌㄍㄎㄏㄐㄑㄒㄓㄔㄕㄖㄗㄘㄙㄧㄨㄩㄚㄛㄜㄝㄞㄟㄠㄡㄢㄣㄤㄥㄦˇˋˊ˙",
        strict=True,
    )
)
"""What the keys of the standard (Daqian) keyboard type; the blank is the first tone."""

_FROM_DAQIAN = str.maketrans(DAQIAN_KEYS)
_TO_DAQIAN = str.maketrans({symbol: key for key, symbol in DAQIAN_KEYS.items()})
_BY_ZHUYIN = {row.zhuyin: index for index, row in enumerate(ROWS)}
_MAX_SYMBOLS = max(map(len, _BY_ZHUYIN))
_CONSONANTS = "ㄅㄆㄇㄈㄉㄊㄋㄌㄍㄎㄏㄐㄑㄒㄓㄔㄕㄖㄗㄘㄙ"
_INITIALS = {  # ng has a symbol of its own; ㄋ holds it nevertheless, so that it is one range
    symbol: prefix_cover(
        index
        for index, row in enumerate(ROWS)
        if row.zhuyin[0] == symbol or (symbol == "ㄋ" and row.syllable == "ng")
    )
    for symbol in _CONSONANTS
}
_INTERJECTIONS = frozenset(row.zhuyin for row in ROWS if row.syllable in INTERJECTIONS)
_SYMBOL = "[\u3105-\u312f]"
_TOKEN = re.compile(
    rf"(?P<word>(?:(?<!{_SYMBOL})˙)?{_SYMBOL}+)|(?P<tone>[ˉˊˇˋ˙])|(?P<border>[\s'’]+)|(?P<other>.)",
    re.DOTALL,
)


def zhuyin_edges(stretch: Stretch, options: GraphOptions) -> Iterator[Proposal]:
    """Yield the edges of zhuyin symbols: syllables, and initials alone for any syllable.

    ㄓ is both the syllable zhi and the initial zh. The interjections without a vowel cost as much
    as initials, if they have no tone.

    >>> [edge.kind.name for edge in zhuyin_edges(Stretch("ㄓㄨ"), GraphOptions())]
    ['INITIAL', 'FULL', 'FULL', 'FULL']
    """
    symbols, n_symbols = stretch.letters, len(stretch.letters)
    ends_full = any(
        symbols[-length:] in _BY_ZHUYIN and symbols[-length:] not in _INTERJECTIONS
        for length in range(1, min(_MAX_SYMBOLS, n_symbols) + 1)
    )
    for first in range(n_symbols):
        for last in range(first + 1, min(first + _MAX_SYMBOLS, n_symbols) + 1):
            is_last = last == n_symbols
            tone = stretch.final_tone if is_last else 0
            if not first and stretch.tones:
                tone = tone or stretch.tones[0]
            found = symbols[first:last]
            if found in _INITIALS and not tone:
                is_tail = is_last and stretch.is_tail and not ends_full
                logprob = options.tail_logprob if is_tail else options.initial_logprob
                for low, high in _INITIALS[found]:
                    yield Proposal(first, last, low, high, EdgeKind.INITIAL, logprob, 0)
            index = _BY_ZHUYIN.get(found)
            if index is None or (found in _INITIALS and found in _INTERJECTIONS and not tone):
                continue  # ㄇ and ㄋ: the initial holds the interjection
            is_cheap = tone or found not in _INTERJECTIONS
            logprob = 0.0 if is_cheap else options.initial_logprob * len(found)
            yield Proposal(first, last, index, index + 1, EdgeKind.FULL, logprob, tone)


def _takes_tone(symbols: str) -> bool:
    return any(symbols[-n:] in _BY_ZHUYIN for n in range(1, min(_MAX_SYMBOLS, len(symbols)) + 1))


_read_zhuyin = KeyReader(_TOKEN, _takes_tone, has_blank_tone=True)


def _read_daqian(text: str) -> tuple[int, list[Span]]:
    """Read keys as the symbols on them; zhuyin itself is read as well."""
    return _read_zhuyin(text.translate(_FROM_DAQIAN))


def _write_zhuyin(syllable: Syllable) -> str:
    """Return the symbols in the order of typing: the neutral sign last, ˉ for the first tone."""
    symbols = write_zhuyin(syllable.toneless, 0)
    return symbols + "ˉˊˇˋ˙"[syllable.tone - 1] if syllable.tone else symbols


def _write_daqian(syllable: Syllable) -> str:
    return _write_zhuyin(syllable).replace("ˉ", " ").translate(_TO_DAQIAN)


ZHUYIN = InputScheme("zhuyin", (zhuyin_edges,), _read_zhuyin, _write_zhuyin)
"""Zhuyin symbols, tone signs if wanted."""

DAQIAN = InputScheme("daqian", (zhuyin_edges,), _read_daqian, _write_daqian)
"""The standard zhuyin keyboard: `su3cl3` is nihao."""
