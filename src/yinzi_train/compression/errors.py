"""Name the error of a model that cannot be exported."""

from __future__ import annotations

from yinzi.errors import YinziError

__all__ = ["ExportError"]


class ExportError(YinziError):
    """A model cannot be exported, or what was exported does not do what the model does."""
