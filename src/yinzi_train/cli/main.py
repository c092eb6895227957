"""The program `yinzi-train`: its commands and its entry point.

Each command is a thin wrapper in a module of its own name beside this one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from yinzi.cli.running import DebugOption, run_app

__all__ = ["app", "main"]

app = typer.Typer(
    name="yinzi-train",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def describe(debug: DebugOption = False) -> None:
    """Build yinzi's lexicon, language model and artifact from raw text."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit status."""
    sys.exit(run_app(app, sys.argv[1:] if arguments is None else arguments, name="yinzi-train"))
