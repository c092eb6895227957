"""Show how far a training run is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import math
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from yinzi_train.training.run_callback import TrainingProgress

__all__ = ["TrainingDisplay"]

SECONDS_BETWEEN_LINES: Final = 30.0


class TrainingDisplay(logging.Handler):
    """Show progress, and what the package logs, on stderr; a context manager."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._bar: Any = None
        self._task: Any = None
        self._last_line = -math.inf

    def __enter__(self) -> TrainingDisplay:
        """Begin to show."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._logger = logging.getLogger("yinzi_train")
        self._level = self._logger.level
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)
        console = Console(stderr=True)
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
            )
            # Drawn when something is done, not by a thread that would take time from the training.
            self._bar = Progress(*columns, console=console, transient=True, auto_refresh=False)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop showing."""
        if self._bar is not None:
            self._bar.stop()
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line of the log."""
        self._print(self.format(record))

    def tell(self, line: str) -> None:
        """Write a line above the bar."""
        self._print(line)

    def prepared(self, n_done: int, n_total: int) -> None:
        """Show how many rows were read for vocabularies and weights."""
        if self._bar is not None:
            self._show("rows", n_done, n_total, "")
        elif self._is_time() and n_done < n_total:
            self._print(f"preparing: {n_done / n_total:.0%} of the rows")

    def trained(self, progress: TrainingProgress) -> None:
        """Show the figures after a step."""
        figures = (
            f"{progress.n_targets / 1e6:.2f} M targets, loss {progress.loss:.4f}, "
            f"accuracy {progress.accuracy:.4f}, {progress.tokens_per_second:,.0f} tokens/s, "
            f"{_duration(progress.seconds_left)} left"
        )
        if self._bar is not None:
            self._show("steps", progress.step, progress.max_steps, figures)
        elif self._is_time() or progress.step == progress.max_steps:
            self._print(f"step {progress.step} of {progress.max_steps}: {figures}")

    def _show(self, name: str, n_done: int, n_total: int, figures: str) -> None:
        if self._task is None:
            self._task = self._bar.add_task(name, total=n_total, figures=figures)
        self._bar.update(
            self._task,
            description=name,
            completed=n_done,
            total=n_total,
            figures=figures,
            refresh=True,
        )

    def _is_time(self) -> bool:
        now = time.monotonic()
        if now - self._last_line < SECONDS_BETWEEN_LINES:
            return False
        self._last_line = now
        return True

    def _print(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    """Return hours, minutes and seconds.

    >>> _duration(3725), _duration(59.6)
    ('1:02:05', '1:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
