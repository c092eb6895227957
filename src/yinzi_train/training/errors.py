"""Name what ends a training run before its time."""

from __future__ import annotations

import signal

from yinzi.errors import YinziError

__all__ = ["TrainingError", "TrainingStopped"]


class TrainingError(YinziError):
    """Training cannot begin or go on."""


class TrainingStopped(YinziError):  # noqa: N818 - somebody asked for it
    """A signal has stopped training; its state was saved.

    Attributes:
        signal_number: which signal.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number

    @property
    def exit_status(self) -> int:
        """What a program that a signal has ended returns: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self.signal_number

    @property
    def signal_name(self) -> str:
        """Name of the signal."""
        return signal.Signals(self.signal_number).name
