from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any

import pytest

from yinzi.serve.batching import Batcher
from yinzi.serve.metrics import Metrics
from yinzi.serve.problems import Problem
from yinzi.serve.settings import Settings


class Recorder:
    """Answer every line with itself and remember the batches; wait for `gate` if it is closed."""

    def __init__(self, delay: float = 0.0) -> None:
        self.batches: list[tuple[Hashable, list[Any]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.delay = delay

    def __call__(self, kind: Hashable, lines: Sequence[Any]) -> Sequence[Any]:
        self.gate.wait(10)
        time.sleep(self.delay)
        self.batches.append((kind, list(lines)))
        if "bad" in lines:
            raise ZeroDivisionError
        return [f"<{line}>" for line in lines]


def run(recorder: Recorder, body: Callable[[Batcher], Awaitable[Any]], **settings: Any) -> Any:
    async def main() -> Any:
        batcher = Batcher(recorder, Settings(**settings), Metrics())
        batcher.start()
        try:
            return await body(batcher)
        finally:
            recorder.gate.set()
            await batcher.close()

    return asyncio.run(main())


def test_requests_that_come_together_are_one_batch() -> None:
    recorder = Recorder()

    async def body(batcher: Batcher) -> Any:
        return await asyncio.gather(*(batcher.submit("k", [str(i)], [1]) for i in range(8)))

    answers = run(recorder, body, batch_window_ms=20)
    assert answers == [[f"<{i}>"] for i in range(8)]
    assert len(recorder.batches) == 1


def test_kinds_are_not_mixed_and_answers_keep_their_order() -> None:
    recorder = Recorder()

    async def body(batcher: Batcher) -> Any:
        return await asyncio.gather(
            *(batcher.submit(f"k{i % 2}", [f"{i}a", f"{i}b"], [1, 1]) for i in range(4))
        )

    answers = run(recorder, body, batch_window_ms=20)
    assert answers == [[f"<{i}a>", f"<{i}b>"] for i in range(4)]
    assert {kind for kind, _ in recorder.batches} == {"k0", "k1"}


def test_a_large_request_does_not_hold_up_a_small_one() -> None:
    recorder = Recorder(delay=0.01)
    finished: list[str] = []

    async def body(batcher: Batcher) -> None:
        async def ask(name: str, n_lines: int) -> None:
            await batcher.submit("k", [name] * n_lines, [1] * n_lines)
            finished.append(name)

        large = asyncio.create_task(ask("large", 200))
        await asyncio.sleep(0.005)
        await asyncio.gather(large, ask("small", 1))

    run(recorder, body, batch_units=16)
    assert finished == ["small", "large"]


def test_what_does_not_fit_is_refused_at_once() -> None:
    recorder = Recorder()
    recorder.gate.clear()

    async def body(batcher: Batcher) -> None:
        tasks = []
        for _ in range(3):
            tasks.append(asyncio.create_task(batcher.submit("k", ["a"] * 4, [1] * 4)))
            await asyncio.sleep(0.05)
        assert batcher.queued_units == 8  # four more are in the thread
        started = time.monotonic()
        with pytest.raises(Problem) as refused:
            await batcher.submit("k", ["b"], [1])
        assert time.monotonic() - started < 1.0
        assert refused.value.status == 429
        assert refused.value.retry_after is not None
        recorder.gate.set()
        await asyncio.gather(*tasks)
        assert await batcher.submit("k", ["b"], [1]) == ["<b>"]
        assert batcher.queued_units == 0

    run(recorder, body, queue_units=8, batch_units=4, batch_window_ms=0)


def test_who_waited_too_long_is_told_and_leaves_the_queue() -> None:
    recorder = Recorder()
    recorder.gate.clear()

    async def body(batcher: Batcher) -> None:
        first = asyncio.create_task(batcher.submit("k", ["a"], [1]))
        await asyncio.sleep(0.02)
        with pytest.raises(Problem) as late:
            await batcher.submit("k", ["b", "c"], [1, 1])
        assert late.value.status == 504
        assert batcher.queued_units == 0
        with pytest.raises(Problem):
            await first
        recorder.gate.set()
        assert await batcher.submit("k", ["d"], [1]) == ["<d>"]

    run(recorder, body, request_timeout=0.1, batch_window_ms=0)
    assert [lines for _, lines in recorder.batches] == [["a"], ["d"]]


def test_closing_finishes_what_was_accepted_and_refuses_the_rest() -> None:
    recorder = Recorder(delay=0.02)

    async def main() -> None:
        batcher = Batcher(recorder, Settings(batch_units=1), Metrics())
        batcher.start()
        accepted = [asyncio.create_task(batcher.submit("k", [i], [1])) for i in range(5)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await batcher.submit("k", ["late"], [1])
        assert refused.value.status == 503
        assert await asyncio.gather(*accepted) == [[f"<{i}>"] for i in range(5)]
        await closing

    asyncio.run(main())


def test_a_failure_reaches_who_asked_and_nobody_else() -> None:
    recorder = Recorder()

    async def body(batcher: Batcher) -> None:
        answers = await asyncio.gather(
            batcher.submit("bad", ["bad"], [1]),
            batcher.submit("good", ["a"], [1]),
            batcher.call(lambda: 1 // 0),
            batcher.call(lambda: 7),
            return_exceptions=True,
        )
        assert isinstance(answers[0], ZeroDivisionError)
        assert answers[1] == ["<a>"]
        assert isinstance(answers[2], ZeroDivisionError)
        assert answers[3] == 7

    run(recorder, body)
