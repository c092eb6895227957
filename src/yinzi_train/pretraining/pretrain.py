"""Pretrain a model on the texts of a dataset, from a config to a folder that transformers opens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from yinzi.errors import ConfigError
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.dataset.units import ReportProgress
from yinzi_train.pretraining.config import PretrainingConfig
from yinzi_train.pretraining.data import PretrainingData, prepare_text_data
from yinzi_train.pretraining.model import (
    PretrainingModel,
    load_language_model,
    make_language_model,
    perplexity,
)
from yinzi_train.pretraining.trainer import PretrainingTrainer
from yinzi_train.pretraining.vocabulary import TextVocabulary
from yinzi_train.training.method import limited_to_epochs
from yinzi_train.training.run import (
    TrainingResult,
    claim_run,
    prepare_once,
    run_to_end,
    take_up,
)
from yinzi_train.training.run_callback import Evaluate, TrainingProgress
from yinzi_train.training.run_folder import RunFolder, check_dataset
from yinzi_train.training.trainer import training_arguments

__all__ = ["pretrain", "text_evaluation"]


def pretrain(
    config: PretrainingConfig,
    *,
    data: Path,
    out: Path,
    resumes: bool = False,
    device: str = "cpu",
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
    on_preparation: ReportProgress = lambda n_done, n_total: None,
) -> TrainingResult:
    """Pretrain a model, or go on with one; see `yinzi_train.training.train.train`.

    Args:
        config: all settings.
        data: folder of the dataset.
        out: the run folder; the model comes into `final` in it.
        resumes: go on from the newest whole checkpoint.
        device: "cpu", or "cuda" for a GPU a process.
        on_progress: called after each step.
        on_preparation: called with the rows read and to be read while characters are counted and
            rows weighed.

    Raises:
        ConfigError: a setting is wrong, `max_epochs` are over before warm-up and decay, the run
            folder is taken, or it holds another run.
        DatasetError: the dataset cannot be read, or a split has no rows.
        TrainingError: loss or gradient are no numbers, or a checkpoint cannot be written or read.
        TrainingStopped: SIGINT or SIGTERM came; a checkpoint was written first.
    """
    rank = int(os.environ.get("RANK", "0"))
    n_processes = int(os.environ.get("WORLD_SIZE", "1"))
    folder, dataset = RunFolder(out), open_dataset(data)
    check_dataset(dataset, config)
    options = limited_to_epochs(config.training, dataset, n_processes=n_processes)
    initial = Path(options.initial_model) if options.initial_model else None
    language_model = load_language_model(initial, config.model) if initial is not None else None
    if options.eval_steps and not config.n_validation_rows:
        raise ConfigError(
            "training.eval_steps is set, but there is nothing to evaluate: set "
            "evaluation.validation_rows above 0"
        )
    claim_run(config, dataset, out, resumes=resumes, device=device)
    arguments = training_arguments(options, out, n_processes=n_processes, device=device)
    prepared = prepare_once(
        lambda tell: prepare_text_data(dataset, config, out, on_progress=tell),
        out,
        on_progress=on_preparation,
    )
    torch.manual_seed(options.seed)  # the same weights in all processes
    trainer = PretrainingTrainer(
        PretrainingModel(language_model or make_language_model(config.model, prepared.vocab)),
        arguments,
        prepared.stream(rank=rank, n_ranks=n_processes),
        family=config.model.family,
        vocab=prepared.vocab,
        options=options,
        checkpoints=folder.checkpoints,
    )
    checkpoint = folder.checkpoints.newest()
    if checkpoint is not None:
        _check_vocabulary(checkpoint, prepared)
    take_up(trainer, checkpoint, resumes=resumes)
    evaluate = None
    if rank == 0 and options.eval_steps:
        evaluate = text_evaluation(prepared.validation_batches(), precision=options.precision)
    return run_to_end(trainer, checkpoint=checkpoint, evaluate=evaluate, on_progress=on_progress)


def text_evaluation(batches: Iterable[dict[str, Tensor]], *, precision: str = "bf16") -> Evaluate:
    """Return what measures `validation_loss`, `validation_perplexity` and `validation_accuracy`.

    Args:
        batches: of validation texts; they are kept.
        precision: "bf16" (autocast) or "fp32".
    """
    kept, is_bf16 = list(batches), precision == "bf16"

    def evaluate(model: PretrainingModel) -> Mapping[str, float]:
        loss, n_right, n_targets = 0.0, 0, 0
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            for batch in kept:
                output = model(**batch)
                loss += float(output.loss) * output.n_targets
                n_right += output.n_right
                n_targets += output.n_targets
        mean = loss / max(n_targets, 1)
        return {
            "validation_loss": mean,
            "validation_perplexity": perplexity(mean),
            "validation_accuracy": n_right / max(n_targets, 1),
        }

    return evaluate


def _check_vocabulary(checkpoint: Path, prepared: PretrainingData) -> None:
    """Check that a checkpoint numbers characters as the run does."""
    found, expected = TextVocabulary.load(checkpoint), prepared.vocab
    if found.tokenizer.get_vocab() != expected.tokenizer.get_vocab():
        raise ConfigError(
            f"checkpoint {str(checkpoint)!r} has another vocabulary ({len(found)} tokens) than "
            f"the run ({len(expected)} tokens): its weights mean other characters; resume it in "
            "the run folder that it was made in"
        )
