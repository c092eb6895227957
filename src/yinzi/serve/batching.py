"""Gather work into batches: one queue, one thread that converts, and a bound on what may wait.

Lines of requests that arrive within a few milliseconds of each other, or while the thread is busy,
are converted together, which the library does faster than one by one. Several requests take turns:
a batch of hundreds of lines does not hold up a single line for longer than one round. The bound is
what keeps an overloaded service quick: work beyond it is refused at once, so what was accepted is
answered in time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from yinzi.serve.metrics import Metrics
from yinzi.serve.problems import Problem
from yinzi.serve.settings import Settings

__all__ = ["Batcher", "units_of"]

Answer = TypeVar("Answer")

_CHARACTERS_A_UNIT = 32
_LINES_A_TURN = 16
_FIRST_GUESS = 0.005  # seconds a unit, until there is a measurement

_log = logging.getLogger(__name__)


def units_of(text: str) -> int:
    """Return how much work a line is.

    >>> [units_of("nihao"), units_of("a" * 33)]
    [1, 2]
    """
    return 1 + max(0, len(text) - 1) // _CHARACTERS_A_UNIT


@dataclass(eq=False)
class _Job:
    """A request in the queue: lines to convert together with others, or one call.

    Attributes:
        kind: lines of equal kind are converted together.
        lines: what is left to convert.
        units: of each line.
        answers: of all lines, filled in as they come.
        done: resolved with the answers.
    """

    kind: Hashable
    lines: Sequence[Any]
    units: Sequence[int]
    done: asyncio.Future[list[Any]]
    answers: list[Any] = field(default_factory=list)
    n_taken: int = 0
    created: float = field(default_factory=time.monotonic)


@dataclass
class _Part:
    """Lines of a job that are taken up together."""

    job: _Job
    first: int
    last: int


class Batcher:
    """Run work in one thread, in batches.

    Args:
        convert: takes a kind and lines, returns an answer for each; called in the thread.
        settings: window, sizes and time limits.
        metrics: counts.
    """

    def __init__(
        self,
        convert: Callable[[Hashable, Sequence[Any]], Sequence[Any]],
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self._convert = convert
        self._settings = settings
        self._metrics = metrics
        self._jobs: deque[_Job] = deque()
        self._queued_units = 0
        self._arrived = asyncio.Event()
        self._seconds_a_unit = _FIRST_GUESS
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="yinzi-convert")
        self._runner: asyncio.Task[None] | None = None
        self._is_closing = False

    def start(self) -> None:
        """Start taking up work; call it inside the event loop."""
        self._runner = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Finish what was accepted, then stop; further work is refused."""
        self._is_closing = True
        self._arrived.set()
        if self._runner is not None:
            await self._runner
        self._thread.shutdown(wait=True)

    @property
    def queued_units(self) -> int:
        """Work that waits."""
        return self._queued_units

    def check_room(self, n_units: int) -> None:
        """Refuse work that does not fit into the queue.

        Raises:
            Problem: 429, too much waits already; 503, the service is stopping.
        """
        if self._is_closing:
            raise Problem(503, "stopping", "the service is stopping: try again", retry_after=1)
        # One request may be larger than the queue, if nothing waits.
        if self._queued_units and self._queued_units + n_units > self._settings.queue_units:
            self._metrics.rejected.labels("queue").inc()
            raise Problem(
                429,
                "busy",
                "too much work is waiting: try again after the time in Retry-After",
                retry_after=self._queued_units * self._seconds_a_unit,
            )

    async def submit(self, kind: Hashable, lines: Sequence[Any], units: Sequence[int]) -> list[Any]:
        """Wait for the answers to some lines.

        Args:
            kind: lines of equal kind may be converted together.
            lines: at least one.
            units: work of each line.

        Raises:
            Problem: 429, too much waits already; 503, the service is stopping; 504, the answer
                took too long.
        """
        n_units = sum(units)
        self.check_room(n_units)
        job = _Job(kind, lines, units, asyncio.get_running_loop().create_future())
        job.answers = [None] * len(lines)
        self._jobs.append(job)
        self._count(n_units)
        self._arrived.set()
        try:
            return await asyncio.wait_for(job.done, self._settings.request_timeout)
        except asyncio.TimeoutError:
            self._metrics.rejected.labels("timeout").inc()
            raise Problem(
                504,
                "timeout",
                f"there was no answer within {self._settings.request_timeout:g} seconds: send "
                "fewer or shorter lines at once, or try again later",
            ) from None
        finally:
            self._drop(job)

    async def call(self, function: Callable[[], Answer], *, units: int = 1) -> Answer:
        """Wait for what a function returns that runs in the thread, in its turn; see `submit`."""
        answer: Answer = (await self.submit(_CALL, [function], [units]))[0]
        return answer

    async def call_now(self, function: Callable[[], Answer]) -> Answer:
        """Run a function in the thread without a place in the queue: for loading."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def _count(self, n_units: int) -> None:
        self._queued_units += n_units
        self._metrics.queue_units.set(self._queued_units)

    def _drop(self, job: _Job) -> None:
        """Take a job that nobody waits for any more out of the queue."""
        if job.n_taken < len(job.lines):
            self._count(-sum(job.units[job.n_taken :]))
            job.n_taken = len(job.lines)
            self._jobs.remove(job)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._jobs:
                if self._is_closing:
                    return
                self._arrived.clear()
                await self._arrived.wait()
                # The thread is idle: leave others a moment to join in.
                if self._settings.batch_window_ms and not self._is_closing:
                    await asyncio.sleep(self._settings.batch_window_ms / 1e3)
                continue
            parts = self._take()
            started = time.monotonic()
            for part in parts:
                if part.first == 0:
                    self._metrics.wait_seconds.observe(started - part.job.created)
            answers = await loop.run_in_executor(self._thread, self._work, parts)
            n_units = sum(sum(part.job.units[part.first : part.last]) for part in parts)
            spent = (time.monotonic() - started) / max(1, n_units)
            self._seconds_a_unit += 0.2 * (spent - self._seconds_a_unit)
            for part, answer in zip(parts, answers, strict=True):
                _finish(part, answer)

    def _take(self) -> list[_Part]:
        """Take up lines of the waiting jobs in turn, at least one line."""
        parts: list[_Part] = []
        room = self._settings.batch_units
        while self._jobs and room > 0:
            job = self._jobs.popleft()
            first = job.n_taken
            while job.n_taken < len(job.lines) and job.n_taken - first < _LINES_A_TURN:
                units = job.units[job.n_taken]
                if units > room and (parts or job.n_taken > first):
                    room = 0
                    break
                room -= units
                job.n_taken += 1
            if job.n_taken > first:
                self._count(-sum(job.units[first : job.n_taken]))
                parts.append(_Part(job, first, job.n_taken))
            if job.n_taken < len(job.lines):
                # Who has had a turn goes behind the others, who has not stays in front.
                (self._jobs.append if job.n_taken > first else self._jobs.appendleft)(job)
        return parts

    def _work(self, parts: Sequence[_Part]) -> list[list[Any] | Exception]:
        """Convert lines of one kind together; runs in the thread."""
        answers: list[list[Any] | Exception] = [[] for _ in parts]
        by_kind: dict[Hashable, list[int]] = {}
        for index, part in enumerate(parts):
            lines = part.job.lines[part.first : part.last]
            if part.job.kind is _CALL:
                try:
                    answers[index] = [function() for function in lines]
                except Exception as error:
                    answers[index] = error
            else:
                by_kind.setdefault(part.job.kind, []).append(index)
        for kind, indexes in by_kind.items():
            taken = [
                line
                for index in indexes
                for line in parts[index].job.lines[parts[index].first : parts[index].last]
            ]
            self._metrics.batch_lines.observe(len(taken))
            try:
                found = iter(self._convert(kind, taken))
                for index in indexes:
                    part = parts[index]
                    answers[index] = [next(found) for _ in range(part.last - part.first)]
            except Exception as error:
                for index in indexes:
                    answers[index] = error
        return answers


_CALL = object()


def _finish(part: _Part, answers: list[Any] | Exception) -> None:
    """Put answers in their places; the last ones resolve the job."""
    job = part.job
    if job.done.done():
        return
    if isinstance(answers, Exception):
        job.done.set_exception(answers)
        return
    job.answers[part.first : part.last] = answers
    if part.last == len(job.lines):
        job.done.set_result(job.answers)
