"""The command `yinzi-train train`: train a neural model on a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi_train.cli.launching import (
    GpusOption,
    Launch,
    ProcessesOption,
    RayAddressOption,
    RayWorkersOption,
    launched,
)
from yinzi_train.cli.options import SetOption
from yinzi_train.cli.training_command import (
    ConfigArgument,
    DataOption,
    DevOption,
    ResumeOption,
    RunOption,
    run_shown,
)

if TYPE_CHECKING:
    from yinzi_train.training.config import TrainingConfig

__all__ = ["EXAMPLES", "train"]

EXAMPLES: Final = """Examples:

$ yinzi-train train configs/encoder.toml --data build/dataset --out build/encoder --processes 2

$ yinzi-train train configs/encoder.toml --data build/dataset --out build/encoder --processes 2 \\
    --resume --set training.max_steps=200_000

$ yinzi-train train configs/encoder.toml --data build/dataset --out build/encoder --ray-workers 2"""


def train(
    context: typer.Context,
    config: ConfigArgument,
    *,
    data: DataOption,
    out: RunOption,
    processes: ProcessesOption = 1,
    ray_workers: RayWorkersOption = 0,
    ray_address: RayAddressOption = "",
    gpus: GpusOption = False,
    resume: ResumeOption = False,
    dev: DevOption = None,
    overrides: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """Train a neural model: encoder, lstm, gru or transformer, as the config says.

    Checkpoints, figures and curves go into --out. SIGINT (Ctrl-C) and SIGTERM save first; the same
    command with --resume goes on as if it had never been stopped. Prints the folder of the model.
    """
    from yinzi_train.training.config import read_training_config

    launch = Launch(processes, ray_workers, ray_address, gpus)
    settings = read_training_config(config, overrides=overrides or ())

    def check(n_processes: int) -> None:
        from yinzi_train.training.run_folder import check_run

        check_run(settings, data=data, out=out, n_processes=n_processes, resumes=resume)

    launched(
        context,
        launch,
        lambda: _train_here(settings, launch, data=data, out=out, resume=resume, dev=dev or ()),
        check=check,
    )


def _train_here(
    settings: TrainingConfig,
    launch: Launch,
    *,
    data: Path,
    out: Path,
    resume: bool,
    dev: Sequence[Path],
) -> None:
    """Train in this process, which may be one of several."""
    from yinzi_train.training.processes import prepare_process

    prepare_process()
    from yinzi_train.training.evaluation import development_evaluation
    from yinzi_train.training.train import train as train_model

    run_shown(
        lambda display: train_model(
            settings,
            data=data,
            out=out,
            resumes=resume,
            device=launch.device,
            make_evaluation=development_evaluation(dev, settings.evaluation) if dev else None,
            on_progress=display.trained,
            on_preparation=display.prepared,
        ),
        metric=settings.training.metric,
    )
