"""Hold what the commands that train share: their options, and how a run is shown and told of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yinzi_train.cli.launching import is_first_process
from yinzi_train.cli.training_progress import TrainingDisplay

if TYPE_CHECKING:
    from yinzi_train.training.run import TrainingResult

__all__ = [
    "ConfigArgument",
    "DataOption",
    "DevOption",
    "ResumeOption",
    "RunOption",
    "run_shown",
]

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="TOML file of the run.", show_default=False)
]
DataOption = Annotated[
    Path,
    typer.Option(
        "--data", metavar="DATASET", help="Folder of a finished dataset.", show_default=False
    ),
]
RunOption = Annotated[
    Path, typer.Option("--out", metavar="RUN", help="Folder of the run.", show_default=False)
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on with the run in --out that was stopped.", show_default=False
    ),
]
DevOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--dev",
        metavar="TSV",
        help="Development set to measure the model on at evaluations; may be repeated.",
        show_default=False,
    ),
]


def run_shown(
    run: Callable[[TrainingDisplay], TrainingResult],
    *,
    metric: str,
    report: Callable[[], str] | None = None,
) -> None:
    """Train in this process; the first one shows how it goes and prints how it ended.

    Args:
        run: trains, and tells the display.
        metric: name of the figure that tells the best model.
        report: further lines on the run.
    """
    display = TrainingDisplay()
    with display if is_first_process() else nullcontext():
        result = run(display)
    if is_first_process():
        if report is not None:
            print(report(), file=sys.stderr)
        print(_summary(result, metric), file=sys.stderr)
        print(result.path)


def _summary(result: TrainingResult, metric: str) -> str:
    best = "" if result.best is None else f"; {metric} {result.best:.4f} at step {result.best_step}"
    return (
        f"{result.step:,} steps, {result.n_targets:,} targets in {result.minutes:.1f} minutes, "
        f"ended by {result.end_reason}{best}"
    )
