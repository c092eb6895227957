"""Read and write word lists of other programs; see docs/user-lexicon.md for the formats."""

from __future__ import annotations

from yinzi.user.formats.reading import (
    ImportedWord,
    ImportReport,
    WordListFormat,
    import_words,
    parse_words,
)
from yinzi.user.formats.writing import export_words

__all__ = [
    "ImportReport",
    "ImportedWord",
    "WordListFormat",
    "export_words",
    "import_words",
    "parse_words",
]
