"""The program `yinzi`: its commands and its entry point."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from yinzi.cli import (
    annotate,
    convert,
    evaluate,
    explain,
    inspect,
    schemes,
    serve,
    type_command,
    user,
)
from yinzi.cli.running import DebugOption, add_command, run_app

__all__ = ["app", "main"]

app = typer.Typer(
    name="yinzi",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Example:\n\n$ yinzi convert woyaomaijipiao\n\n我要买机票",
)
add_command(app, convert.convert, examples=convert.EXAMPLES)
add_command(app, annotate.annotate, examples=annotate.EXAMPLES)
add_command(app, explain.explain, examples=explain.EXAMPLES)
add_command(app, type_command.type, examples=type_command.EXAMPLES)
add_command(app, evaluate.evaluate, examples=evaluate.EXAMPLES)
add_command(app, inspect.inspect, examples=inspect.EXAMPLES)
add_command(app, schemes.schemes, examples=schemes.EXAMPLES)
app.add_typer(user.app, name="user")
app.add_typer(serve.app)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from yinzi import __version__

        print(f"yinzi {__version__}")
        raise typer.Exit


@app.callback()
def describe(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and leave.",
            show_default=False,
        ),
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Convert pinyin to hanzi and hanzi to pinyin, offline."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit status."""
    sys.exit(run_app(app, sys.argv[1:] if arguments is None else arguments, name="yinzi"))
