"""Read published word lists and reading tables into (word, reading, frequency) entries.

Each reader knows one format; `SOURCES` says which file has which. Only sources with an open
licence are listed: their words and readings are shipped.
"""

from __future__ import annotations

import csv
import lzma
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from yinzi.errors import LexiconError
from yinzi.text import is_hanzi

__all__ = ["HANZI_SOURCES", "READING_SOURCES", "WORD_SOURCES", "Entry", "read_source"]

MAX_WORD_LENGTH = 8


@dataclass(frozen=True)
class Entry:
    """One line of a source.

    Attributes:
        word: hanzi.
        reading: syllables with tone marks, blanks between them, or "" where the source has none.
        frequency: as the source gives it, on its own scale; 0.0 where it gives none.
    """

    word: str
    reading: str = ""
    frequency: float = 0.0


def _lines(path: Path) -> Iterator[str]:
    opener = lzma.open if path.suffix == ".xz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            for line in file:
                yield from filter(None, line.splitlines())
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise LexiconError(f"cannot read {path.name}: {error}; fetch the file again") from error


def _jieba(lines: Iterator[str]) -> Iterator[Entry]:
    for line in lines:
        word, frequency, *_ = line.split(" ")
        yield Entry(word, frequency=float(frequency))


def _thuocl(lines: Iterator[str]) -> Iterator[Entry]:
    for line in lines:
        word, _, frequency = line.partition("\t")
        frequency = frequency.strip()
        yield Entry(word.strip(), frequency=float(frequency) if frequency.isdigit() else 0.0)


def _phrase_pinyin(lines: Iterator[str]) -> Iterator[Entry]:
    for line in lines:
        word, colon, reading = line.split("#")[0].partition(":")
        if colon:
            yield Entry(word.strip(), reading.strip())


def _pinyin_data(lines: Iterator[str]) -> Iterator[Entry]:
    for line in lines:
        match = re.match(r"U\+([0-9A-F]+):\s*([^#]+?)\s*(#|$)", line)
        if match:
            for reading in match[2].split(","):
                yield Entry(chr(int(match[1], 16)), reading.strip())


def _rime(lines: Iterator[str]) -> Iterator[Entry]:
    for line in lines:
        word, *rest = line.split("\t")
        if rest and not line.startswith("#"):
            frequency = rest[1] if len(rest) > 1 else ""
            yield Entry(word, rest[0], float(frequency) if frequency.isdigit() else 0.0)


def _rime_words(lines: Iterator[str]) -> Iterator[Entry]:
    for line in lines:
        word, tab, _ = line.partition("\t")
        if tab and not line.startswith("#"):
            yield Entry(word)


def _cedict(lines: Iterator[str]) -> Iterator[Entry]:
    for line in lines:
        parts = line.split(" ", 2)
        if len(parts) == 3 and not line.startswith("#"):
            yield Entry(parts[1])


def _areacity(lines: Iterator[str]) -> Iterator[Entry]:
    for row in csv.DictReader(lines):
        yield Entry(row["name"])
        yield Entry(row["ext_name"])


def _idiom_table(lines: Iterator[str]) -> Iterator[Entry]:
    for row in csv.DictReader(lines):
        yield Entry(row["word"])


Reader = Callable[[Iterator[str]], Iterator[Entry]]

WORD_SOURCES: dict[str, Reader] = {
    "jieba_dict.txt.xz": _jieba,
    "cedict_ts.u8.xz": _cedict,
    "phrase-pinyin_pinyin.txt.xz": _phrase_pinyin,
    "phrase-pinyin_cc_cedict.txt.xz": _phrase_pinyin,
    "phrase-pinyin_zdic_cybs.txt.xz": _phrase_pinyin,
    "phrase-pinyin_di.txt.xz": _phrase_pinyin,
    "phrase-pinyin_overwrite.txt.xz": _phrase_pinyin,
    **{
        f"thuocl_{name}.txt.xz": _thuocl
        for name in (
            *("animal", "caijing", "car", "chengyu", "diming", "food", "IT", "law"),
            *("lishimingren", "medical", "poem"),
        )
    },
    "wanxiang_chengyu.txt.xz": _rime_words,
    "wanxiang_place.dict.yaml.xz": _rime_words,
    "wanxiang_compatible.dict.yaml.xz": _rime_words,
    "areacity_level3.csv.xz": _areacity,
    "areacity_level4.csv.xz": _areacity,
    "idiom_pinyin_explained.csv.xz": _idiom_table,
}
"""Sources of words, and how each is read."""

READING_SOURCES: dict[str, Reader] = {
    "phrase-pinyin_overwrite.txt.xz": _phrase_pinyin,
    "phrase-pinyin_pinyin.txt.xz": _phrase_pinyin,
    "phrase-pinyin_cc_cedict.txt.xz": _phrase_pinyin,
    "phrase-pinyin_zdic_cybs.txt.xz": _phrase_pinyin,
    "phrase-pinyin_di.txt.xz": _phrase_pinyin,
    "wanxiang_compatible.dict.yaml.xz": _rime,
    "wanxiang_place.dict.yaml.xz": _rime,
}
"""Sources of readings of words, the most trusted first."""

HANZI_SOURCES: dict[str, Reader] = {
    "pinyin-data_overwrite.txt.xz": _pinyin_data,
    "pinyin-data_kMandarin_8105.txt.xz": _pinyin_data,
    "pinyin-data_kTGHZ2013.txt.xz": _pinyin_data,
    "pinyin-data_pinyin.txt.xz": _pinyin_data,
    "wanxiang_chars.dict.yaml.xz": _rime,
}
"""Sources of readings of single hanzi, the most trusted first."""


def read_source(folder: Path, name: str, reader: Reader) -> Iterator[Entry]:
    """Yield the entries of one source whose word is 1 to 8 hanzi and nothing else.

    Raises:
        LexiconError: the file is missing or cannot be parsed; names the file.
    """
    path = folder / name
    if not path.exists():
        raise LexiconError(f"no lexicon source {name!r} in {folder}: fetch it, or name the folder")
    try:
        for entry in reader(_lines(path)):
            if 1 <= len(entry.word) <= MAX_WORD_LENGTH and all(map(is_hanzi, entry.word)):
                yield entry
    except (ValueError, KeyError) as error:
        raise LexiconError(f"{name} is not in the expected format: {error}") from error
