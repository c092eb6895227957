"""Run the steps of a pass on datatrove's local or Ray executor, and report how far they are."""

from __future__ import annotations

import copy
import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.executor.ray import RayPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from loguru import logger as datatrove_logger

from yinzi.errors import ConfigError, MissingExtra, YinziError
from yinzi_train.corpus.errors import CorpusError
from yinzi_train.corpus.units import Unit
from yinzi_train.corpus.worker_pool import worker_pool

__all__ = ["EXECUTORS", "Progress", "ProgressCallback", "run_steps"]

logger = logging.getLogger(__name__)

EXECUTORS: Final = ("local", "ray")
POLL_SECONDS: Final = 0.5
RAY_GB_PER_TASK: Final = 1.0


@dataclass(frozen=True)
class Progress:
    """How far a stage of the run is.

    Attributes:
        stage: "clean", "duplicates" or "write".
        n_done: finished units.
        n_units: all units.
        done_share: share of the work done, by bytes, 0 to 1.
        seconds: since the stage began.
        seconds_left: estimate; None before the first unit is done.
    """

    stage: str
    n_done: int
    n_units: int
    done_share: float
    seconds: float
    seconds_left: float | None


ProgressCallback = Callable[[Progress], None]


class _LocalExecutor(LocalPipelineExecutor):
    """Local executor that leaves reporting to us, and with the workers of `worker_pool`.

    datatrove's own starts a manager process that outlives a killed run, and waits for ever for a
    worker that was killed. One worker runs in this process.
    """

    pipeline: Any

    def run(self) -> None:
        ranks = range(self.tasks)
        if self.workers == 1:
            for rank in ranks:
                self.run_task(rank)
            return
        with worker_pool(
            self.workers, initializer=_start_worker, arguments=(self,), start_method="forkserver"
        ) as pool:
            for task in as_completed([pool.submit(_run_task, rank) for rank in ranks]):
                task.result()

    def run_task(self, rank: int) -> None:
        """Do one task with steps of its own."""
        task = copy.copy(self)
        task.pipeline = copy.deepcopy(self.pipeline)
        task._run_for_rank(rank)

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> Any:
        datatrove_logger.disable("datatrove")
        return super()._run_for_rank(rank, local_rank, node_rank)


_executor: _LocalExecutor | None = None


def _start_worker(executor: _LocalExecutor) -> None:
    global _executor  # noqa: PLW0603 - one executor a worker process, not one a task
    _executor = executor


def _run_task(rank: int) -> None:
    assert _executor is not None
    _executor.run_task(rank)


class _RayExecutor(RayPipelineExecutor):
    """Ray executor that leaves a task's error in a file: datatrove's own only logs it."""

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> Any:
        datatrove_logger.disable("datatrove")
        try:
            return super()._run_for_rank(rank, local_rank, node_rank)
        except YinziError as error:
            self._leave(rank, str(error))
            raise
        except Exception:
            self._leave(rank, traceback.format_exc())
            raise

    def _leave(self, rank: int, message: str) -> None:
        with self.logging_dir.open(f"errors/{rank:05d}.txt", "w") as file:
            file.write(message)


def run_steps(
    steps: Sequence[PipelineStep],
    units: Sequence[Unit],
    *,
    stage: str,
    is_done: Callable[[Unit], bool],
    log_folder: Path,
    executor: str,
    workers: int,
    progress: ProgressCallback | None,
    n_before: int = 0,
) -> None:
    """Run one task per unit; return when all are done.

    Args:
        steps: the pipeline; task number `rank` works on unit number `rank`.
        units: what is still to do.
        stage: name for progress.
        is_done: tells whether a unit is finished.
        log_folder: for datatrove's logs.
        executor: "local" or "ray".
        workers: tasks at the same time.
        progress: called about twice a second.
        n_before: units that an earlier run finished.

    Raises:
        CorpusError: a task failed.
        YinziError: a worker process was killed, likely for want of memory.
    """
    if executor not in EXECUTORS:
        raise ConfigError(f"executor is {executor!r}: must be one of {', '.join(EXECUTORS)}")
    if workers < 1:
        raise ConfigError(f"workers is {workers}: must be 1 or more")
    if not units:
        return
    settings: dict[str, Any] = {
        "tasks": len(units),
        "workers": min(workers, len(units)),
        "logging_dir": str(log_folder),
        "skip_completed": False,
    }
    with _quiet(), _watching(units, is_done, stage, n_before, progress):
        if executor == "local":
            _LocalExecutor(list(steps), **settings).run()
        else:
            with _ray(workers):
                _RayExecutor(list(steps), mem_per_cpu_gb=RAY_GB_PER_TASK, **settings).run()
    unfinished = [unit.name for unit in units if not is_done(unit)]
    if unfinished:
        raise CorpusError(_failure(unfinished, log_folder))


def _failure(unfinished: list[str], log_folder: Path) -> str:
    messages = sorted((log_folder / "errors").glob("*.txt"))
    if messages:
        return messages[0].read_text(encoding="utf-8")
    names = ", ".join(map(repr, unfinished[:5]))
    return f"{len(unfinished)} units were not finished ({names}); run again to go on with them"


@contextmanager
def _quiet() -> Iterator[None]:
    datatrove_logger.disable("datatrove")
    try:
        yield
    finally:
        datatrove_logger.enable("datatrove")


@contextmanager
def _ray(workers: int) -> Iterator[None]:
    """Use the running Ray, or the cluster that RAY_ADDRESS names, or one on this machine."""
    try:
        import ray
    except ImportError as error:
        raise MissingExtra(
            "executor 'ray' needs Ray: install it with pip install 'yinzi[train]'"
        ) from error
    if ray.is_initialized():
        yield
        return
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    else:
        ray.init(
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _watching(
    units: Sequence[Unit],
    is_done: Callable[[Unit], bool],
    stage: str,
    n_before: int,
    progress: ProgressCallback | None,
) -> Iterator[None]:
    """Call `progress` from a thread as units are finished."""
    if progress is None:
        yield
        return
    begin = time.monotonic()
    stop = threading.Event()
    waiting = list(units)
    total = sum(unit.n_bytes + 1 for unit in units)

    def report() -> None:
        nonlocal waiting
        waiting = [unit for unit in waiting if not is_done(unit)]
        share = 1 - sum(unit.n_bytes + 1 for unit in waiting) / total
        seconds = time.monotonic() - begin
        progress(
            Progress(
                stage=stage,
                n_done=n_before + len(units) - len(waiting),
                n_units=n_before + len(units),
                done_share=share,
                seconds=seconds,
                seconds_left=seconds * (1 - share) / share if share else None,
            )
        )

    def watch() -> None:
        while not stop.wait(POLL_SECONDS):
            report()

    thread = threading.Thread(target=watch, name="corpus-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        report()
