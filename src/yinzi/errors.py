"""Name every error that yinzi raises on purpose.

A message says what was given, what was expected and what to do. Callers catch `YinziError` for
all of them.
"""

from __future__ import annotations

__all__ = [
    "ArtifactError",
    "ConfigError",
    "InvalidPinyin",
    "LexiconError",
    "MissingExtra",
    "UserLexiconError",
    "YinziError",
]


class YinziError(Exception):
    """Base of all errors a caller of yinzi can act on."""


class InvalidPinyin(YinziError):  # noqa: N818 - the field's word, like InvalidSignature
    """A text that was to be read as pinyin is not pinyin."""


class ArtifactError(YinziError):
    """An artifact is missing, damaged, edited, or of a format this version cannot read."""


class LexiconError(YinziError):
    """A lexicon source or a lexicon table cannot be read."""


class ConfigError(YinziError):
    """A setting is unknown, out of range, or clashes with another."""


class MissingExtra(YinziError):  # noqa: N818 - says what is missing
    """A feature needs an optional dependency that is not installed."""


class UserLexiconError(YinziError):
    """The user lexicon, or a word or file for it, cannot be read or written."""
