"""Options that several commands of `yinzi-train` take."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "CreatedOption",
    "FittedArgument",
    "RayOption",
    "RowLimitOption",
    "SetOption",
    "WorkersOption",
    "creation_date",
    "set_up_workers",
]

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set a value of the config, by its dotted name; may be repeated.",
        show_default=False,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Files to work on at a time, a process each; one a core if not given.",
        show_default=False,
    ),
]
RayOption = Annotated[
    bool,
    typer.Option(
        "--ray",
        help="Work with Ray: on the cluster RAY_ADDRESS names, or on workers started here.",
        show_default=False,
    ),
]
FittedArgument = Annotated[
    Path, typer.Argument(metavar="ARTIFACT", help="Folder of it.", show_default=False)
]
RowLimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        help="Rows to take of each file, spread evenly over it.",
        show_default=False,
    ),
]
CreatedOption = Annotated[
    str | None,
    typer.Option(
        "--created",
        metavar="DATE",
        help="Date of what is built, as 2025-01-31; today if not given.",
        show_default=False,
    ),
]


def set_up_workers(workers: int | None) -> int:
    """Return the number of workers that `--workers` asks for, and give each of them one thread.

    Call it before numpy is loaded, here and in the workers: each has one core, and threads of the
    linear algebra library that wait for each other cost up to nine tenths of the speed.
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    return workers or os.cpu_count() or 1


def creation_date(created: str | None) -> str:
    """Return the date that `--created` gives, or today's.

    Raises:
        typer.BadParameter: it is no date.
    """
    if created is None:
        return datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    try:
        datetime.date.fromisoformat(created)
    except ValueError as error:
        raise typer.BadParameter(
            f"--created {created!r} is no date, give one like 2025-01-31"
        ) from error
    return created
