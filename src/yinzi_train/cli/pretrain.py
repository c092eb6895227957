"""The command `yinzi-train pretrain`: train a language model of characters on a dataset."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi_train.cli.launching import (
    GpusOption,
    Launch,
    ProcessesOption,
    RayAddressOption,
    RayWorkersOption,
    is_first_process,
    launched,
)
from yinzi_train.cli.options import SetOption
from yinzi_train.cli.train import summary
from yinzi_train.cli.training_progress import TrainingDisplay

if TYPE_CHECKING:
    from yinzi_train.pretraining.config import PretrainingConfig

__all__ = ["EXAMPLES", "pretrain"]

EXAMPLES: Final = """Examples:

$ yinzi-train pretrain configs/pretrain-bert.toml --data build/dataset --out build/bert

$ yinzi-train pretrain configs/pretrain-gpt.toml --data build/dataset --out build/gpt \\
    --processes 2 --set training.max_minutes=60"""


def pretrain(
    context: typer.Context,
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
    processes: ProcessesOption = 1,
    ray_workers: RayWorkersOption = 0,
    ray_address: RayAddressOption = "",
    gpus: GpusOption = False,
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
    from yinzi_train.training.run_folder import check_run

    settings = read_pretraining_config(config, overrides=overrides or ())
    launch = Launch(processes, ray_workers, ray_address, gpus)
    launched(
        context,
        launch,
        lambda: _pretrain_here(settings, data=data, out=out, resume=resume, device=launch.device),
        check=lambda n_processes: check_run(
            settings, data=data, out=out, n_processes=n_processes, resumes=resume
        ),
    )


def _pretrain_here(
    settings: PretrainingConfig, *, data: Path, out: Path, resume: bool, device: str
) -> None:
    """Train in this process, which may be one of several."""
    from yinzi_train.training.processes import keep_memory, limit_threads, quiet_libraries

    limit_threads()
    keep_memory()
    from yinzi_train.pretraining.pretrain import pretrain as pretrain_model

    quiet_libraries()
    display = TrainingDisplay()
    with display if is_first_process() else nullcontext():
        result = pretrain_model(
            settings,
            data=data,
            out=out,
            resumes=resume,
            device=device,
            on_progress=display.trained,
            on_preparation=display.prepared,
        )
    if is_first_process():
        print(summary(result, settings.training.metric), file=sys.stderr)
        print(result.path)
