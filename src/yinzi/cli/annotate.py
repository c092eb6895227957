"""The command `yinzi annotate`: hanzi lines to pinyin lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from yinzi.cli import loading
from yinzi.cli.lines import DecodingErrors, ErrorsOption, TextsArgument, read_batches
from yinzi.cli.loading import ArtifactOption
from yinzi.cli.running import DebugOption

if TYPE_CHECKING:
    from yinzi.pinyin import Syllable

__all__ = ["EXAMPLES", "Style", "annotate", "render_annotation"]

EXAMPLES = """Example:

$ yinzi annotate 银行行长

yín háng háng zhǎng"""


class Style(str, Enum):
    """How a syllable is written."""

    MARKS = "marks"
    DIGITS = "digits"
    ZHUYIN = "zhuyin"


def annotate(
    texts: TextsArgument = None,
    *,
    style: Annotated[
        Style, typer.Option("--style", help="Tone marks, tone digits, or zhuyin.")
    ] = Style.MARKS,
    artifact: ArtifactOption = "base",
    errors: ErrorsOption = DecodingErrors.STRICT,
    debug: DebugOption = False,
) -> None:
    """Write the pinyin of hanzi, one line at a time.

    Polyphones are read by the word they stand in. Syllables are separated by blanks; everything
    that is no hanzi passes through.
    """
    converter = None
    for lines in read_batches(texts, batch_size=256, errors=errors):
        converter = converter or loading.load_converter(artifact)
        for line in lines:
            sys.stdout.write(render_annotation(converter.annotate(line), style) + "\n")
        sys.stdout.flush()


def render_annotation(parts: Sequence[tuple[str, Syllable | None]], style: Style) -> str:
    """Join syllables and passed-through text.

    A blank stands between two syllables, and between a syllable and a letter or digit; none before
    or after punctuation and blanks.
    """
    written: list[str] = []
    was_syllable = False
    for text, syllable in parts:
        if syllable is None:
            shown = text.replace("\r", " ").replace("\n", " ")
            is_apart = was_syllable and shown[:1].isalnum()
        else:
            shown = _write_syllable(syllable, style)
            is_apart = was_syllable or (bool(written) and written[-1][-1:].isalnum())
        if is_apart:
            written.append(" ")
        if shown:
            written.append(shown)
            was_syllable = syllable is not None
    return "".join(written)


def _write_syllable(syllable: Syllable, style: Style) -> str:
    if style is Style.DIGITS:
        return syllable.to_digits()
    if style is Style.ZHUYIN:
        return syllable.to_zhuyin()
    return syllable.to_marks()
