"""The training loop for models that are pretrained: how they are saved, and a schedule by time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainingArguments

from yinzi_train.pretraining.config import PretrainingOptions
from yinzi_train.pretraining.model import PretrainingModel, read_language_model_weights
from yinzi_train.pretraining.vocabulary import TextVocabulary
from yinzi_train.training.checkpoints import Checkpoints
from yinzi_train.training.learning_rate import learning_rate_share
from yinzi_train.training.stream import RowStream
from yinzi_train.training.trainer import RunTrainer

__all__ = ["PretrainingTrainer", "time_share"]


def time_share(seconds: float, options: PretrainingOptions) -> float:
    """Return the most that the learning rate may be at a time, as a share of the highest.

    >>> options = PretrainingOptions(max_minutes=20, decay_minutes=5, min_learning_rate=0)
    >>> [round(time_share(60 * minutes, options), 3) for minutes in (0, 15, 17.5, 20, 30)]
    [1.0, 1.0, 0.5, 0.0, 0.0]

    Args:
        seconds: of training so far.
        options: of the run.
    """
    if not options.decay_minutes:
        return 1.0
    first = (options.max_minutes - options.decay_minutes) * 60
    passed = min(1.0, max(0.0, (seconds - first) / (options.decay_minutes * 60)))
    lowest = options.min_learning_rate
    return lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * passed))


class PretrainingTrainer(RunTrainer):
    """Train a language model."""

    model: PretrainingModel
    options: PretrainingOptions

    def __init__(
        self,
        model: PretrainingModel,
        arguments: TrainingArguments,
        stream: RowStream,
        *,
        family: str,
        vocab: TextVocabulary,
        options: PretrainingOptions,
        checkpoints: Checkpoints,
    ) -> None:
        super().__init__(model, arguments, stream, options=options, checkpoints=checkpoints)
        self._family = family
        self._vocab = vocab

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """Make the schedule by steps, held down by the time at the end."""
        optimizer = optimizer or self.optimizer
        assert optimizer is not None  # the Trainer makes it first
        schedule = LambdaLR(optimizer, self._share)
        self.lr_scheduler, self._created_lr_scheduler = schedule, True
        return schedule

    def write_files(self, model: nn.Module, folder: Path) -> None:
        """Write model and tokenizer in the layout of Hugging Face."""
        assert isinstance(model, PretrainingModel)
        model.language_model.save_pretrained(str(folder))
        self._vocab.tokenizer.save_pretrained(str(folder))

    def read_weights(self, folder: Path) -> Mapping[str, Tensor]:
        """Return the weights of a written model."""
        return read_language_model_weights(folder, self._family)

    def count_tokens(self, output: Any) -> int:
        """Return the places read that are no blanks."""
        return int(output.n_tokens)

    def _share(self, step: int) -> float:
        by_steps = learning_rate_share(step, self.options)
        return min(by_steps, time_share(self.run_state.seconds, self.options))
