"""Run several workers of a study: processes of this machine, or tasks of Ray.

Workers know nothing of one another; all they share is the study's storage. On Ray they are plain
tasks rather than trials of Ray Tune, whose searcher would hold the state of the study in the
driver: the storage has it already, with its pruning, its heartbeats and its resuming.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from yinzi.errors import ConfigError, MissingExtra, YinziError
from yinzi_train.training.errors import TrainingStopped
from yinzi_train.training.run_callback import Signals
from yinzi_train.tuning.config import StudyConfig
from yinzi_train.tuning.errors import TuningError
from yinzi_train.tuning.objective import Sources, open_objective

__all__ = ["run_workers"]

logger = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.5


def run_workers(
    folder: Path,
    config: StudyConfig,
    sources: Sources,
    *,
    n_workers: int,
    uses_ray: bool,
    poll: Callable[[], None],
) -> None:
    """Run workers until no trial is left.

    A worker that is killed is not replaced; the others take its trial over.

    Args:
        folder: of the study, which is claimed.
        config: of the study.
        sources: what it is measured on.
        n_workers: how many.
        uses_ray: as tasks of Ray instead of processes of this machine.
        poll: called about twice a second.

    Raises:
        TrainingStopped: a signal came; it was passed on, and the workers have saved.
        TuningError: no worker is left, or one could not work.
    """
    run = _run_on_ray if uses_ray else _run_here
    with Signals() as signals:
        watch = _Watch(signals, poll)
        messages = run(folder, config, sources, n_workers, watch)
    if signals.received is not None:
        raise TrainingStopped(
            f"stopped by {signal.Signals(signals.received).name}; all is saved, give the same "
            "command to go on",
            signals.received,
        )
    if len(messages) == n_workers:
        raise TuningError(f"no worker is left: {messages[0]}")
    for message in messages:
        logger.warning("a worker has ended before its time: %s", message)


class _Watch:
    """What the process that has started the workers does while they work."""

    def __init__(self, signals: Signals, poll: Callable[[], None]) -> None:
        self._signals = signals
        self.poll = poll

    @property
    def is_stopped(self) -> bool:
        """Whether a signal has come."""
        return self._signals.received is not None


def _run_here(
    folder: Path,
    config: StudyConfig,
    sources: Sources,
    n_workers: int,
    watch: _Watch,
) -> list[str]:
    """Run processes; return what those that have failed say."""
    context = multiprocessing.get_context("spawn")
    errors = context.SimpleQueue()
    processes = [
        context.Process(
            target=_work_here,
            args=(folder, config, sources, os.getpid(), errors),
            name=f"tuning-{number}",
        )
        for number in range(n_workers)
    ]
    try:
        for process in processes:
            process.start()
        is_passed_on = False
        while any(process.is_alive() for process in processes):
            if watch.is_stopped and not is_passed_on:
                is_passed_on = True
                for process in processes:
                    process.terminate()
            watch.poll()
            time.sleep(_POLL_SECONDS)
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
        for process in processes:
            process.join()
    messages = []
    while not errors.empty():
        messages.append(errors.get())
    for process in processes:
        status = process.exitcode or 0
        if status < 0 and not watch.is_stopped:
            messages.append(f"{process.name} was ended by {signal.Signals(-status).name}")
    return messages


def _work_here(
    folder: Path, config: StudyConfig, sources: Sources, parent: int, errors: Any
) -> None:
    """Run one worker in a process of its own."""
    try:
        _work(folder, config, sources, parent)
    except TrainingStopped:
        logger.debug("stopped")
    except YinziError as error:
        errors.put(str(error))
    except Exception as error:
        errors.put(f"unexpected {type(error).__name__}: {error}")


def _work(folder: Path, config: StudyConfig, sources: Sources, parent: int | None) -> None:
    from yinzi_train.training.processes import prepare_process

    prepare_process()
    from yinzi_train.tuning.worker import work

    work(folder, config, open_objective(config, sources), parent=parent)


def _run_on_ray(
    folder: Path,
    config: StudyConfig,
    sources: Sources,
    n_workers: int,
    watch: _Watch,
) -> list[str]:
    """Run tasks of Ray; return what those that have failed say."""
    whole = Sources(
        data=None if sources.data is None else sources.data.resolve(),
        dev=tuple(path.resolve() for path in sources.dev),
        artifact=None if sources.artifact is None else sources.artifact.resolve(),
        # A model may be named rather than be a folder.
        model=str(Path(sources.model).resolve())
        if sources.model is not None and Path(sources.model).exists()
        else sources.model,
    )
    placed = StudyConfig(config.study, config.parameters, config.fixed, config.folder.resolve())
    with _ray(n_workers) as ray:
        # A task that dies with its node is begun anew: the storage knows what is left to do.
        task = ray.remote(num_cpus=1, max_retries=2)(_work_on_ray)
        waiting = [task.remote(folder.resolve(), placed, whole) for _ in range(n_workers)]
        messages: list[str] = []
        is_passed_on = False
        while waiting:
            if watch.is_stopped and not is_passed_on:
                is_passed_on = True
                for one in waiting:
                    ray.cancel(one)  # an interrupt, after which the worker saves
            ended, waiting = ray.wait(waiting, timeout=_POLL_SECONDS)
            for one in ended:
                try:
                    message = ray.get(one)
                except ray.exceptions.RayError as error:
                    message = "" if is_passed_on else str(error)
                messages += [message] if message else []
            watch.poll()
        return messages


def _work_on_ray(folder: Path, config: StudyConfig, sources: Sources) -> str:
    """Run one worker in a task; return what has gone wrong, empty if nothing has."""
    try:
        _work(folder, config, sources, None)
    except TrainingStopped:
        return ""
    except YinziError as error:
        return str(error)
    return ""


@contextmanager
def _ray(n_workers: int) -> Iterator[Any]:
    """Use the running Ray, or the cluster that RAY_ADDRESS names, or one on this machine."""
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("--ray needs Ray: install it with pip install 'yinzi[train]'") from error
    is_ours = not ray.is_initialized()
    if is_ours:
        settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if not os.environ.get("RAY_ADDRESS"):
            settings |= {"num_cpus": n_workers, "include_dashboard": False}
        try:
            ray.init(**settings)
        except (ConnectionError, RuntimeError) as error:
            raise ConfigError(
                f"cannot reach Ray: {error}; check RAY_ADDRESS, or leave it out for workers here"
            ) from error
    try:
        yield ray
    finally:
        if is_ours:
            ray.shutdown()
