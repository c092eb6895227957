"""The command `yinzi-train tune`: a study over settings of runs, or over the ranker's weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi_train.cli.options import SetOption
from yinzi_train.cli.training_progress import TrainingDisplay

if TYPE_CHECKING:
    from yinzi_train.tuning.study import EndedTrial, StudyResult

__all__ = ["EXAMPLES", "tune"]

EXAMPLES: Final = """Examples:

$ yinzi-train tune configs/tune.toml --model build/encoder/final --data build/clinic \\
    --out build/study --workers 2

$ yinzi-train tune configs/tune-fusion.toml --artifact build/artifacts/base \\
    --dev hsk.tsv --dev tatoeba.tsv --out build/fusion"""


def tune(
    study: Annotated[
        Path, typer.Argument(metavar="STUDY", help="TOML file of the study.", show_default=False)
    ],
    *,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FOLDER", help="Folder of the study.", show_default=False),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DATASET",
            help="Folder of a finished dataset, for studies of runs.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="CHECKPOINT",
            help="What runs begin with, for studies of the command finetune.",
            show_default=False,
        ),
    ] = None,
    artifact: Annotated[
        Path | None,
        typer.Option(
            "--artifact",
            metavar="ARTIFACT",
            help="Folder of an artifact, for studies of its ranker; nothing is written into it.",
            show_default=False,
        ),
    ] = None,
    dev: Annotated[
        list[Path] | None,
        typer.Option(
            "--dev",
            metavar="TSV",
            help="Development set to measure on; may be repeated. Never give test sets.",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials",
            min=1,
            help="Trials in all; the file's number if not given.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Trials at a time, a process each.")
    ] = 1,
    ray: Annotated[
        bool,
        typer.Option(
            "--ray",
            help="Workers are tasks of Ray: on the cluster RAY_ADDRESS names, whose machines see "
            "--out, or started here.",
            show_default=False,
        ),
    ] = False,
    overrides: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """Search for better settings: trials that share one storage, the bad ones cut short.

    The first trial is the default. SIGINT (Ctrl-C) and SIGTERM save first; the same command goes
    on with a study that was stopped or killed. Prints the summary's path; beside it are the best
    config and the pictures.
    """
    from yinzi_train.tuning.config import read_study

    settings = read_study(study, overrides=tuple(overrides or ()), n_trials=trials)
    from yinzi_train.training.errors import TrainingStopped
    from yinzi_train.training.processes import prepare_process

    prepare_process()
    from yinzi_train.tuning.objective import Sources
    from yinzi_train.tuning.study import run_study

    display = TrainingDisplay()
    try:
        with display:
            result = run_study(
                settings,
                out=out,
                sources=Sources(data=data, dev=tuple(dev or ()), artifact=artifact, model=model),
                n_workers=workers,
                uses_ray=ray,
                on_trial=lambda ended: display.tell(_line(ended)),
                on_progress=display.trained,
            )
    except TrainingStopped as stopped:
        print(f"yinzi-train: {stopped}", file=sys.stderr)
        raise typer.Exit(stopped.exit_status) from stopped
    print(_summary(result), file=sys.stderr)
    print(result.summary)


def _line(ended: EndedTrial) -> str:
    value = "" if ended.value is None else f" {ended.value:.6g}"
    best = "" if ended.best is None else f"; best {ended.best:.6g}, trial {ended.best_number}"
    shown = ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in ended.values.items()
    )
    error = f": {ended.error}" if ended.error else f" ({shown})"
    return (
        f"{ended.n_ended} of {ended.n_trials}: trial {ended.number} {ended.state}{value}"
        f"{error}{best}"
    )


def _summary(result: StudyResult) -> str:
    ended = f"{result.n_ended} of {result.n_trials} trials have ended"
    if result.best is None:
        return f"{ended}, none was completed"
    default = "" if result.default is None else f", the default {result.default:.6g}"
    return f"{ended}; best {result.best:.6g}, trial {result.best_number}{default}"
