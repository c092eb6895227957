"""Run a Typer app so that people see messages, not tracebacks.

Shared by `yinzi` and `yinzi-train`: data on stdout as UTF-8 whatever the locale, messages on
stderr, exit status 0 for success, 1 for failure, 2 for wrong usage, traceback only with `--debug`.
"""

from __future__ import annotations

import inspect
import io
import itertools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from typer.main import get_command

from yinzi.errors import YinziError

__all__ = ["DebugOption", "add_command", "run_app"]

DebugOption = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", show_default=False)
]
"""Option of every command. `run_app` looks for it by itself, so commands need not read it."""


def add_command(
    app: typer.Typer, command: Callable[..., None], *, examples: str, name: str | None = None
) -> None:
    """Make a function a command; its docstring is the help.

    Args:
        app: The app that gets the command.
        command: The function; its parameters become arguments and options.
        examples: Shown below the help, paragraphs separated by empty lines.
        name: Of the command; that of the function if not given.
    """
    paragraphs = inspect.getdoc(command) or ""
    help_text = "\n\n".join(part.replace("\n", " ") for part in paragraphs.split("\n\n"))
    app.command(name, help=help_text, epilog=examples)(command)


def run_app(app: typer.Typer, arguments: Sequence[str], *, name: str) -> int:
    """Run an app with the arguments of a command line and return the exit status.

    Args:
        app: The app with all its commands.
        arguments: What follows the program's name.
        name: The program's name, for usage messages.
    """
    is_debugged = "--debug" in itertools.takewhile(lambda text: text != "--", arguments)
    _write_utf8()
    try:
        try:
            get_command(app).main(args=list(arguments), prog_name=name)
        finally:
            sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BrokenPipeError:
        # The reader has left, as `head` does. Python would complain again when it flushes stdout
        # at its end, so that flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if is_debugged:
            raise
        print(f"{name}: error: {_describe(error)}", file=sys.stderr)
        return 1
    return 0


def _describe(error: Exception) -> str:
    if isinstance(error, YinziError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        what = f" {os.fspath(error.filename)!r}" if error.filename is not None else ""
        return f"cannot read or write{what}: {error.strerror}"
    return (
        f"unexpected {type(error).__name__}: {error}; this is a bug, please report it with the "
        "output of the same command and --debug"
    )


def _write_utf8() -> None:
    """Let stdout and stderr take hanzi even where the locale is ASCII."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (stream.encoding or "").lower().replace("-", "")
        if encoding != "utf8" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
