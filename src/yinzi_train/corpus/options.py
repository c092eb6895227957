"""Set the options of the corpus stage: what is read, cleaned and dropped.

The defaults are those of the published dataset; docs/corpus.md says what each of them drops.
"""

from __future__ import annotations

import codecs
from dataclasses import asdict, dataclass
from typing import Any, Final

from yinzi.errors import ConfigError

__all__ = ["AUTO_ENCODING", "SCRIPTS", "CorpusOptions"]

AUTO_ENCODING: Final = "auto"
SCRIPTS: Final = ("t2s", "s2t", "off")


@dataclass(frozen=True)
class CorpusOptions:
    """All settings of the corpus stage.

    >>> CorpusOptions(script="t2s").near_threshold
    0.8

    Raises:
        ConfigError: a value is out of range; names the key.
    """

    # Reading
    text_column: str = "text"
    """Column or key that holds the text in CSV, TSV, JSONL, Parquet and `datasets`."""
    encoding: str = AUTO_ENCODING
    """Encoding of text files; "auto" finds UTF-8, GB18030 or Big5 by the first megabyte."""
    domain: str = ""
    """Domain of files whose name has none (`domain__name.txt`) and that no manifest lists."""
    licence: str = ""
    """Licence of files that no manifest lists."""
    skip_unreadable: bool = False
    """Leave out damaged files and rows and count them, instead of stopping at the first."""
    max_line_chars: int = 1_000_000
    """Longer lines of plain text are cut at a border; longer rows of a table are unreadable."""
    unit_bytes: int = 1 << 26
    """Plain files above this size, and tables where rows can be found, are cut into units."""

    # Cleaning
    remove_markup: bool = True
    """Strip HTML, Markdown, wiki and forum markup."""
    remove_urls: bool = True
    """Replace web addresses by a blank."""
    mask_personal_data: bool = True
    """Replace phone, identity card, bank card numbers and e-mail addresses by placeholders."""
    normalize_punctuation: bool = True
    """Write the punctuation beside hanzi full-width, shorten repeated marks."""
    script: str = "t2s"
    """"t2s" traditional to simplified, "s2t" the reverse, "off" neither."""
    split_sentences: bool = True
    """One row per sentence; otherwise one per line."""
    drop_boilerplate: bool = True
    """Drop copyright lines, navigation, calls to follow or share."""
    min_hanzi: int = 2
    """Rows with fewer hanzi are dropped."""
    max_chars: int = 256
    """Longer sentences are cut at clauses; what is still longer is dropped."""
    min_hanzi_share: float = 0.5
    """Least share of hanzi among hanzi and foreign words; kana and hangul count singly."""
    max_repeat: int = 4
    """Longer runs of one character are shortened to this length (digits excepted)."""
    min_distinct_share: float = 0.25
    """Rows of 16 characters or more with fewer distinct characters than this are dropped."""

    # Duplicates
    drop_exact: bool = True
    """Drop rows equal to an earlier one but for punctuation, white space and case."""
    drop_near: bool = True
    """Drop rows whose character n-grams are nearly those of an earlier one (MinHash)."""
    near_threshold: float = 0.8
    """Least estimated Jaccard similarity of near duplicates."""
    near_min_chars: int = 12
    """Shorter rows (hanzi, letters, digits) are never near duplicates."""
    near_ngram: int = 3
    """Characters in an n-gram, 1 to 3."""

    # Records
    sample_rows: int = 100
    """Dropped rows kept as a sample, for each reason."""
    seed: int = 1
    """Seed of the MinHash functions."""

    def __post_init__(self) -> None:
        _check_choice("script", self.script, SCRIPTS)
        if self.encoding != AUTO_ENCODING:
            try:
                codecs.lookup(self.encoding)
            except LookupError as error:
                raise ConfigError(
                    f"encoding is {self.encoding!r}: no such encoding; "
                    "use 'auto', 'utf-8', 'gb18030' or 'big5'"
                ) from error
            if codecs.encode("\n", self.encoding) != b"\n":
                raise ConfigError(
                    f"encoding is {self.encoding!r}: lines cannot be found in it; "
                    "convert the text to UTF-8 first"
                )
        for key, least, most in _RANGES:
            value = getattr(self, key)
            if not least <= value <= most:
                raise ConfigError(f"{key} is {value!r}: must be from {least} to {most}")

    def as_dict(self) -> dict[str, Any]:
        """Return the options by name, as they go into the manifest."""
        return asdict(self)


_RANGES: Final = (
    ("max_line_chars", 1_000, 1 << 30),
    ("unit_bytes", 1 << 10, 1 << 40),
    ("min_hanzi", 1, 10_000),
    ("max_chars", 8, 1_000_000),
    ("min_hanzi_share", 0.0, 1.0),
    ("max_repeat", 2, 1_000),
    ("min_distinct_share", 0.0, 1.0),
    ("near_threshold", 0.5, 1.0),
    ("near_min_chars", 3, 10_000),
    ("near_ngram", 1, 3),
    ("sample_rows", 0, 100_000),
)


def _check_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{key} is {value!r}: must be one of {', '.join(map(repr, choices))}")
