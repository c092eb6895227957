"""Set up the processes that train: how they use memory and cores, and how they are started.

Measured on a virtual machine of two cores: by default, glibc gives large blocks back to the system
and gets new ones at every step; each page costs 10 µs then, and a step a third more time. One
thread a process and two processes are faster than one process with two threads.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from yinzi_train.training.errors import TrainingError, TrainingStopped

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

__all__ = [
    "RAY_MARK",
    "is_worker",
    "keep_memory",
    "limit_threads",
    "prepare_process",
    "quiet_libraries",
    "record_error",
    "recorded_errors",
    "run_workers",
]

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_MMAP_BYTES: Final = 32 << 20
"""The most that glibc takes for it."""
_PAD_BYTES: Final = 256 << 20
_SIGNAL_BASE: Final = 128

RAY_MARK: Final = "YINZI_RAY_WORKER"
"""Variable of the environment that workers of Ray have."""
recorded_errors: Final[list[BaseException]] = []
"""Errors that a worker of Ray has recorded."""


def keep_memory() -> bool:
    """Let this process keep the memory it frees, for the next step; says whether that is so.

    Only glibc has the settings; elsewhere nothing is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None:
        return False
    settings = (
        (_M_MMAP_THRESHOLD, _MMAP_BYTES),
        (_M_TRIM_THRESHOLD, 2**31 - 1),
        (_M_TOP_PAD, _PAD_BYTES),
    )
    taken = [mallopt(name, value) for name, value in settings]
    return all(taken)


def limit_threads(n_threads: int = 1) -> None:
    """Give this process so many threads, for torch and for libraries that are loaded later."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(n_threads)
    import torch

    torch.set_num_threads(n_threads)


def quiet_libraries() -> None:
    """Keep transformers from drawing bars of its own and telling what a run does anyway."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def prepare_process() -> None:
    """Set up this process for training, before the libraries that train are imported."""
    limit_threads()
    keep_memory()
    quiet_libraries()


def is_worker() -> bool:
    """Tell whether torchrun or Ray Train has started this process."""
    return "RANK" in os.environ and not {"TORCHELASTIC_RUN_ID", RAY_MARK}.isdisjoint(os.environ)


def record_error(error: BaseException) -> None:
    """Leave an error of a worker for the process that has started it."""
    if RAY_MARK in os.environ:
        recorded_errors.append(error)
        return
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    get_error_handler().record_exception(error)


def run_workers(module: str, arguments: Sequence[str], *, n_processes: int) -> None:
    """Run a module in several processes on this machine with torchrun; return when all are done.

    SIGINT and SIGTERM are passed on; the workers have 30 seconds to save and end.

    Raises:
        TrainingStopped: a signal has ended the workers.
        TrainingError: a worker has failed; tells the first one's message.
    """
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    handlers = {number: signal.getsignal(number) for number in numbers}
    environment = dict(os.environ)
    options = [
        *("--nnodes", "1", "--nproc-per-node", str(n_processes)),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"),
        *("--local-addr", "localhost", "--module", module),
    ]
    limit_threads()
    try:
        with _quiet("torch.distributed.elastic"):  # it repeats at length what is told below
            torchrun.run(torchrun.parse_args([*options, *arguments]))
    except SignalException as error:
        number = int(error.sigval)
        raise TrainingStopped(f"stopped by {signal.Signals(number).name}", number) from error
    except ChildFailedError as error:
        status = error.get_first_failure()[1].exitcode
        if status in (_SIGNAL_BASE + signal.SIGINT, _SIGNAL_BASE + signal.SIGTERM):
            number = status - _SIGNAL_BASE
            raise TrainingStopped(f"stopped by {signal.Signals(number).name}", number) from error
        raise TrainingError(_message(error.failures)) from error
    finally:
        os.environ.clear()
        os.environ.update(environment)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Silence a logger and all below it, each of which has a level of its own."""
    names = [
        known for known in logging.root.manager.loggerDict if f"{known}.".startswith(f"{name}.")
    ]
    loggers = [logging.getLogger(known) for known in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _message(failures: Mapping[int, ProcessFailure]) -> str:
    """Return the message of the worker that failed first, but for those whose peers were gone."""
    told = {
        rank: str(message["message"])
        for rank, failure in sorted(failures.items(), key=lambda item: item[1].timestamp)
        if isinstance(message := cast(Any, failure.message), dict)  # typed as str, but is not
    }
    for text in sorted(told.values(), key=lambda text: text.startswith("RuntimeError")):
        return re.sub(r"^\w+: ", "", text, count=1)
    rank, failure = min(failures.items(), key=lambda item: item[1].timestamp)
    if failure.exitcode >= 0:
        return f"process {rank} failed with status {failure.exitcode}: its message is above"
    name = signal.Signals(-failure.exitcode).name
    cause = ", likely for want of memory" if name == "SIGKILL" else ""
    return f"process {rank} was ended by {name}{cause}: go on with --resume"
