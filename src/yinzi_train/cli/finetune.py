"""The command `yinzi-train finetune`: tune a trained model on a dataset."""

from __future__ import annotations

from collections.abc import Sequence
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

__all__ = ["EXAMPLES", "finetune"]

EXAMPLES: Final = """Examples:

$ yinzi-train finetune configs/finetune.toml --model build/encoder/final --data build/clinic \\
    --out build/clinic-model

$ yinzi-train finetune configs/finetune.toml --model build/encoder/final --data build/clinic \\
    --out build/clinic-lora --set finetuning.method=adapter --set finetuning.adapter.rank=4"""


def finetune(
    context: typer.Context,
    config: ConfigArgument,
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
    """Tune a trained model: all of it, its top layers, layer by layer, or by an adapter.

    The section [finetuning] of the config says how; the run folder, stopping and --resume are those
    of train. Prints the folder of the model, a plain checkpoint.
    """
    from yinzi_train.training.config import read_training_config

    settings = read_training_config(config, overrides=overrides or ())
    launch = Launch(processes, ray_workers, ray_address, gpus)
    launched(
        context,
        launch,
        lambda: _finetune_here(
            settings,
            model=model,
            data=data,
            out=out,
            resume=resume,
            dev=dev or (),
            device=launch.device,
        ),
    )


def _finetune_here(
    settings: TrainingConfig,
    *,
    model: str,
    data: Path,
    out: Path,
    resume: bool,
    dev: Sequence[Path],
    device: str,
) -> None:
    """Tune in this process, which may be one of several."""
    from yinzi_train.training.processes import prepare_process

    prepare_process()
    from yinzi_train.finetuning import finetune as finetune_model
    from yinzi_train.finetuning.method import read_report
    from yinzi_train.training.evaluation import development_evaluation

    run_shown(
        lambda display: finetune_model(
            settings,
            model=model,
            data=data,
            out=out,
            resumes=resume,
            device=device,
            make_evaluation=development_evaluation(dev, settings.evaluation) if dev else None,
            on_progress=display.trained,
            on_preparation=display.prepared,
        ),
        metric=settings.training.metric,
        report=lambda: read_report(out),
    )
