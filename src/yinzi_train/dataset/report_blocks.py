"""Hold a page as blocks and render them as Markdown or as one HTML file.

A page needs headings, paragraphs, lists, tables and pictures only, so that both forms come from the
same blocks and no Markdown has to be parsed. In the text of blocks, `code` in backticks is the only
markup.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Block", "Bullets", "Heading", "Paragraph", "Picture", "Table", "to_html", "to_markdown"]


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        header: names of the columns.
        rows: cells.
        n_numbers: that many columns at the end are numbers, aligned right.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_numbers: int = 0


@dataclass(frozen=True)
class Picture:
    """A picture beside the page.

    Attributes:
        file: its name.
        text: says in words what it shows, for those who cannot see it.
    """

    file: str
    text: str


Block = Heading | Paragraph | Bullets | Table | Picture

_CODE: Final = re.compile(r"`([^`]+)`")
_MARKUP: Final = re.compile(r"([\\\[\]<>*_|#])")
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1b1b1b;background:#fff}table{border-collapse:collapse;margin:1rem 0;display:block;"
    "overflow-x:auto}th,td{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:left}"
    "th{border-bottom:2px solid #888}.n{text-align:right;font-variant-numeric:tabular-nums}"
    "img{max-width:100%;height:auto}code{background:#f2f2f2;padding:0 .2em}"
)


def to_markdown(blocks: Sequence[Block]) -> str:
    r"""Render blocks as Markdown.

    >>> print(to_markdown([Heading("Sizes"), Table(["domain", "rows"], [["chat|sms", "3"]], 1)]))
    ## Sizes
    <BLANKLINE>
    | domain | rows |
    | --- | ---: |
    | chat\|sms | 3 |
    <BLANKLINE>
    """
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_marked_down(block.text)}"
    if isinstance(block, Paragraph):
        return _marked_down(block.text)
    if isinstance(block, Bullets):
        return "\n".join(f"- {_marked_down(item)}" for item in block.items)
    if isinstance(block, Picture):
        return f"![{_marked_down(block.text)}]({block.file})"
    marks = ["---"] * (len(block.header) - block.n_numbers) + ["---:"] * block.n_numbers
    lines = [block.header, marks, *block.rows]
    return "\n".join(
        f"| {' | '.join(cell if cells is marks else _marked_down(cell) for cell in cells)} |"
        for cells in lines
    )


def _marked_down(text: str) -> str:
    """Escape what Markdown would take for markup, but for code."""
    parts = _CODE.split(" ".join(text.split()))
    for index, part in enumerate(parts):
        parts[index] = f"`{part.replace('|', chr(92) + '|')}`" if index % 2 else _escaped(part)
    return "".join(parts)


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)


def to_html(blocks: Sequence[Block], *, title: str, pictures: Mapping[str, bytes]) -> str:
    """Render blocks as one HTML file that needs no other.

    Args:
        blocks: what the page shows.
        title: of the window.
        pictures: bytes of the PNG files by name; they are put into the page.
    """
    body = "\n".join(_html(block, pictures) for block in blocks)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"{body}\n</body>\n</html>\n"
    )


def _html(block: Block, pictures: Mapping[str, bytes]) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{_inline_html(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f"<p>{_inline_html(block.text)}</p>"
    if isinstance(block, Bullets):
        return f"<ul>{''.join(f'<li>{_inline_html(item)}</li>' for item in block.items)}</ul>"
    if isinstance(block, Picture):
        data = base64.b64encode(pictures[block.file]).decode("ascii")
        text = html.escape(block.text)
        return f'<p><img alt="{text}" src="data:image/png;base64,{data}"></p>'
    n_texts = len(block.header) - block.n_numbers

    def row(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if index >= n_texts else ''}>{_inline_html(cell)}</{tag}>"
            for index, cell in enumerate(cells)
        )

    rows = "\n".join(f"<tr>{row(cells, 'td')}</tr>" for cells in block.rows)
    return (
        f"<table>\n<thead><tr>{row(block.header, 'th')}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>"
    )


def _inline_html(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", html.escape(text))
