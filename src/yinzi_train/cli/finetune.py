"""The command `yinzi-train finetune`: tune a trained model on a dataset."""

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
from yinzi_train.cli.train import summary
from yinzi_train.cli.training_progress import TrainingDisplay

if TYPE_CHECKING:
    from yinzi_train.training.config import TrainingConfig

__all__ = ["EXAMPLES", "finetune"]

EXAMPLES: Final = """Examples:

$ yinzi-train finetune configs/finetune.toml --model build/encoder/final --data build/clinic \\
    --out build/clinic-model

$ yinzi-train finetune configs/finetune.toml --model build/encoder/final --data build/clinic \\
    --out build/clinic-lora --set finetuning.method=adapter --set finetuning.adapter.rank=4"""


def finetune(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="TOML file of the run.", show_default=False)
    ],
    *,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="CHECKPOINT_OR_BACKBONE",
            help="What to begin with: folder of a checkpoint (as final of a run) or of an "
            "artifact; for the families bert, gpt and t5 also a pretrained model, by folder or "
            "hub name.",
            show_default=False,
        ),
    ],
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
    """Tune a trained model: all of it, its top layers, layer by layer, or by an adapter.

    The section [finetuning] of the config says how; the run folder, stopping and --resume are those
    of train. Prints the folder of the model, a plain checkpoint.
    """
    from yinzi_train.training.config import read_training_config
    from yinzi_train.training.errors import TrainingStopped
    from yinzi_train.training.processes import is_worker, record_error

    try:
        settings = read_training_config(config, overrides=overrides or ())
        if processes > 1 and not is_worker():
            from yinzi_train.training.processes import run_workers

            arguments: list[object] = ["finetune", config, "--model", model, "--data", data]
            arguments += ["--out", out, *["--resume"] * resume, *["--debug"] * debug]
            arguments += [f"--dev={path}" for path in dev or ()]
            arguments += [f"--set={one}" for one in overrides or ()]
            run_workers("yinzi_train.cli", [*map(str, arguments)], n_processes=processes)
        else:
            _finetune_here(settings, model=model, data=data, out=out, resume=resume, dev=dev or ())
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


def _finetune_here(
    settings: TrainingConfig,
    *,
    model: str,
    data: Path,
    out: Path,
    resume: bool,
    dev: Sequence[Path],
) -> None:
    """Tune in this process, which may be one of several."""
    from yinzi_train.training.processes import keep_memory, limit_threads, quiet_libraries

    limit_threads()
    keep_memory()
    from yinzi_train.finetuning import finetune as finetune_model
    from yinzi_train.finetuning.method import read_report
    from yinzi_train.training.evaluation import development_evaluation

    quiet_libraries()
    is_first = os.environ.get("RANK", "0") == "0"
    display = TrainingDisplay()
    with display if is_first else nullcontext():
        result = finetune_model(
            settings,
            model=model,
            data=data,
            out=out,
            resumes=resume,
            make_evaluation=development_evaluation(dev, settings.evaluation) if dev else None,
            on_progress=display.trained,
            on_preparation=display.prepared,
        )
    if is_first:
        print(read_report(out), file=sys.stderr)
        print(summary(result, settings.training.metric), file=sys.stderr)
        print(result.path)
