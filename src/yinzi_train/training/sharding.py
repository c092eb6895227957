"""Share a model's weights, gradients and optimizer out among the processes (FSDP).

`transformers.Trainer` and accelerate do the sharding (FSDP2: Zhao et al. 2023, arXiv 2304.11277,
rewritten with one DTensor a parameter). What is here is what they leave open: which layers are
units of their own, averaged weights in pieces, and a whole model in the first process when one is
to be written or evaluated, so that checkpoints look the same however they were trained.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from accelerate.utils import (
    DistributedType,
    FullyShardedDataParallelPlugin,
    save_fsdp_optimizer,
)
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from transformers import Trainer

from yinzi.errors import ConfigError
from yinzi_train.model.sequence_to_sequence import Seq2SeqModel
from yinzi_train.training.weight_average import WeightAverage

__all__ = [
    "WholeModel",
    "layer_classes",
    "save_optimizer",
    "shard_without_gpus",
    "sharding_arguments",
]

_SCHEDULER_NAME: Final = "scheduler.pt"


def sharding_arguments(parallel: str, *, n_processes: int) -> dict[str, Any]:
    """Return what `TrainingArguments` takes to share the weights out, nothing for "ddp".

    Raises:
        ConfigError: there is nobody to share with.
    """
    if parallel != "fsdp":
        return {}
    if n_processes == 1:
        raise ConfigError(
            "training.parallel is 'fsdp' with one process: start several, as with --processes 2, "
            "or set training.parallel=ddp"
        )
    return {
        "fsdp": True,
        "fsdp_config": {
            "version": 2,
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "state_dict_type": "FULL_STATE_DICT",
            "reshard_after_forward": True,
        },
    }


def layer_classes(model: nn.Module) -> list[str]:
    """Return names of the classes of a model's layers: those it has in lists of one class.

    A unit is brought together when its `forward` is called. Decoders also use parts of their layers
    in other ways, so models with one are a single unit.
    """
    if isinstance(model, Seq2SeqModel):
        return []
    found: dict[str, None] = {}
    for module in model.modules():
        if not isinstance(module, nn.ModuleList) or not len(module):
            continue
        kinds = {type(layer) for layer in module}
        has_weights = any(True for _ in module.parameters())
        if len(kinds) == 1 and has_weights:
            found[kinds.pop().__name__] = None
    return list(found)


def make_ready(model: nn.Module) -> None:
    """Tell accelerate what units a model has: its layers, and all the rest as one."""
    model.__dict__["_no_split_modules"] = layer_classes(model)
    # Its embeddings would be a unit of their own, if it had just one kind of them.
    model.__dict__["get_input_embeddings"] = model.__dict__["get_output_embeddings"] = _nothing


def _nothing() -> None:
    return None


def shard_without_gpus(trainer: Trainer) -> None:
    """Let accelerate share out weights on the CPU too.

    accelerate 1.15 takes the plugin on GPUs and their like only: with `MULTI_CPU` it forgets it
    without a word, and each process would have all weights. Everything behind that works with gloo.

    Raises:
        ConfigError: torch would share them out among the GPUs of this machine.
    """
    if torch.cuda.is_available():
        raise ConfigError(
            "training.parallel is 'fsdp' on the CPU of a machine with GPUs: add --gpus, or set "
            "training.parallel=ddp"
        )
    plugin = FullyShardedDataParallelPlugin(**trainer.args.fsdp_plugin_args)
    state = trainer.accelerator.state
    if state.mixed_precision != "no":
        plugin.set_mixed_precision(state.mixed_precision)
    state.distributed_type, state.fsdp_plugin = DistributedType.FSDP, plugin
    trainer.is_fsdp_enabled = True


class WholeModel:
    """Give the model with all its weights on the CPU, to be written or evaluated.

    Where one process has all of them there, that is the model itself, and nothing is copied. Of a
    model on a GPU, or one that is shared out, the first process keeps a copy.

    Attributes:
        is_sharded: each process holds a part.
    """

    def __init__(
        self, model: nn.Module, *, is_sharded: bool, is_first: bool, device: str = "cpu"
    ) -> None:
        self.is_sharded = is_sharded
        has_copy = is_first and (is_sharded or device != "cpu")
        self._copy = copy.deepcopy(model) if has_copy else None
        self._states: dict[bool, dict[str, Any]] = {}

    @contextmanager
    def gathered(self, model: nn.Module, average: WeightAverage | None) -> Iterator[None]:
        """Bring all weights to the first process for as long as the block runs.

        All processes enter the block together; what is inside is for the first one alone.
        """
        takes_part = self.is_sharded or self._copy is not None
        if not takes_part or self._states:
            yield
            return
        self._states[False] = self._gather(model)
        if average is not None:
            with average.swapped():
                self._states[True] = self._gather(model)
        try:
            yield
        finally:
            self._states.clear()

    @contextmanager
    def opened(self, model: nn.Module, average: WeightAverage | None) -> Iterator[nn.Module]:
        """Give the model, with averaged weights if there is an average; within `gathered`."""
        if self._copy is not None:
            self._copy.load_state_dict(self._states[average is not None])
            yield self._copy
        elif average is None:
            yield model
        else:
            with average.swapped():
                yield model

    def _gather(self, model: nn.Module) -> dict[str, Any]:
        """Return all weights on the CPU in the first process, and nothing in the others."""
        state: dict[str, Any] = model.state_dict()
        if self.is_sharded:
            options = StateDictOptions(full_state_dict=True, cpu_offload=True)
            state = get_model_state_dict(model, options=options)
        if self._copy is None:
            return {}
        # Copies, as averaged weights are in the model only for now.
        return {name: value.to("cpu", copy=True) for name, value in state.items()}


def save_optimizer(trainer: Trainer, folder: Path) -> None:
    """Write the whole state of optimizer and schedule; all processes take part."""
    plugin = trainer.accelerator.state.fsdp_plugin
    save_fsdp_optimizer(plugin, trainer.accelerator, trainer.optimizer, trainer.model, str(folder))
    if trainer.args.should_save:
        assert trainer.lr_scheduler is not None  # the Trainer has made it
        torch.save(trainer.lr_scheduler.state_dict(), folder / _SCHEDULER_NAME)
