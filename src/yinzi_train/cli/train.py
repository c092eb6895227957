"""The command `yinzi-train train`: train a neural model on a dataset."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi.errors import YinziError
from yinzi_train.cli.options import SetOption
from yinzi_train.cli.training_progress import TrainingDisplay

if TYPE_CHECKING:
    from yinzi_train.training.config import TrainingConfig
    from yinzi_train.training.train import TrainingResult

__all__ = ["EXAMPLES", "summary", "train"]

EXAMPLES: Final = """Examples:

$ yinzi-train train configs/encoder.toml --data build/dataset --out build/encoder --processes 2

$ yinzi-train train configs/encoder.toml --data build/dataset --out build/encoder --processes 2 \\
    --resume --set training.max_steps=200_000"""


def train(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="TOML file of the run.", show_default=False)
    ],
    *,
    data: Annotated[
        Path,
        typer.Option(
            "--data", metavar="DATASET", help="Folder of a finished dataset.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="RUN", help="Folder of the run.", show_default=False)
    ],
    processes: Annotated[
        int,
        typer.Option(
            "--processes",
            min=1,
            help="Processes that train together on this machine, one a core; not for those that "
            "torchrun has started.",
        ),
    ] = 1,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with the run in --out that was stopped.", show_default=False
        ),
    ] = False,
    dev: Annotated[
        list[Path] | None,
        typer.Option(
            "--dev",
            metavar="TSV",
            help="Development set to measure the model on at evaluations; may be repeated.",
            show_default=False,
        ),
    ] = None,
    overrides: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """Train a neural model: encoder, lstm, gru or transformer, as the config says.

    Checkpoints, figures and curves go into --out. SIGINT (Ctrl-C) and SIGTERM save first; the same
    command with --resume goes on as if it had never been stopped. Prints the folder of the model.
    """
    from yinzi_train.training.config import read_training_config
    from yinzi_train.training.errors import TrainingStopped
    from yinzi_train.training.processes import is_worker, record_error

    try:
        settings = read_training_config(config, overrides=overrides or ())
        if processes > 1 and not is_worker():
            from yinzi_train.training.processes import run_workers
            from yinzi_train.training.run_folder import check_run

            check_run(settings, data=data, out=out, n_processes=processes, resumes=resume)
            arguments: list[object] = ["train", config, "--data", data, "--out", out]
            arguments += ["--resume"] * resume + ["--debug"] * debug
            arguments += [f"--dev={path}" for path in dev or ()]
            arguments += [f"--set={one}" for one in overrides or ()]
            run_workers("yinzi_train.cli", [*map(str, arguments)], n_processes=processes)
        else:
            _train_here(settings, data=data, out=out, resume=resume, dev=dev or ())
    except TrainingStopped as stopped:
        if os.environ.get("RANK", "0") == "0":
            print(f"yinzi-train: {stopped}", file=sys.stderr)
        raise typer.Exit(stopped.exit_status) from stopped
    except Exception as error:
        # The process that has started the workers tells the message, once.
        if not is_worker() or debug or not isinstance(error, (YinziError, RuntimeError)):
            raise
        record_error(error)
        raise typer.Exit(1) from error


def _train_here(
    settings: TrainingConfig, *, data: Path, out: Path, resume: bool, dev: Sequence[Path]
) -> None:
    """Train in this process, which may be one of several."""
    from yinzi_train.training.processes import keep_memory, limit_threads, quiet_libraries

    limit_threads()
    keep_memory()
    from yinzi_train.training.evaluation import development_evaluation
    from yinzi_train.training.train import train as train_model

    quiet_libraries()
    is_first = os.environ.get("RANK", "0") == "0"
    display = TrainingDisplay()
    with display if is_first else nullcontext():
        result = train_model(
            settings,
            data=data,
            out=out,
            resumes=resume,
            make_evaluation=development_evaluation(dev, settings.evaluation) if dev else None,
            on_progress=display.trained,
            on_preparation=display.prepared,
        )
    if is_first:
        print(summary(result, settings.training.metric), file=sys.stderr)
        print(result.path)


def summary(result: TrainingResult, metric: str) -> str:
    """Return a line on how a run has ended."""
    best = "" if result.best is None else f"; {metric} {result.best:.4f} at step {result.best_step}"
    return (
        f"{result.step:,} steps, {result.n_targets:,} targets in {result.minutes:.1f} minutes, "
        f"ended by {result.end_reason}{best}"
    )
