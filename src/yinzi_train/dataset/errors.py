"""Name the error of a dataset that cannot be built, opened or queried."""

from __future__ import annotations

from yinzi.errors import YinziError

__all__ = ["DatasetError"]


class DatasetError(YinziError):
    """A dataset folder is missing, unfinished, damaged, or cannot be written."""
