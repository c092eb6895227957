"""Start worker processes that end with their parent, however that ends.

A pool's workers wait for work for ever if their parent is killed; these look after it. A worker
that is killed itself, likely for want of memory, ends the pool with a message.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from yinzi.errors import YinziError

__all__ = ["worker_pool"]


@contextmanager
def worker_pool(
    n_workers: int, *, initializer: Callable[..., None], arguments: tuple[Any, ...]
) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """Give a pool of processes; work that has not begun is dropped if the block fails.

    Args:
        n_workers: processes.
        initializer: called in each of them first.
        arguments: what it is called with.

    Raises:
        YinziError: a process was killed from outside.
    """
    # Forked workers share the arguments' memory; elsewhere each gets a copy.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    pool = concurrent.futures.ProcessPoolExecutor(
        n_workers,
        multiprocessing.get_context(method),
        initializer=_start_worker,
        initargs=(os.getpid(), initializer, arguments),
    )
    try:
        yield pool
    except BrokenProcessPool as error:
        raise YinziError(
            "a worker process was killed, likely for want of memory: run the same command again "
            "with fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker(
    parent_id: int, initializer: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    initializer(*arguments)
    threading.Thread(target=_leave_with_parent, args=(parent_id,), daemon=True).start()


def _leave_with_parent(parent_id: int) -> None:
    """End this process when its parent was killed and cannot tell it to."""
    while os.getppid() == parent_id:
        time.sleep(0.5)
    os._exit(1)
