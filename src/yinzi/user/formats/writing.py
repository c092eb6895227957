"""Write a user's words as a word list that people and other programs can read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from yinzi.errors import UserLexiconError
from yinzi.user.formats.reading import WordListFormat
from yinzi.user.records import UserWord

__all__ = ["export_words", "render_words"]

_RIME_HEADER = """# Rime dictionary
---
name: yinzi_user
version: "1"
sort: by_weight
columns:
  - text
  - code
  - weight
...
"""
_TSV_HEADER = "# word\tpinyin\tcommits that it counts for\n"


def render_words(words: Iterable[UserWord], form: WordListFormat) -> str:
    r"""Return words as a list; forgotten ones are left out.

    Raises:
        UserLexiconError: the format is one that is only read.
    """
    if form not in (WordListFormat.TSV, WordListFormat.RIME):
        raise UserLexiconError(f"cannot write the format {form.value!r}: expected 'tsv' or 'rime'")
    is_rime = form is WordListFormat.RIME
    lines = [_RIME_HEADER if is_rime else _TSV_HEADER]
    for word in words:
        if word.is_forgotten or word.weight <= 0:
            continue
        # Rime takes whole numbers.
        weight = str(max(1, round(word.weight * 100))) if is_rime else f"{word.weight:.3g}"
        lines.append(f"{word.text}\t{' '.join(word.syllables)}\t{weight}\n")
    return "".join(lines)


def export_words(words: Iterable[UserWord], path: Path, form: WordListFormat) -> None:
    """Write words to a file, as a whole or not at all.

    Raises:
        UserLexiconError: the format is one that is only read, or the file cannot be written.
    """
    text = render_words(words, form)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserLexiconError(f"cannot write {str(path)!r}: {error.strerror}") from error
