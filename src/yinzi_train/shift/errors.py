"""Name the error of a comparison that cannot be made."""

from __future__ import annotations

from yinzi.errors import YinziError

__all__ = ["ShiftError"]


class ShiftError(YinziError):
    """A text holds nothing to compare, or the figures to compare it with cannot be used."""
