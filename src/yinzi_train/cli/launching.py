"""Run a training command in this process, or in several: the options for it, and what they do.

A command that trains takes the four options below and ends with one call of `launched`. Workers are
given the same command line without the options of the launcher, so what they do is what one
process does; each knows by its environment that it is one of several.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from yinzi.errors import ConfigError, YinziError

__all__ = [
    "GpusOption",
    "Launch",
    "ProcessesOption",
    "RayAddressOption",
    "RayWorkersOption",
    "is_first_process",
    "launched",
]

_MODULE: Final = "yinzi_train.cli"
"""What workers run."""
_OPTIONS: Final = ("processes", "ray_workers", "ray_address")
"""Parameters that workers are not given."""

ProcessesOption = Annotated[
    int,
    typer.Option(
        "--processes",
        min=1,
        help="Processes that train together on this machine, one a core; not for those that "
        "torchrun has started.",
    ),
]
RayWorkersOption = Annotated[
    int,
    typer.Option(
        "--ray-workers",
        metavar="N",
        min=0,
        help="Train in so many workers of Ray Train instead, on one machine or a cluster.",
        show_default=False,
    ),
]
RayAddressOption = Annotated[
    str,
    typer.Option(
        "--ray-address",
        metavar="ADDRESS",
        help="Ray cluster for --ray-workers, as 'auto' or host:6379; by default the one "
        "that RAY_ADDRESS names, else one is started here.",
        show_default=False,
    ),
]
GpusOption = Annotated[
    bool,
    typer.Option("--gpus", help="Train on GPUs, one a process.", show_default=False),
]


@dataclass(frozen=True)
class Launch:
    """Where a command runs: in this process, in several here, or in workers of Ray.

    Attributes:
        processes: on this machine, at least 1.
        ray_workers: of Ray Train; 0 for none.
        ray_address: of the cluster; empty for RAY_ADDRESS or one started here.
        gpus: each process has a GPU.
    """

    processes: int = 1
    ray_workers: int = 0
    ray_address: str = ""
    gpus: bool = False

    def __post_init__(self) -> None:
        if self.ray_workers and self.processes > 1:
            raise ConfigError(
                f"--processes is {self.processes} and --ray-workers {self.ray_workers}: give one "
                "of them"
            )
        if self.ray_address and not self.ray_workers:
            raise ConfigError(
                f"--ray-address is {self.ray_address!r} without workers: say how many with "
                "--ray-workers"
            )

    @property
    def device(self) -> str:
        """Name of the kind of device that processes train on: "cpu" or "cuda"."""
        return "cuda" if self.gpus else "cpu"


def is_first_process() -> bool:
    """Tell whether this process is the one that shows and prints; true if it is alone."""
    return os.environ.get("RANK", "0") == "0"


def launched(
    context: typer.Context,
    launch: Launch,
    here: Callable[[], None],
    *,
    check: Callable[[int], object] = lambda n_processes: None,
) -> None:
    """Run a command here or in workers, and turn its errors into what the user sees.

    Args:
        context: of the command that was given; workers get its parameters.
        launch: what the options of the launcher say.
        here: trains in this process, which may be one of several.
        check: called with the number of processes before workers are started; raises what is
            better told at once.

    Raises:
        typer.Exit: a signal has stopped the run, or this worker has failed and its message is with
            the process that has started it.
    """
    from yinzi_train.training.errors import TrainingStopped
    from yinzi_train.training.processes import is_worker, record_error, run_workers

    try:
        if is_worker() or (launch.processes == 1 and not launch.ray_workers):
            here()
        elif launch.ray_workers:
            from yinzi_train.training.ray_workers import run_ray_workers

            check(launch.ray_workers)
            run_ray_workers(
                _MODULE,
                [*_command_line(context)],
                n_workers=launch.ray_workers,
                address=launch.ray_address,
                uses_gpus=launch.gpus,
            )
        else:
            check(launch.processes)
            run_workers(_MODULE, [*_command_line(context)], n_processes=launch.processes)
    except TrainingStopped as stopped:
        if is_first_process():
            print(f"yinzi-train: {stopped}", file=sys.stderr)
        raise typer.Exit(stopped.exit_status) from stopped
    except Exception as error:
        # The process that has started the workers tells the message, once.
        is_told = isinstance(error, (YinziError, RuntimeError)) and not context.params.get("debug")
        if not is_worker() or not is_told:
            raise
        record_error(error)
        raise typer.Exit(1) from error


def _command_line(context: typer.Context) -> Iterator[str]:
    """Yield the command and its parameters as they are written, but for those of the launcher."""
    yield str(context.info_name)
    positional: list[str] = []
    for parameter in context.command.params:
        value = context.params.get(str(parameter.name))
        if parameter.name in _OPTIONS or value is None:
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        name = max(parameter.opts, key=len)
        if parameter.param_type_name == "argument":
            positional += map(str, values)
        elif isinstance(value, bool):
            yield from [name] if value else parameter.secondary_opts[:1]
        else:
            yield from (f"{name}={one}" for one in values)
    yield "--"
    yield from positional
