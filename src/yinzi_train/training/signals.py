"""Hear that a run should stop: by a signal, or by a word where signals do not come."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Final

__all__ = ["Signals", "request_stop"]

_listening: Final[list[Signals]] = []


class Signals:
    """Remember SIGINT and SIGTERM instead of dying of them, for as long as the block runs.

    A second SIGINT ends the program at once. In a thread other than the main one there are no
    signals; there, and here too, `request_stop` does the same.

    Attributes:
        received: the signal that came last, None before the first.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        """Take over."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._receive)
        _listening.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        """Give back."""
        _listening.remove(self)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number


def request_stop(number: int) -> None:
    """Let the runs of this process stop as if a signal had come; said twice, it is said once."""
    for signals in _listening:
        signals.received = number
