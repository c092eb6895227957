"""Strip markup and web addresses from text."""

from __future__ import annotations

import html
import re
from typing import Final

from yinzi_train.corpus.blocks import TextFormatter

__all__ = ["MarkupStripper", "UrlRemover"]

# One character that any of the patterns below needs; most rows have none and cost one search.
_SUSPECT: Final = re.compile(r"[<&\[\]*_`#{}|>~=']")

_HIDDEN: Final = re.compile(
    r"<!--.*?-->|<(script|style)\b[^<>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL
)
_BREAK_TAG: Final = re.compile(r"<\s*/?\s*(?:br|p|div|li|tr|td|h[1-6])\b[^<>]*>", re.IGNORECASE)
_TAG: Final = re.compile(
    r"</?[A-Za-z][A-Za-z0-9:-]*"
    r"(?:\s+[A-Za-z_:@-][A-Za-z0-9_:.-]*(?:\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s<>\"']+))?)*\s*/?>"
    r"|<![A-Za-z][^<>]{0,200}>"
)
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
_IMAGE: Final = re.compile(r"!\[([^\[\]]{0,200})\]\([^()\s]{0,1000}(?:\s[^()]{0,200})?\)")
_LINK: Final = re.compile(
    r"\[([^\[\]]{1,300})\]\((?:[a-z]+://|/|\.|#|www\.|mailto:)[^()\s]{0,1000}(?:\s[^()]{0,200})?\)"
)
_WIKI_LINK: Final = re.compile(r"\[\[(?:[^\[\]|]{0,200}\|)?([^\[\]|]{1,300})\]\]")
_TEMPLATE: Final = re.compile(r"\{\{[^{}]{0,500}\}\}")
_FORUM_TAG: Final = re.compile(
    r"\[/?(?:url|img|quote|b|i|u|s|size|color|font|align|list|table|tr|td|code|email|media|hide)"
    r"(?:=[^\[\]]{0,300})?\]",
    re.IGNORECASE,
)
_EMPHASIS: Final = re.compile(r"(\*\*\*|\*\*|__|~~|'''|'')(?=\S)([^*_~']{1,300}?)(?<=\S)\1")
_CODE: Final = re.compile(r"(`{1,2})([^`]{1,300})\1")
_LINE_START: Final = re.compile(r"^\s{0,8}(?:#{1,6}\s+|>\s?|[*+-]\s+(?=\S))+")
_HEADING: Final = re.compile(r"^={2,6}\s*(.{1,200}?)\s*={2,6}$|\s#{1,6}$")
_TABLE_ROW: Final = re.compile(r"^\s*\|.*\|\s*$")
_RULE: Final = re.compile(r"^\s*(?:[-*_=|:+]\s*){3,}$")


class MarkupStripper(TextFormatter):
    """Strip HTML, Markdown, wiki and forum markup, and leave the words that it marks."""

    name = "markup"

    def format(self, text: str) -> str:
        """Return the text without markup; not everything in angle brackets is markup.

        >>> strip = MarkupStripper().format
        >>> strip("<p>我要<b>买票</b>&nbsp;去</p>").split()
        ['我要买票', '去']
        >>> strip("## **重要**：见[说明](https://a.cn/b)")
        '重要：见说明'
        >>> strip("当 x<3 且 y>2 时")
        '当 x<3 且 y>2 时'
        """
        if not _SUSPECT.search(text):
            return text
        if "&" in text:
            text = _ENTITY.sub(_entity, text)
        if "<" in text:
            text = _TAG.sub("", _BREAK_TAG.sub(" ", _HIDDEN.sub(" ", text)))
        if "[" in text:
            text = _LINK.sub(r"\1", _IMAGE.sub(r"\1", text))
            text = _FORUM_TAG.sub("", _WIKI_LINK.sub(r"\1", text))
        if "{{" in text:
            text = _TEMPLATE.sub("", text)
        if "**" in text or "__" in text or "~~" in text or "''" in text:
            text = _EMPHASIS.sub(r"\2", text)
        if "`" in text:
            text = _CODE.sub(r"\2", text)
        if _RULE.match(text):
            return ""
        text = _LINE_START.sub("", text)
        if "#" in text or "==" in text:
            text = _HEADING.sub(r"\1", text)
        if "|" in text and _TABLE_ROW.match(text):
            text = text.replace("|", " ")
        return text.strip()


def _entity(match: re.Match[str]) -> str:
    char = html.unescape(match[0])
    return " " if char == "\xa0" else char


# Addresses without a scheme are lower-case and of a common domain: ASP.NET, 1113.HK and Node.js are
# names. Hanzi and full-width marks end an address.
_PATH: Final = r"[!-;=?-Z\\^_a-z|~]"
_URL: Final = re.compile(
    rf"(?:https?|ftps?|file|magnet|ed2k|thunder)(?:://|:\?){_PATH}+"
    rf"|(?<![A-Za-z0-9@.])www\.{_PATH}{{3,}}"
    rf"|(?<![A-Za-z0-9@._-])(?:[a-z0-9-]{{1,63}}\.){{1,4}}(?:com|cn|net|org|edu|gov)(?![A-Za-z0-9.@-])"
    rf"(?:[/?#]{_PATH}*)?"
    rf"|(?<![A-Za-z0-9@._-])(?:[a-z0-9-]{{1,63}}\.){{1,3}}[a-z]{{2,6}}/{_PATH}+"
)
_MAYBE_URL: Final = re.compile(r":/|:\?|www\.|[a-z0-9]\.[a-z]")
_EMPTY_BRACKETS: Final = re.compile(r"[(（\[【] *[)）\]】]")
_BLANKS: Final = re.compile(r" {2,}")
_BLANK_BEFORE_MARK: Final = re.compile(r" (?=[，。；：！？、）”])")


class UrlRemover(TextFormatter):
    """Replace web addresses by a blank."""

    name = "urls"

    def format(self, text: str) -> str:
        """Return the text without web addresses.

        >>> UrlRemover().format("见https://a.cn/b?c=1，或者官网（www.b.com/），用Node.js")
        '见，或者官网，用Node.js'
        """
        if not _MAYBE_URL.search(text):
            return text
        changed, n_found = _URL.subn(" ", text)
        if not n_found:
            return text
        changed = _BLANKS.sub(" ", _EMPTY_BRACKETS.sub("", changed)).strip()
        return _BLANK_BEFORE_MARK.sub("", changed)
