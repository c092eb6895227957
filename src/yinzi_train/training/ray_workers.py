"""Run a training command in workers of Ray Train, on this machine or on a cluster.

Each worker runs the module that torchrun would run, with the same arguments, so a run is the same
run whoever starts it, and one begun here can be resumed there. Ray Train makes the group of
processes, places the workers and notices when one dies; checkpoints are our own, in the run folder,
which all machines must share.

A mailbox (an actor) stands between the program and its workers: what the first worker prints comes
this way, and a signal goes the other, because a worker does its work in a thread, which gets none.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import runpy
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final, TextIO

from yinzi.errors import ConfigError, MissingExtra
from yinzi_train.training.errors import TrainingError, TrainingStopped
from yinzi_train.training.meeting import BACKENDS, TIMEOUT_SECONDS
from yinzi_train.training.processes import RAY_MARK, recorded_errors
from yinzi_train.training.signals import request_stop

__all__ = ["run_ray_workers"]

_POLL_SECONDS: Final = 0.2
_SIGNAL_BASE: Final = 128


_SWITCHES: Final = {
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # what is printed would be logged, and so printed again
    "RAY_TRAIN_METRICS_ENABLED": "0",
}
"""Variables that Ray Train reads in the program and gives its workers."""


class _Mailbox:
    """What the program and its workers tell one another; an actor of Ray."""

    def __init__(self) -> None:
        self._printed: list[tuple[str, str]] = []
        self._ends: dict[int, tuple[int, str, float]] = {}
        self._signal = 0

    def post(self, printed: list[tuple[str, str]]) -> int:
        """Take what a worker has printed; return the signal that it should stop with, or 0."""
        self._printed += printed
        return self._signal

    def end(self, rank: int, status: int, message: str) -> None:
        """Take how a worker has ended."""
        self._ends[rank] = (status, message, time.monotonic())

    def read(self, number: int) -> list[tuple[str, str]]:
        """Pass a signal on, 0 for none; return what was printed since the last time."""
        self._signal = number or self._signal
        printed, self._printed = self._printed, []
        return printed

    def ends(self) -> dict[int, tuple[int, str, float]]:
        """Return exit status, message and time of the workers that have ended, by rank."""
        return self._ends


def run_ray_workers(
    module: str, arguments: Sequence[str], *, n_workers: int, address: str, uses_gpus: bool
) -> None:
    """Run a module in workers of Ray Train; return when all are done.

    SIGINT and SIGTERM are passed on: the workers save and end. A second SIGINT ends at once.

    Args:
        module: its `__main__` is run.
        arguments: of the command line.
        n_workers: each takes one CPU of the cluster.
        address: of the cluster, as "auto" or "host:6379"; empty for what RAY_ADDRESS names, or
            else a cluster on this machine for as long as this takes.
        uses_gpus: each worker takes a GPU too.

    Raises:
        MissingExtra: Ray is not installed.
        ConfigError: the cluster is not there or too small.
        TrainingStopped: a signal has ended the workers.
        TrainingError: a worker has failed; tells the first one's message.
    """
    try:
        import ray
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
    except ImportError as error:
        raise MissingExtra(
            f"--ray-workers needs Ray Train ({error}): install it with pip install 'yinzi[train]'"
        ) from error
    with _ray(address, n_workers), tempfile.TemporaryDirectory() as storage:
        _check_resources(n_workers, uses_gpus=uses_gpus)
        mailbox: Any = ray.remote(num_cpus=0)(_Mailbox).remote()
        trainer = TorchTrainer(
            _work,
            train_loop_config={
                "module": module,
                "arguments": [*arguments],
                "folder": os.getcwd(),
                "mailbox": mailbox,
            },
            scaling_config=ScalingConfig(
                num_workers=n_workers, use_gpu=uses_gpus, resources_per_worker=_needs(uses_gpus)
            ),
            torch_config=TorchConfig(
                backend=BACKENDS["cuda" if uses_gpus else "cpu"], timeout_s=TIMEOUT_SECONDS
            ),
            run_config=RunConfig(name="yinzi", storage_path=storage),
        )
        number, failure = _fit(trainer, mailbox)
        _raise_first(ray.get(mailbox.ends.remote()), failure, number)


def _fit(trainer: Any, mailbox: Any) -> tuple[int, Exception | None]:
    """Train; print what the first worker prints; return a signal that came, and the error."""
    import ray

    received = [0]
    errors: list[Exception] = []

    def fit() -> None:
        try:
            trainer.fit()
        except Exception as error:
            errors.append(error)

    def receive(number: int, frame: FrameType | None) -> None:
        if received[0] == number == signal.SIGINT:
            raise KeyboardInterrupt
        received[0] = number

    # In the main thread Ray Train would take SIGINT for itself, and end workers before they save.
    thread = threading.Thread(target=fit, name="ray-train", daemon=True)
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handlers[number] = signal.signal(number, receive)
    try:
        thread.start()
        is_running = True
        while is_running:
            thread.join(_POLL_SECONDS)
            is_running = thread.is_alive()
            for stream, text in ray.get(mailbox.read.remote(received[0])):
                file = sys.stdout if stream == "stdout" else sys.stderr
                file.write(text)
                file.flush()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return received[0], errors[0] if errors else None


def _raise_first(
    ends: dict[int, tuple[int, str, float]], error: Exception | None, number: int
) -> None:
    """Raise what has ended the workers, if it was not the end of their work.

    Raises:
        TrainingStopped: a signal has.
        TrainingError: a worker has failed, or is gone.
    """
    stops = {_SIGNAL_BASE + signal.SIGINT, _SIGNAL_BASE + signal.SIGTERM}
    if ends and all(status in stops for status, _, _ in ends.values()):
        number = next(iter(ends.values()))[0] - _SIGNAL_BASE
        raise TrainingStopped(f"stopped by {signal.Signals(number).name}", number)
    failed = sorted(
        ((text, when) for status, text, when in ends.values() if status and status not in stops),
        key=lambda one: one[1],
    )
    # Those whose peers were gone have a RuntimeError of torch; it is not what was wrong.
    texts = sorted((text for text, _ in failed), key=lambda text: text.startswith("RuntimeError: "))
    if texts:
        raise TrainingError(texts[0].removeprefix("RuntimeError: "))
    if error is not None:
        line = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise TrainingError(
            f"Ray Train has ended the workers: {line}; one was likely killed, often for want of "
            "memory: go on with --resume"
        ) from error


def _work(config: dict[str, Any]) -> None:
    """Run the module in this worker."""
    import ray

    mailbox, rank = config["mailbox"], int(os.environ["RANK"])
    if Path(config["folder"]).is_dir():
        os.chdir(config["folder"])  # paths mean the same as for the program
    os.environ[RAY_MARK] = "1"
    logging.getLogger("yinzi_train").propagate = False  # Ray Train's handlers would print it too
    recorded_errors.clear()
    printed: list[tuple[str, str]] = []
    is_done = threading.Event()

    def post() -> None:
        number = 0
        while not is_done.wait(_POLL_SECONDS):
            number = _post(mailbox, printed) or number
            if number:
                request_stop(number)

    poster = threading.Thread(target=post, name="mailbox", daemon=True)
    poster.start()
    status, message = 1, "the worker has ended without a message"
    try:
        with _printing_into(printed if rank == 0 else []):
            status = _run_module(config["module"], config["arguments"])
        if recorded_errors:
            error = recorded_errors[0]
            kind = "RuntimeError: " if type(error) is RuntimeError else ""
            message = f"{kind}{error}"
        elif status:
            message = f"worker {rank} failed with status {status}"
    except Exception as error:  # with --debug
        message = str(error)
        if rank == 0:
            printed.append(("stderr", traceback.format_exc()))
    finally:
        is_done.set()
        poster.join()
        _post(mailbox, printed)
        ray.get(mailbox.end.remote(rank, status, message if status else ""))
    if status:
        raise RuntimeError(message)


def _post(mailbox: Any, printed: list[tuple[str, str]]) -> int:
    import ray

    n_posted = len(printed)
    number = ray.get(mailbox.post.remote(printed[:n_posted]))
    del printed[:n_posted]
    return int(number)


def _run_module(module: str, arguments: Sequence[str]) -> int:
    """Run a module as a program; return its exit status."""
    before = sys.argv
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before
    return 0


class _Collected(io.TextIOBase):
    """A stream that keeps what is written with the stream's name."""

    def __init__(self, name: str, printed: list[tuple[str, str]]) -> None:
        self._name, self._printed = name, printed

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._printed.append((self._name, text))
        return len(text)


@contextlib.contextmanager
def _printing_into(printed: list[tuple[str, str]]) -> Iterator[None]:
    streams: list[TextIO] = [_Collected(name, printed) for name in ("stdout", "stderr")]  # type: ignore[misc]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        yield


def _needs(uses_gpus: bool) -> dict[str, float]:
    return {"CPU": 1, **({"GPU": 1} if uses_gpus else {})}


def _check_resources(n_workers: int, *, uses_gpus: bool) -> None:
    """Check that the cluster has what the workers need; Ray would wait for it without end.

    Raises:
        ConfigError: it has not.
    """
    import ray

    found = ray.cluster_resources()
    for name, number in _needs(uses_gpus).items():
        if found.get(name, 0) < number * n_workers:
            raise ConfigError(
                f"--ray-workers {n_workers} needs {n_workers} {name}s, the cluster has "
                f"{found.get(name, 0):g}: give fewer workers or add machines"
            )


@contextlib.contextmanager
def _ray(address: str, n_workers: int) -> Iterator[None]:
    """Connect to a cluster, or start one on this machine.

    Raises:
        ConfigError: there is none.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    given = address or os.environ.get("RAY_ADDRESS", "")
    if given.startswith("ray://"):
        raise ConfigError(
            f"--ray-address is {given!r}: Ray Train does not run through a client; give 'auto' or "
            "host:6379 on a machine of the cluster, or submit the command with `ray job submit`"
        )
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    before = {name: os.environ.get(name) for name in _SWITCHES}
    os.environ.update(_SWITCHES)
    logging.getLogger("ray.train").setLevel(logging.ERROR)
    try:
        if given:
            ray.init(address=given, **quiet)
        else:
            ray.init(num_cpus=n_workers, include_dashboard=False, **quiet)
    except (ConnectionError, TimeoutError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"no Ray cluster at {given or 'this machine'!r} ({error}): start one with `ray start "
            "--head`, or leave --ray-address and RAY_ADDRESS out"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
