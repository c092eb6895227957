"""Read and write zhuyin (bopomofo) of one syllable.

Zhuyin leaves the first tone without a sign, so it cannot say that a tone is not known: no sign
reads as tone 1.
"""

from __future__ import annotations

import re

from yinzi.errors import InvalidPinyin
from yinzi.pinyin.inventory import ROWS

__all__ = ["is_zhuyin", "read_zhuyin", "write_zhuyin"]

_SIGNS = {"ˉ": 1, "ˊ": 2, "ˇ": 3, "ˋ": 4, "˙": 5}
_NEUTRAL_SIGN = "˙"
_AFTER = ("", "", "ˊ", "ˇ", "ˋ")  # by tone; the neutral sign stands before the syllable
_TO_ZHUYIN = {row.syllable: row.zhuyin for row in ROWS}
_FROM_ZHUYIN = {row.zhuyin: row.syllable for row in ROWS}
_SIGN_OR_SYMBOL = re.compile("[\u3105-\u312fˉˊˇˋ˙]")


def is_zhuyin(text: str) -> bool:
    """Tell whether the text starts like zhuyin: with one of its symbols or tone signs.

    >>> is_zhuyin("ㄓㄨㄥ"), is_zhuyin("˙ㄇㄚ"), is_zhuyin("zhong")
    (True, True, False)
    """
    return _SIGN_OR_SYMBOL.match(text) is not None


def write_zhuyin(syllable: str, tone: int) -> str:
    """Return the zhuyin of a toneless syllable of the inventory with the sign of its tone.

    The neutral sign stands first, as in printed books; tones 0 and 1 have none.

    >>> write_zhuyin("zhong", 4), write_zhuyin("ma", 5), write_zhuyin("lv", 1)
    ('ㄓㄨㄥˋ', '˙ㄇㄚ', 'ㄌㄩ')
    """
    symbols = _TO_ZHUYIN[syllable]
    return _NEUTRAL_SIGN + symbols if tone == 5 else symbols + _AFTER[tone]


def read_zhuyin(text: str) -> tuple[str, int]:
    """Return the toneless syllable and the tone of one syllable in zhuyin.

    The neutral sign may stand before or after; ˉ is accepted for tone 1.

    >>> read_zhuyin("ㄌㄩˋ"), read_zhuyin("ㄇㄚ˙"), read_zhuyin("ㄓ")
    (('lv', 4), ('ma', 5), ('zhi', 1))

    Raises:
        InvalidPinyin: the text is not one zhuyin syllable with at most one tone sign.
    """
    if text[:1] == _NEUTRAL_SIGN:
        symbols, tone = text[1:], 5
    elif text[-1:] in _SIGNS:
        symbols, tone = text[:-1], _SIGNS[text[-1]]
    else:
        symbols, tone = text, 1
    syllable = _FROM_ZHUYIN.get(symbols)
    if syllable is None:
        known = max(end for end in range(len(symbols) + 1) if _starts_syllable(symbols[:end]))
        near = sorted(zhuyin for zhuyin in _FROM_ZHUYIN if zhuyin.startswith(symbols[:known]))[:5]
        position = known + (text[:1] == _NEUTRAL_SIGN) + 1
        raise InvalidPinyin(
            f"cannot read {text!r} as one zhuyin syllable at symbol {position}: "
            f"expected a syllable such as {' '.join(near)} "
            "and at most one tone sign (ˊ ˇ ˋ after it, ˙ before or after it)"
        )
    return syllable, tone


def _starts_syllable(symbols: str) -> bool:
    return any(zhuyin.startswith(symbols) for zhuyin in _FROM_ZHUYIN)
