"""Options that several commands of `yinzi-train` take."""

from __future__ import annotations

import datetime
from typing import Annotated

import typer

__all__ = ["CreatedOption", "RayOption", "SetOption", "WorkersOption", "creation_date"]

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
CreatedOption = Annotated[
    str | None,
    typer.Option(
        "--created",
        metavar="DATE",
        help="Date of what is built, as 2025-01-31; today if not given.",
        show_default=False,
    ),
]


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
