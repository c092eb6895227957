"""Read evaluation sets: one MIU a line, with its pinyin and the text before it.

The format is plain TSV without a header or quoting: id, hanzi, pinyin (toneless syllables separated
by spaces, ü as `v`) and, optionally, the left context. See docs/metrics.md.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from yinzi.evaluation.errors import EvaluationError

__all__ = ["Row", "read_rows"]

logger = logging.getLogger(__name__)

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TRAILING_NUMBER = re.compile(r"[-_]*[0-9]+$")


@dataclass(frozen=True)
class Row:
    """Hold one MIU to be typed and the hanzi that are right for it.

    Example:
        >>> row = Row("hsk5-0507.0", "你好", "ni hao")
        >>> row.domain, row.is_aligned
        ('hsk5', True)
    """

    id: str
    hanzi: str  # the reference text
    pinyin: str  # toneless syllables, one space between them, ü as v
    left_context: str = ""  # committed text before it; may be empty

    @property
    def syllables(self) -> list[str]:
        """Give the syllables of the pinyin column, in order."""
        return self.pinyin.split()

    @property
    def is_aligned(self) -> bool:
        """Say whether there is one syllable for every hanzi."""
        return len(self.syllables) == len(self.hanzi)

    @property
    def domain(self) -> str:
        """Give the part of the id that names where the row is from.

        It is what stands before the first `.`, without a number at its end: `news.17` is `news`,
        `tatoeba5541.0` is `tatoeba`, `hsk5-0507.0` is `hsk5`.
        """
        prefix = self.id.split(".", 1)[0]
        return _TRAILING_NUMBER.sub("", prefix) or prefix


def read_rows(path: str | Path) -> list[Row]:
    r"""Read all rows of a TSV set, in the order of the file.

    Blank lines are skipped, Windows line ends and a byte order mark are accepted. Rows whose number
    of syllables differs from their number of hanzi are kept and logged once, as a warning with
    their count; reports count them too.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "tiny.tsv")
        ...     _ = file.write_text("chat.0\t你好\tni hao\n", encoding="utf-8")
        ...     read_rows(file)
        [Row(id='chat.0', hanzi='你好', pinyin='ni hao', left_context='')]

    Raises:
        EvaluationError: the file is missing or empty, a line is not UTF-8, has not three or four
            columns, or has nothing in one of the first three. The message gives the line number.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise EvaluationError(f"cannot read {str(path)!r}: {reason}; give a TSV file") from error
    rows: list[Row] = []
    misaligned: list[int] = []
    for number, raw in enumerate(data.removeprefix(_BYTE_ORDER_MARK).split(b"\n"), start=1):
        line = _decode(raw.removesuffix(b"\r"), path=path, number=number)
        if not line.strip():
            continue
        row = _parse(line, path=path, number=number)
        if not row.is_aligned:
            misaligned.append(number)
        rows.append(row)
    if not rows:
        raise EvaluationError(
            f"{str(path)!r} has no rows; expected lines of id, hanzi, pinyin[, left context]"
        )
    if misaligned:
        logger.warning(
            "%s: %d of %d rows have not one syllable per hanzi (first at lines %s); they are kept",
            path,
            len(misaligned),
            len(rows),
            ", ".join(map(str, misaligned[:5])),
        )
    return rows


def _decode(raw: bytes, *, path: Path, number: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EvaluationError(
            f"{str(path)!r} line {number}: byte {raw[error.start]:#04x} at offset {error.start} is "
            "not UTF-8; convert the file to UTF-8"
        ) from error


def _parse(line: str, *, path: Path, number: int) -> Row:
    columns = line.split("\t")
    if len(columns) not in (3, 4):
        raise EvaluationError(
            f"{str(path)!r} line {number}: {len(columns)} column(s) in {line[:40]!r}; expected 3 or"
            " 4 separated by tabs: id, hanzi, pinyin[, left context]"
        )
    row = Row(columns[0].strip(), columns[1].strip(), " ".join(columns[2].split()), *columns[3:])
    for name in ("id", "hanzi", "pinyin"):
        if not getattr(row, name):
            raise EvaluationError(f"{str(path)!r} line {number}: the {name} column is empty")
    return row
