"""Read cell dictionaries of Sogou (.scel).

The format is not published; this is what programs that read it agree on. Numbers are
little-endian, text is UTF-16LE. Byte 0: mark. 0x120: number of groups; 0x124: number of words.
0x1540: number of syllables, then for each its number, its length in bytes, its letters. Behind
them the groups: number of words, bytes of the reading, numbers of its syllables; then for each word
its length in bytes, the word, the length of an extension and the extension, whose first number is a
rank. Numbers of syllables past the table stand for letters. What follows the last group are deleted
words.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from yinzi.errors import UserLexiconError
from yinzi.user.formats.rows import ImportedWord, toneless

__all__ = ["is_scel", "parse_scel"]

_MARKS = (b"\x40\x15\x00\x00\x44\x43\x53\x01", b"\x40\x15\x00\x00\x45\x43\x53\x01")
_COUNTS_AT = 0x120
_TABLE_AT = 0x1540
_MOST_SYLLABLES = 2_000


def is_scel(data: bytes) -> bool:
    """Tell whether bytes begin like a .scel file."""
    return data.startswith(_MARKS)


def parse_scel(data: bytes, name: str) -> Iterator[ImportedWord]:
    """Yield the words of a .scel file.

    Raises:
        UserLexiconError: it is none, or it is cut off or damaged; the message gives the byte.
    """
    if not is_scel(data):
        raise UserLexiconError(
            f"{name!r} is no .scel file: it begins with {data[:8].hex(' ') or 'nothing'}, expected "
            f"{_MARKS[0].hex(' ')}"
        )
    reader = _Reader(data, name)
    reader.at = _COUNTS_AT
    n_groups, n_words = reader.numbers("<II", "the number of words")
    reader.at = _TABLE_AT
    syllables = _syllables(reader)
    n_read = 0
    for _ in range(n_groups):
        n_alike, n_bytes = reader.numbers("<HH", "a group of words")
        ids = reader.numbers(f"<{n_bytes // 2}H", "a reading")
        reading = tuple(
            syllables[number] if number < len(syllables) else chr(97 + number - len(syllables))
            for number in ids
        )
        for _ in range(n_alike):
            start = reader.at
            text = reader.text("a word")
            (n_extra,) = reader.numbers("<H", "the extension of a word")
            reader.take(n_extra, "the extension of a word")
            n_read += 1
            yield ImportedWord(text, toneless(" ".join(reading)), None, f"byte {start}")
    if n_read != n_words:
        raise UserLexiconError(
            f"{name!r}: {n_read} words up to byte {reader.at}, the file says that it has "
            f"{n_words}; it is damaged, get it again"
        )


def _syllables(reader: _Reader) -> list[str]:
    (n_syllables, _) = reader.numbers("<HH", "the table of syllables")
    if n_syllables > _MOST_SYLLABLES:
        raise reader.error(f"{n_syllables} syllables in the table")
    syllables = [""] * n_syllables
    for _ in range(n_syllables):
        (number,) = reader.numbers("<H", "the table of syllables")
        if number >= n_syllables:
            raise reader.error(f"syllable {number} of {n_syllables}")
        syllables[number] = reader.text("the table of syllables")
    return syllables


class _Reader:
    """Take numbers and text from bytes, one after the other."""

    def __init__(self, data: bytes, name: str) -> None:
        self.at = 0
        self._data = data
        self._name = name

    def take(self, n_bytes: int, what: str) -> bytes:
        if self.at + n_bytes > len(self._data):
            raise UserLexiconError(
                f"{self._name!r} is cut off: {what} at byte {self.at} needs {n_bytes} bytes, the "
                f"file ends at byte {len(self._data)}; get it again"
            )
        taken = self._data[self.at : self.at + n_bytes]
        self.at += n_bytes
        return taken

    def numbers(self, form: str, what: str) -> tuple[int, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form), what))

    def text(self, what: str) -> str:
        (n_bytes,) = self.numbers("<H", what)
        start = self.at
        try:
            return self.take(n_bytes, what).decode("utf-16-le").rstrip("\0")
        except UnicodeDecodeError as error:
            self.at = start
            raise self.error(f"{what} is no UTF-16") from error

    def error(self, what: str) -> UserLexiconError:
        return UserLexiconError(
            f"{self._name!r}, byte {self.at}: {what}; the file is damaged, get it again"
        )
