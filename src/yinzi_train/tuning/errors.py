"""Name what goes wrong in a study."""

from __future__ import annotations

from yinzi.errors import YinziError

__all__ = ["TuningError"]


class TuningError(YinziError):
    """A study cannot begin or go on."""
