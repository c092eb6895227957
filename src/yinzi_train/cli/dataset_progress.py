"""Show how far the stages of a dataset are, and when they will be done.

Stages have one bar each and share one estimate: what a stage costs in relation to the others was
measured, so the time that the first took tells about the last.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["BuildProgress"]

STAGE_COSTS: Final = {"corpus": 55.0, "labelling": 33.0, "dataset": 12.0}
"""Seconds of a core for the same text, in relation to each other."""

SECONDS_BETWEEN_LINES: Final = 30.0


class BuildProgress:
    """Progress on stderr: bars on a terminal, else a line for each half minute and each stage.

    Args:
        stages: that will run, in order.
        clock: gives seconds.
    """

    def __init__(
        self, stages: Sequence[str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stages = list(stages)
        self._clock = clock
        self._last_line = clock()
        self._stage_started: dict[str, float] = {}
        self._shares = dict.fromkeys(stages, 0.0)  # of each stage that is done
        self._kept = dict.fromkeys(stages, 0.0)  # of each stage that was done before
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> BuildProgress:
        """Start to draw."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        console = Console(stderr=True)
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[left]}"),
            )
            self._bars = Progress(*columns, console=console, auto_refresh=False)
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop drawing."""
        if self._bars is not None:
            self._bars.stop()

    def update(self, stage: str, n_done: int, n_total: int) -> None:
        """Tell that a stage has done so much of so much."""
        share = n_done / n_total if n_total else 1.0
        if stage not in self._stage_started:
            self._stage_started[stage] = self._clock()
            self._kept[stage] = share
        is_finished = share >= 1 > self._shares[stage]
        self._shares[stage] = share
        left = self.left()
        if self._bars is not None:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=n_total, left="")
            self._bars.update(self._tasks[stage], completed=n_done, left=left, refresh=True)
        elif is_finished or self._clock() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = self._clock()
            seconds = self._clock() - self._stage_started[stage]
            print(
                f"{stage}: {share:.0%} in {seconds:.0f} s{left and ', '}{left}",
                file=sys.stderr,
                flush=True,
            )

    def left(self) -> str:
        """Say how long all stages will still take; empty if it cannot be told yet."""
        done = sum(
            STAGE_COSTS[stage] * (self._shares[stage] - self._kept[stage]) for stage in self._stages
        )
        rest = sum(STAGE_COSTS[stage] * (1 - self._shares[stage]) for stage in self._stages)
        begun = [at for stage, at in self._stage_started.items() if self._kept[stage] < 1]
        passed = self._clock() - min(begun, default=self._clock())
        if rest <= 0 or done <= 0 or passed < 1:
            return ""
        minutes, seconds = divmod(round(passed * rest / done), 60)
        return f"about {minutes}:{seconds:02d} left"
