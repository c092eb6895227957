"""Read word lists that are text: Rime's dict.yaml, TSV, and the lists of libpinyin and libime."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import isfinite

from yinzi.errors import UserLexiconError
from yinzi.text import is_hanzi
from yinzi.user.formats.rows import ImportedWord, toneless

__all__ = ["parse_libpinyin", "parse_rime", "parse_tsv"]

_RIME_COLUMNS = ("text", "code", "weight", "stem")
_COMMENT_END = "# no comment"


def parse_tsv(lines: Sequence[str], name: str) -> Iterator[ImportedWord]:
    """Yield the words of lines of text, reading and frequency, the last two optional.

    Empty lines and lines that begin with `#` say nothing.

    Raises:
        UserLexiconError: a line has more columns, or a frequency is no number.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) > 3 or not columns[0]:
            raise UserLexiconError(
                f"{name!r}, line {number}: {len(columns)} columns, the first {columns[0]!r}; "
                "expected a word, its pinyin and its frequency, with tabs between"
            )
        text, spelled, frequency = (*columns, "", "")[:3]
        yield ImportedWord(
            text, toneless(spelled), _number(frequency, name, number), f"line {number}"
        )


def parse_libpinyin(lines: Sequence[str], name: str) -> Iterator[ImportedWord]:
    """Yield the words of lines such as `你好 ni'hao 12`, as libpinyin and libime write them.

    The number may be missing. With a fraction it is a cost of libime and says nothing here.

    Raises:
        UserLexiconError: a line is built otherwise.
    """
    for number, line in enumerate(lines, start=1):
        columns = line.split()
        if not columns or line.startswith("#"):
            continue
        if len(columns) not in (2, 3):
            raise UserLexiconError(
                f"{name!r}, line {number}: {len(columns)} parts; expected a word, its pinyin with "
                f"' between syllables, and a number, such as \"你好 ni'hao 12\""
            )
        frequency = None
        if len(columns) == 3:
            value = _number(columns[2], name, number, is_count=False)
            frequency = value if columns[2].isdigit() else None
        yield ImportedWord(columns[0], toneless(columns[1]), frequency, f"line {number}")


def parse_rime(lines: Sequence[str], name: str) -> Iterator[ImportedWord]:
    """Yield the words of a dictionary of Rime.

    Columns come in the order that the header gives, or text, code, weight. A weight in per cent is
    a share of the word's use, for polyphones; readings of 0 % are marked.

    Raises:
        UserLexiconError: the header does not end, names unknown columns or none for the text, or a
            line has too many columns or a weight that is no number.
    """
    columns, body = _rime_header(lines, name)
    has_comments = True
    for number, line in enumerate(lines[body:], start=body + 1):
        if line.rstrip() == _COMMENT_END:
            has_comments = False
        if not line.strip() or (has_comments and line.startswith("#")):
            continue
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) > len(columns):
            raise UserLexiconError(
                f"{name!r}, line {number}: {len(fields)} columns, the header has {len(columns)}: "
                f"{', '.join(columns)}"
            )
        row = dict(zip(columns, fields, strict=False))
        if not row["text"]:
            raise UserLexiconError(f"{name!r}, line {number}: the column 'text' is empty")
        weight = row.get("weight", "")
        is_share = weight.endswith("%")
        value = _number(weight.rstrip("%"), name, number)
        yield ImportedWord(
            row["text"],
            toneless(row.get("code", "")),
            None if is_share else value,
            f"line {number}",
            is_faint=is_share and value == 0,
        )


def _rime_header(lines: Sequence[str], name: str) -> tuple[list[str], int]:
    """Return the columns and the index of the first line behind the header."""
    start = next((i for i, line in enumerate(lines) if line.rstrip() == "---"), None)
    end = next((i for i, line in enumerate(lines) if line.rstrip() == "..."), None)
    if start is None or end is None or end < start:
        raise UserLexiconError(
            f"{name!r}: the header of a Rime dictionary stands between a line '---' and a line "
            f"'...'; {'the first' if start is None else 'the second'} is missing"
        )
    columns: list[str] = []
    is_list = False
    for number, line in enumerate(lines[start + 1 : end], start=start + 2):
        text = re.sub(r"(^|\s)#.*", "", line).rstrip()
        item = re.fullmatch(r"\s*-\s*(\S+)", text)
        if found := re.fullmatch(r"columns:\s*(?:\[(.*)\])?", text):
            is_list = found.group(1) is None
            columns = [column.strip() for column in (found.group(1) or "").split(",") if column]
        elif is_list and item:
            columns.append(item.group(1))
        elif text:
            is_list = False
        unknown = [column for column in columns if column not in _RIME_COLUMNS]
        if unknown:
            raise UserLexiconError(
                f"{name!r}, line {number}: unknown column {unknown[0]!r}: expected some of "
                f"{', '.join(_RIME_COLUMNS)}"
            )
    columns = columns or list(_RIME_COLUMNS)
    if "text" not in columns:
        raise UserLexiconError(f"{name!r}: the header names no column 'text', only {columns}")
    return columns, end + 1


def _number(text: str, name: str, line: int, *, is_count: bool = True) -> float | None:
    """Return a number, None for an empty column."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value) or (is_count and value < 0):
        expected = "a number of at least 0" if is_count else "a number"
        raise UserLexiconError(f"{name!r}, line {line}: {text!r} stands where {expected} should")
    return value


def looks_like_libpinyin(line: str) -> bool:
    """Tell whether a line is built as libpinyin builds it: blanks, hanzi first."""
    columns = line.split()
    return len(columns) in (2, 3) and "\t" not in line and is_hanzi(columns[0][:1])
