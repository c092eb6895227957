"""Say where a run gets model, batches and optimizer from: by default, all from scratch.

There is one training loop. What a run has of its own, as fine-tuning has (frozen weights, adapters,
further losses), is a `TrainingMethod` that the loop asks at these few places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary
from yinzi_train.dataset.manifest import Count
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.reader import Dataset
from yinzi_train.dataset.units import ReportProgress
from yinzi_train.model import ConversionModel
from yinzi_train.model.families import (
    build_model,
    check_model_settings,
    load_checkpoint,
    save_checkpoint,
)
from yinzi_train.training.config import TrainingConfig, TrainingOptions
from yinzi_train.training.data import TrainingData, prepare_data
from yinzi_train.training.stream import BatchStream

__all__ = ["TrainingMethod", "is_ngram_table", "limited_to_epochs", "with_epochs"]

_Options = TypeVar("_Options", bound=TrainingOptions)


class TrainingMethod:
    """How a run is trained; this one begins with new weights and trains all of them."""

    @property
    def remedies(self) -> str:
        """What can be tried when the loss is no number, after what helps any run; may be empty."""
        return ""

    def check(self, config: TrainingConfig) -> None:
        """Check family and sizes before anything that takes time or writes.

        Raises:
            ConfigError: they do not fit.
        """
        if config.finetuning is not None:
            raise ConfigError(
                "the config has a section [finetuning], which training from scratch cannot follow: "
                "use `yinzi-train finetune`, or remove the section"
            )
        check_model_settings(config.family, config.sizes)

    def prepare(
        self,
        dataset: Dataset,
        config: TrainingConfig,
        folder: Path,
        *,
        on_progress: ReportProgress = lambda n_done, n_total: None,
    ) -> TrainingData:
        """Make what the run reads, or take it from the run folder; the first process goes first."""
        return prepare_data(dataset, config, folder, on_progress=on_progress)

    def make_model(self, prepared: TrainingData) -> nn.Module:
        """Return what is trained; its batches and output are those of a `ConversionModel`."""
        config = prepared.config
        torch.manual_seed(config.training.seed)  # the same weights in all processes
        return build_model(config.family, config.sizes, prepared.vocab, prepared.pairs)

    def conversion_model(self, model: nn.Module) -> ConversionModel:
        """Return the model to evaluate, which is in what is trained."""
        assert isinstance(model, ConversionModel)
        return model

    def stream(
        self, prepared: TrainingData, model: nn.Module, *, rank: int, n_ranks: int
    ) -> BatchStream:
        """Return the batches of one of several processes."""
        packer = prepared.packer(self.conversion_model(model))
        return prepared.stream(packer, rank=rank, n_ranks=n_ranks)

    def parameter_groups(self, model: nn.Module, options: TrainingOptions) -> list[dict[str, Any]]:
        """Return groups for AdamW: matrices decay; the n-grams do not, and learn faster."""
        matrices: list[nn.Parameter] = []
        vectors: list[nn.Parameter] = []
        tables: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            group = vectors if parameter.dim() < 2 else matrices
            (tables if is_ngram_table(name) else group).append(parameter)
        table_rate = options.learning_rate * options.ngram_learning_rate
        groups: list[dict[str, Any]] = [
            {"params": matrices, "weight_decay": options.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
            {"params": tables, "weight_decay": 0.0, "lr": table_rate},
        ]
        return [group for group in groups if group["params"]]

    def before_update(self, model: nn.Module, step: int) -> None:
        """Look at the gradients of a step, before they are cut; steps count from 0."""

    def write(
        self, model: nn.Module, vocab: InputVocabulary, pairs: PairVocabulary, folder: Path
    ) -> None:
        """Write what is trained as a checkpoint."""
        save_checkpoint(self.conversion_model(model), vocab, pairs, folder)

    def read(self, model: nn.Module, folder: Path) -> dict[str, Tensor]:
        """Return all parameters of what is trained, by name, as `write` has left them."""
        return load_checkpoint(folder).model.state_dict()

    def evaluations(
        self, prepared: TrainingData, model: nn.Module
    ) -> Sequence[Callable[[ConversionModel], Mapping[str, float]]]:
        """Return what is measured at evaluations besides what every run measures."""
        return ()


def is_ngram_table(name: str) -> bool:
    """Tell whether a parameter is the table of n-grams, whose rows are seen rarely."""
    return name.endswith("ngrams.table.weight")


def with_epochs(config: TrainingConfig, dataset: Dataset, *, n_processes: int) -> TrainingConfig:
    """Return a config whose `max_steps` keeps its `max_epochs`.

    Raises:
        ConfigError: warm-up and decay are longer than that.
    """
    replay = config.finetuning.replay if config.finetuning is not None else None
    own_share = 1 - replay.share if replay is not None and replay.data else 1.0
    options = limited_to_epochs(
        config.training, dataset, n_processes=n_processes, own_share=own_share
    )
    return config if options is config.training else replace(config, training=options)


def limited_to_epochs(
    options: _Options, dataset: Dataset, *, n_processes: int, own_share: float = 1.0
) -> _Options:
    """Return options whose `max_steps` keeps their `max_epochs`.

    Args:
        options: of a run.
        dataset: what it trains on.
        n_processes: that take batches.
        own_share: of the rows of a batch that come from it.

    Raises:
        ConfigError: warm-up and decay are longer than that.
    """
    if not options.max_epochs:
        return options
    n_rows = dataset.manifest.splits.get("train", Count()).rows
    rows_per_step = options.rows_per_batch * options.gradient_accumulation * n_processes * own_share
    n_steps = max(1, math.ceil(options.max_epochs * n_rows / rows_per_step))
    try:
        return replace(options, max_steps=min(options.max_steps, n_steps))
    except ConfigError as error:
        raise ConfigError(
            f"training.max_epochs = {options.max_epochs:g} are {n_steps} steps of "
            f"{rows_per_step:g} sentences, as the train split has {n_rows}; {error}. Lower "
            "training.warmup_steps, training.decay_steps or training.rows_per_batch, or train "
            "more epochs"
        ) from error
