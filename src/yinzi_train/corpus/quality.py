"""Drop rows that are no text to learn from: garbled, boilerplate, foreign, repetitive, too short.

Reason codes: `mojibake`, `boilerplate`, `no_hanzi`, `too_short`, `too_long`, `language`,
`repetition`. The thresholds are options; docs/corpus.md has what they drop.
"""

from __future__ import annotations

import re
from typing import Final

from yinzi_train.corpus.blocks import TextFilter
from yinzi_train.corpus.dropped import DroppedRows

__all__ = [
    "BoilerplateFilter",
    "LanguageFilter",
    "LengthFilter",
    "MojibakeFilter",
    "RepetitionFilter",
    "count_hanzi",
]

_HANZI: Final = (
    "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fffd\U00030000-\U0003fffd"
)
_NO_HANZI: Final = re.compile(f"[^{_HANZI}]+")


def count_hanzi(text: str) -> int:
    """Return the number of hanzi, as `yinzi.text.is_hanzi` tells them.

    >>> count_hanzi("我要买 3 张票")
    5
    """
    return len(_NO_HANZI.sub("", text))


# Signs of a wrong encoding; the last two lines are UTF-8 decoded as Latin-1 or Windows-1252.
_GARBLED: Final = re.compile(
    "\ufffd|锟斤|斤拷|烫烫烫|屯屯屯|葺葺葺|锘匡|ï»¿"
    "|(?:[\u00e0-\u00ef](?![”’][“‘])[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e"
    "\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]{2}){2}"
)
# Rare hanzi that UTF-8 decoded as GBK is full of; encoding them back tells.
_GBK_SIGN: Final = re.compile(
    "[锛銆鈥鐨鏄鍦浜鎴璇浠涓澶寰绗鍙鍚鍥鍏鍑鍒鍔杩瀛瀹灏骞寮鎬鎵鏂鏈鏉鏃鏁]"
)
_MIN_RECOVERED: Final = 0.3


def _is_utf8_as_gbk(text: str) -> bool:
    recovered = text.encode("gb18030", "ignore").decode("utf-8", "ignore")
    n_hanzi = count_hanzi(recovered)
    return n_hanzi >= 5 and n_hanzi >= _MIN_RECOVERED * len(text)


class MojibakeFilter(TextFilter):
    """Drop rows that were decoded with the wrong encoding."""

    name = "mojibake"

    def drop_reason(self, text: str) -> str:
        r"""Return "mojibake" for garbled text.

        >>> MojibakeFilter().drop_reason("ä½\xa0å¥½ç¥¨"), MojibakeFilter().drop_reason("你好é")
        ('mojibake', '')
        """
        if _GARBLED.search(text) or (_GBK_SIGN.search(text) and _is_utf8_as_gbk(text)):
            return "mojibake"
        return ""


# The words alone are no sign: people talk about QR codes and reposting. What is looked for is the
# formula, or the words as the beginning or the whole of a line.
_BOILERPLATE: Final = re.compile(
    r"版权所有[^权者人的]|版权归.{1,12}所有[。！]?$"
    r"|All [Rr]ights [Rr]eserved|Copyright ?(?:©|\([cC]\))"
    r"|[京沪粤浙苏川鄂]ICP[备证]"
    r"|未经.{0,10}(?:授权|许可|允许|同意).{0,6}(?:不得|禁止|严禁|请勿)(?:擅自)?转载|转载(?:请|务必|须)注明"
    r"|^(?:本文|文章|稿件)(?:来源|转载自|转自|首发于?)[:：]|^[（(]?(?:责任编辑|责编|编辑)[:：]"
    r"|^(?:上一[篇页章]|下一[篇页章]|相关(?:阅读|推荐|新闻|链接)|延伸阅读|推荐阅读)[:：]"
    r"|^[\W_]*(?:(?:上一|下一)[篇页章]|返回(?:首页|顶部|目录|列表)|(?:阅读|查看)(?:全文|原文|更多)"
    r"|展开(?:全文|更多)|收起全文"
    r"|点击(?:查看|展开|阅读|下载)(?:全文|原文|更多|大图)?|分享到.{0,4}|发表评论|我要评论|加入收藏|设为首页)[\W_]*$"
    r"|(?:长按|扫描?码?|识别).{0,8}二维码.{0,6}(?:关注|添加|加入|进群)"
    r"|(?:欢迎|请|长按|扫码|点击.{0,6})关注.{0,8}公众号|点击.{0,6}(?:蓝字|阅读原文)"
    r"|(?:手机|电脑)用户请.{0,12}阅读|最新章节.{0,6}首发|(?:本章|本节)未完.{0,4}(?:待续|点击|下一页)"
    r"|您的浏览器.{0,6}不支持|请(?:启用|开启) ?JavaScript"
)
_MAX_BOILERPLATE_CHARS: Final = 60


class BoilerplateFilter(TextFilter):
    """Drop short lines of copyright, navigation and calls to follow; longer ones may be text."""

    name = "boilerplate"

    def drop_reason(self, text: str) -> str:
        """Return "boilerplate" for a short line with such a phrase.

        >>> BoilerplateFilter().drop_reason("未经授权禁止转载")
        'boilerplate'
        """
        if len(text) > _MAX_BOILERPLATE_CHARS or not _BOILERPLATE.search(text):
            return ""
        return "boilerplate"


class LengthFilter(TextFilter):
    """Drop rows with too few hanzi or too many characters.

    Args:
        min_hanzi: fewest hanzi of a row.
        max_chars: most characters of a row.
        dropped: where dropped rows are counted.
    """

    name = "length"

    def __init__(
        self, min_hanzi: int = 2, max_chars: int = 256, dropped: DroppedRows | None = None
    ) -> None:
        super().__init__(dropped)
        self.min_hanzi = min_hanzi
        self.max_chars = max_chars
        self._enough = re.compile(f"[{_HANZI}]{{{min_hanzi}}}")

    def drop_reason(self, text: str) -> str:
        """Return "no_hanzi", "too_short", "too_long" or "".

        >>> LengthFilter().drop_reason("OK"), LengthFilter().drop_reason("好的")
        ('no_hanzi', '')
        """
        if len(text) > self.max_chars:
            return "too_long"
        if self._enough.search(text):
            return ""
        n_hanzi = count_hanzi(text)
        if n_hanzi >= self.min_hanzi:
            return ""
        return "too_short" if n_hanzi else "no_hanzi"


_FOREIGN: Final = re.compile(
    "[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+|[\u0370-\u03ff]+|[\u0400-\u052f]+|[\u0590-\u06ff]+"
    "|[\u0900-\u0e7f]+|[\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f]|[\u1100-\u11ff\uac00-\ud7af]"
)


class LanguageFilter(TextFilter):
    """Drop rows that are mostly in another language.

    A word in a foreign script counts as one hanzi, as does a kana or a hangul; digits, punctuation
    and placeholders do not count.

    Args:
        min_hanzi_share: least share of hanzi among hanzi and foreign words.
        dropped: where dropped rows are counted.
    """

    name = "language"

    def __init__(self, min_hanzi_share: float = 0.5, dropped: DroppedRows | None = None) -> None:
        super().__init__(dropped)
        self.min_hanzi_share = min_hanzi_share

    def drop_reason(self, text: str) -> str:
        """Return "language" if foreign words outnumber hanzi.

        >>> filter = LanguageFilter()
        >>> filter.drop_reason("用 Python 写代码"), filter.drop_reason("this is 你好 in Chinese")
        ('', 'language')
        """
        n_foreign = len(_FOREIGN.findall(text))
        if not n_foreign:
            return ""
        n_hanzi = count_hanzi(text)
        return "language" if n_hanzi < self.min_hanzi_share * (n_hanzi + n_foreign) else ""


class RepetitionFilter(TextFilter):
    """Drop rows that say the same few characters over and over.

    Args:
        min_distinct_share: least share of distinct characters in rows of 16 or more; rows longer
            than 64 are measured as if they had 64, because a long text runs out of new characters.
        dropped: where dropped rows are counted.
    """

    name = "repetition"

    MIN_CHARS: Final = 16
    FULL_CHARS: Final = 64

    def __init__(
        self, min_distinct_share: float = 0.25, dropped: DroppedRows | None = None
    ) -> None:
        super().__init__(dropped)
        self.min_distinct_share = min_distinct_share

    def drop_reason(self, text: str) -> str:
        """Return "repetition" for text of few distinct characters.

        >>> RepetitionFilter().drop_reason("买买买卖卖卖" * 5)
        'repetition'
        """
        n_chars = len(text)
        if n_chars < self.MIN_CHARS:
            return ""
        least = self.min_distinct_share * min(n_chars, self.FULL_CHARS)
        return "repetition" if len(set(text)) < least else ""
