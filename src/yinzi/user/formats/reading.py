"""Import word lists into a user lexicon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import log1p
from pathlib import Path

from yinzi.errors import UserLexiconError
from yinzi.text import is_hanzi, normalize
from yinzi.user.formats.rows import ImportedWord, undecodable
from yinzi.user.formats.scel import is_scel, parse_scel
from yinzi.user.formats.text import (
    looks_like_libpinyin,
    parse_libpinyin,
    parse_rime,
    parse_tsv,
)
from yinzi.user.lexicon import UserLexicon
from yinzi.user.records import IMPORTED_WEIGHT, MAX_USER_WORD_LENGTH, check_word

__all__ = ["ImportReport", "ImportedWord", "WordListFormat", "import_words", "parse_words"]

_MOST_UNREADABLE = 0.5
"""Share of words with a reading that is no pinyin from which a list is taken for one of codes."""
_LEAST_WEIGHT, _MOST_WEIGHT = 0.25, 2.0
"""What the rarest and the most frequent word of a list count for, in commits."""


class WordListFormat(str, Enum):
    """Name a format of word lists."""

    RIME = "rime"
    TSV = "tsv"
    SCEL = "scel"
    LIBPINYIN = "libpinyin"


@dataclass
class ImportReport:
    """What became of the words of a list.

    Attributes:
        n_words: words in the list.
        n_new: words that were not there.
        n_dropped: words left out, by reason.
        first_dropped: where the first word of each reason stands, and the word.
    """

    n_words: int = 0
    n_new: int = 0
    n_dropped: Counter[str] = field(default_factory=Counter)
    first_dropped: dict[str, str] = field(default_factory=dict)

    def drop(self, word: ImportedWord, reason: str) -> None:
        """Count a word that is left out."""
        self.n_dropped[reason] += 1
        self.first_dropped.setdefault(reason, f"{word.place}: {word.text}")


def parse_words(path: Path, form: WordListFormat | None = None) -> Iterator[ImportedWord]:
    """Yield the words of a file as they stand there.

    Args:
        path: the file.
        form: its format; by its name and first lines if not given.

    Raises:
        UserLexiconError: it cannot be read, or is not of the format; the message gives the line or
            byte.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserLexiconError(f"cannot read {str(path)!r}: {error.strerror}") from error
    name = path.name
    if form is WordListFormat.SCEL or (form is None and _may_be_scel(path, data)):
        return parse_scel(data, name)
    try:
        lines = normalize(data.decode("utf-8-sig")).split("\n")
    except UnicodeDecodeError as error:
        raise undecodable(name, data, error) from error
    lines = [line.rstrip("\r") for line in lines]
    form = form or _guess(path, lines)
    if form is WordListFormat.RIME:
        return parse_rime(lines, name)
    return (parse_libpinyin if form is WordListFormat.LIBPINYIN else parse_tsv)(lines, name)


def _may_be_scel(path: Path, data: bytes) -> bool:
    return path.suffix.lower() == ".scel" or is_scel(data)


def _guess(path: Path, lines: Sequence[str]) -> WordListFormat:
    if path.name.endswith((".dict.yaml", ".yaml", ".yml")) or "..." in lines:
        return WordListFormat.RIME
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    return WordListFormat.LIBPINYIN if looks_like_libpinyin(first) else WordListFormat.TSV


def import_words(
    user: UserLexicon,
    path: Path,
    *,
    form: WordListFormat | None = None,
    read: Callable[[str], Sequence[str] | None] | None = None,
) -> ImportReport:
    """Add the words of a file to a user lexicon: all that can be stored, or, on an error, none.

    Left out are words of one hanzi or more than 16, with characters that are no hanzi, with a
    reading that is no pinyin, and readings that the list itself says are not used.

    Args:
        user: where to.
        path: the file.
        form: its format; by its name and first lines if not given.
        read: gives the syllables of a word whose reading is missing, None if it cannot; without it
            such words are left out.

    Raises:
        UserLexiconError: the file cannot be read, is not of the format, holds codes that are no
            pinyin, or the words cannot be stored.
    """
    report = ImportReport()
    kept: list[tuple[ImportedWord, tuple[str, ...]]] = []
    for word in parse_words(path, form):
        report.n_words += 1
        reason, syllables = _check(word, read)
        if reason:
            report.drop(word, reason)
        else:
            kept.append((word, syllables))
    n_unreadable = report.n_dropped["no pinyin"]
    if n_unreadable > _MOST_UNREADABLE * (len(kept) + n_unreadable):
        raise UserLexiconError(
            f"{path.name!r}: the codes of {n_unreadable} of {report.n_words} words are no pinyin, "
            f"the first at {report.first_dropped['no pinyin']}; expected toneless syllables with "
            "blanks or ' between"
        )
    most = max((word.frequency or 0 for word, _ in kept), default=0)
    report.n_new = user.add_all(
        (word.text, syllables, _weight(word.frequency, most)) for word, syllables in kept
    )
    return report


def _check(
    word: ImportedWord, read: Callable[[str], Sequence[str] | None] | None
) -> tuple[str, tuple[str, ...]]:
    """Return why a word is left out, or "" and its syllables."""
    if word.is_faint:
        return "reading not used", ()
    if not all(map(is_hanzi, word.text)):
        return "not only hanzi", ()
    if not 2 <= len(word.text) <= MAX_USER_WORD_LENGTH:
        return "one hanzi or too many", ()
    syllables = word.syllables
    if not syllables:
        found = None if read is None else read(word.text)
        if found is None:
            return "reading not known", ()
        syllables = tuple(found)
    try:
        return "", check_word(word.text, syllables)[1]
    except UserLexiconError:
        return "no pinyin", ()


def _weight(frequency: float | None, most: float) -> float:
    """Turn a frequency into commits: by its logarithm, as lists differ in what they count."""
    if frequency is None or most <= 0:
        return IMPORTED_WEIGHT
    return max(_LEAST_WEIGHT, _MOST_WEIGHT * log1p(frequency) / log1p(most))
