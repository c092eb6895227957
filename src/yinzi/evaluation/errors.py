"""Name the error of this part: a set, or what is to be scored with it, is not as it must be."""

from __future__ import annotations

from yinzi.errors import YinziError

__all__ = ["EvaluationError"]


class EvaluationError(YinziError):
    """An evaluation set cannot be read, or what is to be scored does not fit it."""
