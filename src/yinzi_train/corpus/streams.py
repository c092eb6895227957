"""Read lines from files of bytes, compressed or not, in bounded memory.

Blocks of whole lines are decoded at once, 1 MiB at a time; a line without an end never fills the
memory: it is cut at a border of sentences, clauses or words, or reported.
"""

from __future__ import annotations

import codecs
import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, cast

import pyarrow as pa
import zstandard

from yinzi_train.corpus.errors import UnreadableSource
from yinzi_train.corpus.sources import Source
from yinzi_train.corpus.zstd_frames import is_whole

__all__ = ["Line", "ReadLog", "open_bytes", "read_lines", "reading"]

BLOCK_BYTES: Final = 1 << 20

Line = tuple[int, int, str]
"""Line number from 0, number of the piece of a line that was cut, text."""

_DAMAGE: Final = (
    OSError,
    EOFError,
    lzma.LZMAError,
    gzip.BadGzipFile,
    zstandard.ZstdError,
    ValueError,
    zlib.error,
    pa.ArrowException,
)
_MAX_MESSAGES: Final = 20


@dataclass
class ReadLog:
    """What was left out while reading.

    Attributes:
        skip: count rows that cannot be read; otherwise the first one is an error.
        counts: rows and files left out, by reason.
        messages: the first messages.
        n_lines_cut: lines that were too long and became several rows.
    """

    skip: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    n_lines_cut: int = 0

    def count(self, reason: str) -> None:
        """Count something that is passed over on purpose."""
        self.counts[reason] = self.counts.get(reason, 0) + 1

    def report(self, message: str, *, reason: str = "unreadable_row") -> None:
        """Raise the message, or note it if unreadable rows are skipped."""
        if not self.skip:
            raise UnreadableSource(f"{message}; repair it, or pass skip_unreadable to leave it out")
        self.count(reason)
        if len(self.messages) < _MAX_MESSAGES:
            self.messages.append(message)


@contextmanager
def reading(source: Source, place: str = "") -> Iterator[None]:
    """Turn what a damaged file raises into `UnreadableSource` with its name."""
    try:
        yield
    except UnreadableSource:
        raise
    except _DAMAGE as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise UnreadableSource(
            f"cannot read {source.relative!r}{place}: {reason or type(error).__name__}; "
            "the file is damaged or cut off, fetch it again"
        ) from error


@contextmanager
def open_bytes(source: Source) -> Iterator[BinaryIO]:
    """Open a file for reading its bytes, decompressed."""
    if source.compression == "gz":
        with gzip.open(source.path, "rb") as stream:
            yield cast(BinaryIO, stream)
    elif source.compression == "xz":
        with lzma.open(source.path, "rb") as stream:
            yield cast(BinaryIO, stream)
    elif source.compression == "zst":
        reader = zstandard.ZstdDecompressor().stream_reader
        with source.path.open("rb") as raw, reader(raw, read_across_frames=True) as stream:
            yield cast(BinaryIO, _WholeFrames(stream, source.path))
    else:
        with source.path.open("rb") as stream:
            yield stream


class _WholeFrames:
    """Read zstd frames; a file that is cut off is an error, as with gzip and xz."""

    def __init__(self, stream: zstandard.ZstdDecompressionReader, path: Path) -> None:
        self._stream = stream
        self._path = path

    def read(self, size: int) -> bytes:
        block = self._stream.read(size)
        if not block and not is_whole(self._path):
            raise EOFError("Compressed file ended before the end-of-stream marker was reached")
        return block


def read_lines(
    stream: BinaryIO,
    source: Source,
    log: ReadLog,
    *,
    encoding: str,
    max_chars: int,
    cut_long: bool,
    n_bytes: int | None = None,
    first_line: int = 0,
    offset: int = 0,
) -> Iterator[Line]:
    r"""Yield the lines of a stream, without their ends (`\n` or `\r\n`).

    A line longer than `max_chars` is cut into pieces at borders, or reported if `cut_long` is
    False. A line that is not text in the encoding is reported with its number and byte.
    """
    number, remaining, rest = first_line, n_bytes, b""
    max_bytes = 4 * max_chars
    piece, discarding = 0, False
    while block := stream.read(BLOCK_BYTES if remaining is None else min(BLOCK_BYTES, remaining)):
        if remaining is not None:
            remaining -= len(block)
        if offset == 0 and not rest and block.startswith(codecs.BOM_UTF8):
            block, offset = block[len(codecs.BOM_UTF8) :], len(codecs.BOM_UTF8)
        end = block.rfind(b"\n")
        if end < 0:
            rest += block
            if len(rest) > max_bytes:
                if cut_long:
                    pieces, tail = _cut_bytes(
                        rest,
                        source,
                        log,
                        number=number,
                        encoding=encoding,
                        max_chars=max_chars,
                        offset=offset,
                    )
                    offset += len(rest) - len(tail)
                    rest = tail
                    for cut in pieces:
                        yield number, piece, cut
                        piece += 1
                elif not discarding:
                    discarding = True
                    log.report(_too_long(source, number, max_chars))
                if discarding:
                    offset += len(rest)
                    rest = b""
            continue
        whole, tail = rest + block[:end], block[end + 1 :]
        for text in _decode_lines(
            whole, source, log, number=number, encoding=encoding, offset=offset
        ):
            if discarding:
                discarding = False
            elif text is not None and len(text) > max_chars:
                if cut_long:
                    for cut in _cut(text, max_chars):
                        yield number, piece, cut
                        piece += 1
                    log.n_lines_cut += 1
                else:
                    log.report(_too_long(source, number, max_chars))
            elif text is not None:
                yield number, piece, text
                log.n_lines_cut += piece > 0
            number, piece = number + 1, 0
        offset += len(whole) + 1
        rest = tail
    if rest and not discarding:
        for text in _decode_lines(
            rest, source, log, number=number, encoding=encoding, offset=offset
        ):
            if text is not None:
                for cut in _cut(text, max_chars) if cut_long else [text]:
                    yield number, piece, cut
                    piece += 1
                log.n_lines_cut += piece > 1


def _decode_lines(
    block: bytes, source: Source, log: ReadLog, *, number: int, encoding: str, offset: int
) -> list[str | None]:
    """Decode whole lines; None for a line that is not text."""
    try:
        text = block.decode(encoding)
        lines: list[str | None] = list(text.split("\n"))
        if "\r" in text:
            lines = [line.removesuffix("\r") if line else line for line in lines]
        return lines
    except UnicodeDecodeError:
        lines = []
        for at, raw in enumerate(block.split(b"\n"), number):
            try:
                lines.append(raw.removesuffix(b"\r").decode(encoding))
            except UnicodeDecodeError as error:
                log.report(_invalid(source, at, offset, error))
                lines.append(None)
            offset += len(raw) + 1
        return lines


def _invalid(source: Source, number: int, offset: int, error: UnicodeDecodeError) -> str:
    return (
        f"cannot read {source.relative!r}: line {number + 1} is not {error.encoding} at byte "
        f"{offset + error.start} ({error.object[error.start]:#04x})"
    )


def _too_long(source: Source, number: int, max_chars: int) -> str:
    return (
        f"cannot read {source.relative!r}: line {number + 1} is longer than {max_chars} characters"
    )


def _cut_bytes(
    raw: bytes,
    source: Source,
    log: ReadLog,
    *,
    number: int,
    encoding: str,
    max_chars: int,
    offset: int,
) -> tuple[list[str], bytes]:
    """Cut the pieces off an unfinished line; return them and the bytes that are left."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        text = decoder.decode(raw)
        open_bytes_left = decoder.getstate()[0]
    except UnicodeDecodeError as error:
        log.report(_invalid(source, number, offset, error))
        text, open_bytes_left = raw.decode(encoding, "ignore"), b""
    pieces = _cut(text, max_chars)
    return pieces[:-1], pieces[-1].encode(encoding) + open_bytes_left


_BORDERS: Final = ("。！？!?", "；;，,、", " \t\u3000")


def _cut(text: str, max_chars: int) -> list[str]:
    """Cut a text into pieces of at most `max_chars`, at the best border in the latter half.

    >>> _cut("一二。三四五六", 4)
    ['一二。', '三四五六']
    """
    pieces = []
    while len(text) > max_chars:
        for border in _BORDERS:
            end = 1 + max(text.rfind(mark, max_chars // 2, max_chars) for mark in border)
            if end > 0:
                break
        else:
            end = max_chars
        pieces.append(text[:end])
        text = text[end:]
    return [*pieces, text]
