"""The command `yinzi-train pretrain`: train a language model of characters on a dataset."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi.errors import YinziError
from yinzi_train.cli.options import SetOption
from yinzi_train.cli.training_progress import TrainingDisplay

if TYPE_CHECKING:
    from yinzi_train.pretraining.config import PretrainingConfig
    from yinzi_train.training.run import TrainingResult

__all__ = ["EXAMPLES", "pretrain"]

EXAMPLES: Final = """Examples:

$ yinzi-train pretrain configs/pretrain-bert.toml --data build/dataset --out build/bert

$ yinzi-train pretrain configs/pretrain-gpt.toml --data build/dataset --out build/gpt \\
    --processes 2 --set training.max_minutes=60"""


def pretrain(
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
    overrides: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """Train a language model of characters from scratch: BERT, GPT or T5, as the config says.

    Checkpoints, figures and curves go into --out. SIGINT (Ctrl-C) and SIGTERM save first; the same
    command with --resume goes on. Prints the folder of the model, which transformers' AutoModel and
    AutoTokenizer open.
    """
    from yinzi_train.pretraining.config import read_pretraining_config
    from yinzi_train.training.errors import TrainingStopped
    from yinzi_train.training.processes import is_worker, record_error

    try:
        settings = read_pretraining_config(config, overrides=overrides or ())
        if processes > 1 and not is_worker():
            from yinzi_train.training.processes import run_workers
            from yinzi_train.training.run_folder import check_run

            check_run(settings, data=data, out=out, n_processes=processes, resumes=resume)
            arguments: list[object] = ["pretrain", config, "--data", data, "--out", out]
            arguments += ["--resume"] * resume + ["--debug"] * debug
            arguments += [f"--set={one}" for one in overrides or ()]
            run_workers("yinzi_train.cli", [*map(str, arguments)], n_processes=processes)
        else:
            _pretrain_here(settings, data=data, out=out, resume=resume)
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


def _pretrain_here(settings: PretrainingConfig, *, data: Path, out: Path, resume: bool) -> None:
    """Train in this process, which may be one of several."""
    from yinzi_train.training.processes import keep_memory, limit_threads, quiet_libraries

    limit_threads()
    keep_memory()
    from yinzi_train.pretraining.pretrain import pretrain as pretrain_model

    quiet_libraries()
    is_first = os.environ.get("RANK", "0") == "0"
    display = TrainingDisplay()
    with display if is_first else nullcontext():
        result = pretrain_model(
            settings,
            data=data,
            out=out,
            resumes=resume,
            on_progress=display.trained,
            on_preparation=display.prepared,
        )
    if is_first:
        print(_summary(result, settings.training.metric), file=sys.stderr)
        print(result.path)


def _summary(result: TrainingResult, metric: str) -> str:
    best = "" if result.best is None else f"; {metric} {result.best:.4f} at step {result.best_step}"
    return (
        f"{result.step:,} steps, {result.n_targets:,} targets in {result.minutes:.1f} minutes, "
        f"ended by {result.end_reason}{best}"
    )
