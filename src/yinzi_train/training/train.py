"""Train a model on a labelled dataset, from a config to a folder with the model."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from transformers import TrainingArguments

from yinzi.errors import ConfigError
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.dataset.units import ReportProgress
from yinzi_train.model import ConversionModel
from yinzi_train.model.families import (
    load_checkpoint,
    model_settings,
    vocabulary_digest,
)
from yinzi_train.training.config import TrainingConfig
from yinzi_train.training.data import TrainingData
from yinzi_train.training.evaluation import (
    MakeEvaluation,
    join_evaluations,
    validation_evaluation,
)
from yinzi_train.training.method import TrainingMethod, with_epochs
from yinzi_train.training.run import (
    FINAL_NAME,
    TrainingResult,
    claim_run,
    prepare_once,
    run_to_end,
    take_up,
)
from yinzi_train.training.run_callback import Evaluate, TrainingProgress
from yinzi_train.training.run_folder import RunFolder, check_dataset
from yinzi_train.training.trainer import ConversionTrainer, training_arguments

__all__ = ["FINAL_NAME", "TrainingResult", "train"]

_MAY_DIFFER: Final = frozenset(("dropout", "label_smoothing", "backbone", "from_scratch"))
"""Keys of a model's config that do not make its weights mean something else."""


def train(
    config: TrainingConfig,
    *,
    data: Path,
    out: Path,
    resumes: bool = False,
    device: str = "cpu",
    make_evaluation: MakeEvaluation | None = None,
    method: TrainingMethod | None = None,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
    on_preparation: ReportProgress = lambda n_done, n_total: None,
) -> TrainingResult:
    """Train a model, or go on with one.

    Under torchrun each process calls this; the first one writes and reports. On one machine, the
    same config, dataset and number of processes give the same weights, bit by bit, however often
    the run was stopped, as long as torch has the same number of threads.

    Args:
        config: all settings.
        data: folder of the dataset.
        out: the run folder.
        resumes: go on from the newest whole checkpoint.
        device: "cpu", or "cuda" for a GPU a process.
        make_evaluation: what to measure at evaluations, besides the loss on the validation split.
        method: where model, batches and optimizer come from; None for training from scratch.
        on_progress: called after each step.
        on_preparation: called with the rows read and to be read while vocabularies and weights are
            made.

    Raises:
        ConfigError: a setting is wrong, the run folder is taken, or it holds another run.
        DatasetError: the dataset cannot be read, or a split has no rows.
        TrainingError: loss or gradient are no numbers, or a checkpoint cannot be written.
        TrainingStopped: SIGINT or SIGTERM came; a checkpoint was written first.
    """
    rank = int(os.environ.get("RANK", "0"))
    n_processes = int(os.environ.get("WORLD_SIZE", "1"))
    folder, dataset = RunFolder(out), open_dataset(data)
    method = method or TrainingMethod()
    check_dataset(dataset, config)
    method.check(config)
    given, config = config, with_epochs(config, dataset, n_processes=n_processes)
    claim_run(given, dataset, out, resumes=resumes, device=device)
    arguments = training_arguments(config.training, out, n_processes=n_processes, device=device)
    prepared = prepare_once(
        lambda tell: method.prepare(dataset, config, out, on_progress=tell),
        out,
        on_progress=on_preparation,
    )
    checkpoint = folder.checkpoints.newest()
    if checkpoint is not None:
        _check_vocabulary(checkpoint, prepared)
    trainer = _make_trainer(method, prepared, folder, arguments, rank=rank, n_processes=n_processes)
    if checkpoint is None and config.training.initial_model:
        _take_weights(method.conversion_model(trainer.model), Path(config.training.initial_model))
    take_up(trainer, checkpoint, resumes=resumes)
    evaluate = _evaluation(prepared, trainer, make_evaluation) if rank == 0 else None
    return run_to_end(trainer, checkpoint=checkpoint, evaluate=evaluate, on_progress=on_progress)


def _make_trainer(
    method: TrainingMethod,
    prepared: TrainingData,
    folder: RunFolder,
    arguments: TrainingArguments,
    *,
    rank: int,
    n_processes: int,
) -> ConversionTrainer:
    config = prepared.config
    model = method.make_model(prepared)
    stream = method.stream(prepared, model, rank=rank, n_ranks=n_processes)
    return ConversionTrainer(
        model,
        arguments,
        stream,
        vocab=prepared.vocab,
        pairs=prepared.pairs,
        options=config.training,
        checkpoints=folder.checkpoints,
        method=method,
    )


def _take_weights(model: ConversionModel, folder: Path) -> None:
    """Begin with the weights of another run.

    Raises:
        ConfigError: it cannot be read, or is another model.
    """
    found = load_checkpoint(folder).model
    if type(found) is not type(model):
        raise ConfigError(
            f"training.initial_model {str(folder)!r} is a {type(found).__name__}, the run trains a "
            f"{type(model).__name__}: begin with a model of the same family"
        )
    for name in model_settings(type(model.config)):
        given, expected = getattr(found.config, name), getattr(model.config, name)
        if name not in _MAY_DIFFER and given != expected:
            raise ConfigError(
                f"training.initial_model {str(folder)!r} has {name} = {given!r}, the run "
                f"{expected!r}: begin with a model of the same sizes and vocabulary"
            )
    model.load_state_dict(found.state_dict())


def _evaluation(
    prepared: TrainingData, trainer: ConversionTrainer, make_evaluation: MakeEvaluation | None
) -> Evaluate | None:
    """Return all that is measured at an evaluation; None if there is none."""
    parts: list[Evaluate] = []
    if not prepared.config.training.eval_steps:
        return None
    if len(prepared.validation):
        model = trainer.method.conversion_model(trainer.model)
        batches = prepared.validation_batches(prepared.packer(model))
        parts.append(validation_evaluation(batches, precision=prepared.config.training.precision))
    parts.extend(trainer.method.evaluations(prepared, trainer.model))
    if make_evaluation is not None:
        parts.append(make_evaluation(prepared.vocab, prepared.pairs))
    if not parts:
        raise ConfigError(
            "training.eval_steps is set, but there is nothing to evaluate: set "
            "evaluation.validation_rows above 0, or name a development set with --dev"
        )
    return join_evaluations(parts)


def _check_vocabulary(checkpoint: Path, prepared: TrainingData) -> None:
    """Check that a checkpoint numbers inputs and pairs as the run does."""
    found = load_checkpoint(checkpoint).model.config.vocabulary
    expected = vocabulary_digest(prepared.vocab, prepared.pairs)
    if found != expected:
        raise ConfigError(
            f"checkpoint {str(checkpoint)!r} has another vocabulary ({found[:12]}…) than the run "
            f"({expected[:12]}…, {len(prepared.pairs)} pairs): its weights mean other hanzi; "
            "resume it in the run folder that it was made in"
        )
