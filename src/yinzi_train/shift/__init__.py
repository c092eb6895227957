"""Tell how far a text is from the training text, and what accuracy to expect on it."""

from __future__ import annotations

from yinzi_train.shift.errors import ShiftError

__all__ = ["ShiftError"]
