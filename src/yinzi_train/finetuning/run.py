"""Tune a trained model on a dataset, from a config to a folder with the model."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from yinzi_train.dataset.reader import open_dataset
from yinzi_train.dataset.units import ReportProgress
from yinzi_train.finetuning.dataset_checks import check_training_rows
from yinzi_train.finetuning.method import ADAPTER_NAME, TRAINED_NAME, Finetuning
from yinzi_train.finetuning.start import open_start
from yinzi_train.training.checkpoints import Checkpoints, finish_folder
from yinzi_train.training.config import TrainingConfig
from yinzi_train.training.evaluation import MakeEvaluation
from yinzi_train.training.finetuning_options import FinetuningOptions
from yinzi_train.training.run_callback import BEST_NAME, TrainingProgress
from yinzi_train.training.train import FINAL_NAME, TrainingResult, train

__all__ = ["finetune"]


def finetune(
    config: TrainingConfig,
    *,
    model: str | Path,
    data: Path,
    out: Path,
    resumes: bool = False,
    make_evaluation: MakeEvaluation | None = None,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
    on_preparation: ReportProgress = lambda n_done, n_total: None,
) -> TrainingResult:
    """Tune a model, or go on with it; `final` in the run folder is a plain checkpoint.

    It is the model of the best evaluation if there was one and `finetuning.restores_best` is set,
    else the last one. Under torchrun each process calls this, as `yinzi_train.training.train`.

    Args:
        config: all settings; without `finetuning`, its defaults.
        model: folder of a checkpoint or of an artifact; or a pretrained model by folder or hub
            name, for a family that takes one.
        data: folder of the dataset.
        out: the run folder.
        resumes: go on from the newest whole checkpoint.
        make_evaluation: what to measure at evaluations, besides the loss on the validation split.
        on_progress: called after each step.
        on_preparation: called with rows read and to be read.

    Raises:
        ConfigError: a setting is wrong or does not fit the model, or the run folder is taken.
        ArtifactError: the artifact to begin with is damaged.
        DatasetError: the dataset is too small, badly labelled, or of other hanzi than the model's.
        TrainingError: loss or gradient are no numbers, or a checkpoint cannot be written.
        TrainingStopped: SIGINT or SIGTERM came; a checkpoint was written first.
    """
    options = config.finetuning or FinetuningOptions()
    start = open_start(model, replace(config, finetuning=options))
    method = Finetuning(start, options)
    pairs = start.checkpoint.pairs if start.checkpoint is not None else None
    check_training_rows(open_dataset(data), pairs, options)
    result = train(
        start.config,
        data=data,
        out=out,
        resumes=resumes,
        make_evaluation=make_evaluation,
        method=method,
        on_progress=on_progress,
        on_preparation=on_preparation,
    )
    if os.environ.get("RANK", "0") == "0":
        restores = options.restores_best and result.best is not None
        _finish(out, source=out / (BEST_NAME if restores else FINAL_NAME))
    return result


def _finish(out: Path, *, source: Path) -> None:
    """Make `final` of a folder of the run: the plain model; its adapter goes beside it."""
    checkpoints = Checkpoints(out)
    checkpoints.clean()
    part = checkpoints.unfinished_path / FINAL_NAME
    shutil.copytree(source, part, ignore=shutil.ignore_patterns("complete.json"))
    for folder in (part, part / "ema"):
        (folder / TRAINED_NAME).unlink(missing_ok=True)
    shutil.rmtree(part / "ema" / ADAPTER_NAME, ignore_errors=True)
    if (part / ADAPTER_NAME).is_dir():
        adapter = out / ADAPTER_NAME
        shutil.rmtree(adapter, ignore_errors=True)
        (part / ADAPTER_NAME).rename(adapter)
    finish_folder(part, out / FINAL_NAME)
    checkpoints.clean()
