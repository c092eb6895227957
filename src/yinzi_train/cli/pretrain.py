"""The command `yinzi-train pretrain`: train a language model of characters on a dataset."""

from __future__ import annotations

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
    ResumeOption,
    RunOption,
    run_shown,
)

if TYPE_CHECKING:
    from yinzi_train.pretraining.config import PretrainingConfig

__all__ = ["EXAMPLES", "pretrain"]

EXAMPLES: Final = """Examples:

$ yinzi-train pretrain configs/pretrain-bert.toml --data build/dataset --out build/bert

$ yinzi-train pretrain configs/pretrain-gpt.toml --data build/dataset --out build/gpt \\
    --processes 2 --set training.max_minutes=60"""


def pretrain(
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
    overrides: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """Train a language model of characters from scratch: BERT, GPT or T5, as the config says.

    Checkpoints, figures and curves go into --out. SIGINT (Ctrl-C) and SIGTERM save first; the same
    command with --resume goes on. Prints the folder of the model, which transformers' AutoModel and
    AutoTokenizer open.
    """
    from yinzi_train.pretraining.config import read_pretraining_config

    settings = read_pretraining_config(config, overrides=overrides or ())
    launch = Launch(processes, ray_workers, ray_address, gpus)

    def check(n_processes: int) -> None:
        from yinzi_train.training.run_folder import check_run

        check_run(settings, data=data, out=out, n_processes=n_processes, resumes=resume)

    launched(
        context,
        launch,
        lambda: _pretrain_here(settings, data=data, out=out, resume=resume, device=launch.device),
        check=check,
    )


def _pretrain_here(
    settings: PretrainingConfig, *, data: Path, out: Path, resume: bool, device: str
) -> None:
    """Train in this process, which may be one of several."""
    from yinzi_train.training.processes import prepare_process

    prepare_process()
    from yinzi_train.pretraining.pretrain import pretrain as pretrain_model

    run_shown(
        lambda display: pretrain_model(
            settings,
            data=data,
            out=out,
            resumes=resume,
            device=device,
            on_progress=display.trained,
            on_preparation=display.prepared,
        ),
        metric=settings.training.metric,
    )
