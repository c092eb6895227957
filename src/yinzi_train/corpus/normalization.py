"""Normalise characters, punctuation and script.

Characters: NFC; control characters, zero-width and direction marks go; every kind of white space
becomes one blank; full-width letters, digits, ＠, ％ and ． become ASCII (a habit of typing that
carries no meaning).

Punctuation: comma, semicolon, colon, question and exclamation mark, and brackets that touch a hanzi
become full-width, because that is what people type in Chinese; a full stop after a hanzi becomes
"。"; runs of marks are shortened. Between letters and digits nothing changes (3.5, 10:30, e.g.).

Script: OpenCC converts a row only if it holds a character that simplified text does not have. Run
over simplified text it would do harm: of 424,156 rows of simplified corpora it changed 351, most of
them wrongly (徵 in names, 刘乾 to 刘干, 打坏 to 打坯); with this rule it changes 193.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import opencc

from yinzi.text import normalize
from yinzi_train.corpus.blocks import TextFormatter

__all__ = ["CharacterNormalizer", "PunctuationNormalizer", "RepeatShortener", "ScriptConverter"]

_HANZI: Final = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fffd"

_FULL_WIDTH: Final = {
    **{code: code - 0xFEE0 for code in range(0xFF10, 0xFF1A)},
    **{code: code - 0xFEE0 for code in range(0xFF21, 0xFF3B)},
    **{code: code - 0xFEE0 for code in range(0xFF41, 0xFF5B)},
    **{ord(char): ord(char) - 0xFEE0 for char in "＠％．＃＆＋＝＿"},
}
_DELETED: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u115f\u1160\u180b-\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufffb\U000e0000-\U000e0fff"
    "\ue000-\uf8ff\U000f0000-\U0010ffff\ud800-\udfff\ufffe\uffff]"
)
_BLANKS: Final = re.compile(
    "[\t\n\x0b\x0c\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000 ]+"
)
_RARE: Final = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u061c\u115f\u1160\u1680\u180b-\u180e\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3000\ufe00-\ufe0f\ufeff\uff03-\uff06\uff0b\uff0e\uff10-\uff19\uff1d"
    "\uff20-\uff3a\uff3f\uff41-\uff5a\ufff0-\uffff\ud800-\uf8ff\U000e0000-\U0010ffff]|  "
)


class CharacterNormalizer(TextFormatter):
    """Normalise characters and white space."""

    name = "characters"

    def format(self, text: str) -> str:
        r"""Return the text in NFC, with plain blanks and without control characters.

        >>> CharacterNormalizer().format(" Ａ４ 纸\u200b\u3000很 好 ")
        'A4 纸 很 好'
        """
        if not text.isascii() and not unicodedata.is_normalized("NFC", text):
            text = normalize(text)
        if _RARE.search(text):
            text = _BLANKS.sub(" ", _DELETED.sub("", text)).translate(_FULL_WIDTH)
        if text and (text[0] == " " or text[-1] == " "):
            text = text.strip(" ")
        return text


_HALF_TO_FULL: Final = str.maketrans(",;:?!()", "，；：？！（）")
_BESIDE_HANZI: Final = re.compile(
    rf"(?<=[{_HANZI}”’》」』）…]) ?([,;:?!]+)(?![0-9A-Za-z/]) ?"
    rf"|(?<=[{_HANZI}])([,;:?!])(?=[0-9A-Za-z])(?!//)"
    rf"|(?<![0-9A-Za-z])([,;:?!])(?=[{_HANZI}])"
    rf"|(?<=[0-9A-Za-z])([,;?!])(?=[{_HANZI}“‘《「『])"
)
_BRACKETS: Final = re.compile(rf"\(([^()]*[{_HANZI}][^()]*)\)")
_FULL_STOP: Final = re.compile(rf"(?<=[{_HANZI}”’》」』）])\.(?=$|[ {_HANZI}“‘《「『（])")
_ELLIPSIS: Final = re.compile(r"\.{3,}|。{2,}|…+|．{3,}|·{3,}")
_DASH: Final = re.compile(rf"(?<=[{_HANZI}，。！？”’》])(?:-{{2,}}|—+)(?=[{_HANZI}“‘《])")
_REPEATED_MARK: Final = re.compile(r"([，、；：。])\1+")
_MANY_MARKS: Final = re.compile(r"([！？~～!?])\1{3,}")
_ASCII_MARKS: Final = re.compile(r"[,;:?!().\-]")
_FULL_MARKS: Final = re.compile(r"[，、；：。！？~～…—·．]{2}")


class PunctuationNormalizer(TextFormatter):
    """Normalise punctuation beside hanzi."""

    name = "punctuation"

    def format(self, text: str) -> str:
        """Return the text with full-width punctuation beside hanzi and short runs of marks.

        >>> PunctuationNormalizer().format("你好,世界!3.5元(大约)...10:30见??")
        '你好，世界！3.5元（大约）……10:30见？？'
        """
        if _ASCII_MARKS.search(text):
            if ".." in text:
                text = _ELLIPSIS.sub("……", text)
            text = _BESIDE_HANZI.sub(_full_width, text)
            if "(" in text:
                text = _BRACKETS.sub(r"（\1）", text)
            if "." in text:
                text = _FULL_STOP.sub("。", text)
            if "--" in text:
                text = _DASH.sub("——", text)
        if _FULL_MARKS.search(text):
            text = _ELLIPSIS.sub("……", text)
            text = _MANY_MARKS.sub(r"\1\1\1", _REPEATED_MARK.sub(r"\1", text))
        return text


def _full_width(match: re.Match[str]) -> str:
    return match[0].strip(" ").translate(_HALF_TO_FULL)


class RepeatShortener(TextFormatter):
    """Shorten runs of one character; digits, white space, dots and dashes excepted.

    Args:
        max_repeat: longest run that stays.
    """

    name = "repeats"

    def __init__(self, max_repeat: int = 4) -> None:
        super().__init__()
        self._run = re.compile(rf"([^\d\s…—])\1{{{max_repeat},}}")
        self._short = r"\1" * max_repeat

    def format(self, text: str) -> str:
        """Return the text with shortened runs.

        >>> RepeatShortener(3).format("哈哈哈哈哈哈，10000000元")
        '哈哈哈，10000000元'
        """
        return self._run.sub(self._short, text)


# In GB 2312 and yet not in use in simplified text.
_TRADITIONAL_IN_GB2312: Final = "後於麽"


class ScriptConverter(TextFormatter):
    """Convert traditional to simplified hanzi, or the reverse.

    Args:
        script: "t2s" or "s2t".
    """

    name = "script"

    def __init__(self, script: str = "t2s") -> None:
        super().__init__()
        self.script = script

    def format(self, text: str) -> str:
        """Return the text in the wanted script.

        >>> ScriptConverter().format("我們去買票"), ScriptConverter().format("刘乾打坏了")
        ('我们去买票', '刘乾打坏了')
        >>> ScriptConverter("s2t").format("头发")
        '頭髮'
        """
        if self.script == "t2s" and _traditional_hanzi().isdisjoint(text):
            return text
        return str(_converter(self.script).convert(text))


@lru_cache(maxsize=2)
def _converter(script: str) -> opencc.OpenCC:
    return opencc.OpenCC(script)


@lru_cache(maxsize=1)
def _traditional_hanzi() -> frozenset[str]:
    """Characters that OpenCC changes and that simplified text (GB 2312) does not have."""
    ranges = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x30000))
    hanzi = [chr(code) for low, high in ranges for code in range(low, high)]
    simplified = _converter("t2s").convert("\n".join(hanzi)).split("\n")
    changed = {a for a, b in zip(hanzi, simplified, strict=True) if a != b}
    return frozenset(c for c in changed if not _in_gb2312(c)) | set(_TRADITIONAL_IN_GB2312)


def _in_gb2312(char: str) -> bool:
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
