"""Read input lines from arguments or stdin, strictly as UTF-8, as they arrive.

Bytes are read and split here instead of by Python's text layer, because that layer cannot say
which line is damaged, splits at lone carriage returns, and waits for full buffers: a program that
writes one line to our stdin gets its answer at once.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Annotated, Final, Protocol

import typer

from yinzi.errors import YinziError

__all__ = ["DecodingErrors", "ErrorsOption", "TextsArgument", "decode_argument", "read_batches"]

_CHUNK_BYTES: Final = 1 << 16


class DecodingErrors(str, Enum):
    """What to do with bytes that are not UTF-8."""

    STRICT = "strict"
    REPLACE = "replace"


TextsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TEXT",
        help="Texts, each a line of its own. Without any, or with -, lines are read from stdin.",
        show_default=False,
    ),
]
ErrorsOption = Annotated[
    DecodingErrors,
    typer.Option("--errors", help="Stop at bytes that are not UTF-8, or replace them by U+FFFD."),
]


class _ByteStream(Protocol):
    """What is read from: a buffered binary stream."""

    def read1(self, size: int, /) -> bytes: ...


def read_batches(
    texts: Sequence[str] | None, *, batch_size: int, errors: DecodingErrors
) -> Iterator[list[str]]:
    """Yield lines in order, at most `batch_size` at a time, as soon as they are there.

    Lines end with a line feed, or a carriage return and a line feed; both are taken off, and so is
    a byte order mark before the first line. A last line without an end counts as a line. All else
    stays as it is: blanks, NUL, emoji.

    >>> list(read_batches(["nihao", "zai jian"], batch_size=9, errors=DecodingErrors.STRICT))
    [['nihao', 'zai jian']]

    Raises:
        YinziError: A line is not UTF-8; the lines before it have been yielded.
        typer.BadParameter: `-` is mixed with texts, or nothing is given and stdin is a terminal.
    """
    stream, label = _open_input(texts or [])
    number, offset = 0, 0  # of the next line
    for lines in _complete_lines(stream):
        batch: list[str] = []
        for line in lines:
            number += 1
            try:
                batch.append(_decode(line, is_first=number == 1, errors=errors))
            except UnicodeDecodeError as error:
                if batch:
                    yield batch
                raise YinziError(
                    f"{label} line {number} is not UTF-8: byte {error.start + 1} of the line is "
                    f"0x{line[error.start]:02x} (offset {offset + error.start}); convert the input "
                    "first, for example with iconv -f GB18030 -t UTF-8, or pass --errors replace"
                ) from error
            offset += len(line) + 1
            if len(batch) == batch_size:
                yield batch
                batch = []
        if batch:
            yield batch


def decode_argument(text: str, *, option: str) -> str:
    """Return the text of an option's value as UTF-8, whatever the locale.

    Python hands over arguments that the locale cannot decode with their bytes as surrogates.

    Raises:
        typer.BadParameter: The bytes are not UTF-8.
    """
    try:
        return _argument_bytes(text).decode("utf-8")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{option} {text!r} is not UTF-8, give it as UTF-8") from error


def _argument_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _open_input(texts: Sequence[str]) -> tuple[_ByteStream, str]:
    if texts and list(texts) != ["-"]:
        if "-" in texts:
            raise typer.BadParameter("give either texts or - for stdin, not both")
        lines = (_argument_bytes(text.removesuffix("\n")) + b"\n" for text in texts)
        return io.BytesIO(b"".join(lines)), "the argument's"
    if not texts and sys.stdin.isatty():
        raise typer.BadParameter("give texts, or pipe lines to stdin (- reads from the keyboard)")
    stream: _ByteStream = sys.stdin.buffer  # type: ignore[assignment]
    return stream, "stdin"


def _complete_lines(stream: _ByteStream) -> Iterator[list[bytes]]:
    """Yield the lines that each read completes, without their line feeds."""
    begun: list[bytes] = []  # pieces of a line whose end was not read yet
    while chunk := stream.read1(_CHUNK_BYTES):
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join([*begun, lines[0]])
            begun = []
            yield lines
        if rest:
            begun.append(rest)
    if begun:
        yield [b"".join(begun)]


def _decode(line: bytes, *, is_first: bool, errors: DecodingErrors) -> str:
    # The mark is taken off after decoding, so that positions in messages count from the real start.
    text = line.removesuffix(b"\r").decode("utf-8", errors.value)
    return text.removeprefix("\ufeff") if is_first else text
