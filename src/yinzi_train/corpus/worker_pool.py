"""Start worker processes that end with their parent, however that ends.

A pool's workers wait for work for ever if their parent is killed; these look after it. A worker
that is killed itself, likely for want of memory, ends the pool with a message.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from yinzi.errors import YinziError

__all__ = ["worker_pool"]


@contextmanager
def worker_pool(
    n_workers: int,
    *,
    initializer: Callable[..., None],
    arguments: tuple[Any, ...],
    start_method: str = "fork",
) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """Give a pool of processes, which are ended at once if the block fails.

    Args:
        n_workers: processes.
        initializer: called in each of them first.
        arguments: what it is called with.
        start_method: "fork": workers share the arguments' memory; "forkserver": each gets a copy,
            and this process may have threads. Where the system has neither: "spawn".

    Raises:
        YinziError: a process was killed from outside.
    """
    known = start_method in multiprocessing.get_all_start_methods()
    others = set(multiprocessing.active_children())
    pool = concurrent.futures.ProcessPoolExecutor(
        n_workers,
        multiprocessing.get_context(start_method if known else "spawn"),
        initializer=_start_worker,
        initargs=(initializer, arguments),
    )
    try:
        yield pool
    except BaseException as error:
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        if not isinstance(error, BrokenProcessPool):
            raise
        raise YinziError(
            "a worker process was killed, likely for want of memory: run the same command again "
            "with fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker(initializer: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    initializer(*arguments)


def _leave_with_parent() -> None:
    """End this process when its parent was killed and cannot tell it to."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
