"""Run a trainer from where it stands to its end: log, evaluations, signals, the finished model."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import torch

from yinzi_train.dataset.reader import Dataset
from yinzi_train.dataset.units import ReportProgress
from yinzi_train.training.errors import TrainingStopped
from yinzi_train.training.meeting import check_device, check_shared
from yinzi_train.training.metrics_log import MetricsLog
from yinzi_train.training.run_callback import Evaluate, RunCallback, TrainingProgress
from yinzi_train.training.run_folder import RUN_NAME, RunConfig, RunFolder, dataset_digest
from yinzi_train.training.sharding import sharding_arguments
from yinzi_train.training.signals import Signals
from yinzi_train.training.trainer import RunTrainer

__all__ = ["FINAL_NAME", "TrainingResult", "claim_run", "prepare_once", "run_to_end", "take_up"]

logger = logging.getLogger(__name__)

_Prepared = TypeVar("_Prepared")

FINAL_NAME: Final = "final"


@dataclass(frozen=True)
class TrainingResult:
    """How a run has ended.

    Attributes:
        path: folder of the model.
        step: steps done.
        n_targets: hanzi learnt from, of all processes.
        minutes: of training.
        end_reason: "max_steps", "max_minutes" or "patience".
        best: the best figure of an evaluation, None without evaluations.
        best_step: when that was.
    """

    path: Path
    step: int
    n_targets: int
    minutes: float
    end_reason: str
    best: float | None
    best_step: int


def claim_run(
    config: RunConfig, dataset: Dataset, out: Path, *, resumes: bool, device: str
) -> None:
    """Check what this process has to train on; then the first one takes the run folder.

    Raises:
        ConfigError: there is no such device, FSDP has one process, or the run folder is taken or
            holds another run.
    """
    n_processes = int(os.environ.get("WORLD_SIZE", "1"))
    check_device(device)
    sharding_arguments(config.training.parallel, n_processes=n_processes)
    if int(os.environ.get("RANK", "0")) == 0:
        RunFolder(out).claim(
            config, dataset=dataset_digest(dataset), n_processes=n_processes, resumes=resumes
        )


def prepare_once(
    prepare: Callable[[ReportProgress], _Prepared], out: Path, *, on_progress: ReportProgress
) -> _Prepared:
    """Let the first process make what a run reads, and then the others find it in the run folder.

    Raises:
        TrainingError: a process does not see the folder.
    """
    is_first = int(os.environ.get("RANK", "0")) == 0
    prepared = prepare(on_progress) if is_first else None
    check_shared(out, RUN_NAME)
    return prepare(lambda n_done, n_total: None) if prepared is None else prepared


def take_up(trainer: RunTrainer, checkpoint: Path | None, *, resumes: bool) -> None:
    """Go on from a checkpoint if there is one; tell which."""
    if checkpoint is not None:
        trainer.restore(checkpoint)
        logger.info("going on from %s", checkpoint)
    elif resumes and trainer.args.process_index == 0:
        logger.info("there is no whole checkpoint yet: beginning at step 0")


def run_to_end(
    trainer: RunTrainer,
    *,
    checkpoint: Path | None,
    evaluate: Evaluate | None,
    on_progress: Callable[[TrainingProgress], None],
) -> TrainingResult:
    """Train until the run ends, and write the model; the first process writes and reports.

    Args:
        trainer: with its weights, and what `RunTrainer.restore` takes up from a checkpoint.
        checkpoint: where optimizer, schedule and random numbers are taken from; None begins anew.
        evaluate: what is measured at an evaluation; used in the first process only.
        on_progress: called in the first process after each step.

    Raises:
        TrainingError: loss or gradient are no numbers, or a checkpoint cannot be written.
        TrainingStopped: SIGINT or SIGTERM came; a checkpoint was written first.
    """
    rank, out = trainer.args.process_index, trainer.checkpoints.folder
    is_first = rank == 0
    step = int(checkpoint.name.rpartition("-")[2]) if checkpoint is not None else 0
    log = MetricsLog(out, first_step=step) if is_first else None
    with Signals() as signals:
        callback = RunCallback(
            trainer,
            signals=signals,
            log=log,
            evaluate=evaluate if is_first else None,
            on_progress=on_progress if is_first else lambda progress: None,
        )
        trainer.add_callback(callback)
        reason = callback.finished_reason(step)
        if not reason:
            torch.manual_seed(trainer.options.seed + rank)  # of dropout
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            reason, step = callback.end_reason, trainer.state.global_step
        if log is not None:
            log.close()
        run = trainer.run_state
        if callback.stop_signal is not None:
            raise TrainingStopped(
                f"stopped by {reason} after step {step}; all is saved in "
                f"{str(trainer.checkpoints.path(step))!r}, give --resume to go on",
                callback.stop_signal,
            )
        with trainer.gathered():
            if is_first:
                callback.write_model(FINAL_NAME)
        trainer.barrier()
    return TrainingResult(
        path=out / FINAL_NAME,
        step=step,
        n_targets=run.n_targets,
        minutes=run.seconds / 60,
        end_reason=reason,
        best=run.best,
        best_step=run.best_step,
    )
