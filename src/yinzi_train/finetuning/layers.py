"""Order the parameters of a model from its output down to its inputs, and say which of them train.

Any model is cut into blocks: the output (output layer, last norm, and what else stands outside of
layers), each layer from the top, and the inputs (embeddings, n-grams, position biases). A layer is
an entry of a `ModuleList` that is in no other one; so this also holds for pretrained backbones.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from torch import nn

from yinzi.errors import ConfigError
from yinzi_train.training.finetuning_options import FinetuningOptions
from yinzi_train.training.method import is_ngram_table

__all__ = ["INPUTS", "OUTPUT", "TrainedParameter", "layer_names", "plan_parameters"]

OUTPUT: Final = "output"
INPUTS: Final = "inputs"

_INPUT_PARTS: Final = re.compile(r"embed|ngrams|(^|[._])(position|own|source|encoder)_bias|wte|wpe")
_NGRAMS: Final = re.compile(r"(^|\.)ngrams\.")


@dataclass(frozen=True)
class TrainedParameter:
    """A parameter that trains.

    Attributes:
        name: of the parameter.
        block: "output", the name of a layer, or "inputs".
        factor: of its learning rate.
        first_step: when it begins to train, from 0.
    """

    name: str
    block: str
    factor: float
    first_step: int


def layer_names(model: nn.Module) -> list[str]:
    """Return the names of the layers, the top one first: last list, last entry."""
    lists: list[tuple[str, int]] = []
    for name, module in model.named_modules():
        is_inside = any(name.startswith(f"{outer}.") for outer, _ in lists)
        if isinstance(module, nn.ModuleList) and len(module) and not is_inside:
            lists.append((name, len(module)))
    return [
        f"{name}.{index}" for name, length in reversed(lists) for index in reversed(range(length))
    ]


def plan_parameters(
    model: nn.Module,
    options: FinetuningOptions,
    *,
    adapted: Collection[str] = (),
    added: Iterable[str] = (),
) -> list[TrainedParameter]:
    """Return the parameters that train, those of the output first.

    Args:
        model: the model.
        options: method and switches.
        adapted: parameters of adapters, which train whatever the switches say.
        added: parameters of heads of further tasks, which train at all times.

    Raises:
        ConfigError: the model has fewer layers than are to train, or nothing would train.
    """
    layers = layer_names(model)
    blocks = [OUTPUT, *layers, INPUTS]
    n_trained = _n_trained_layers(options, layers)
    found = [TrainedParameter(name, OUTPUT, 1.0, 0) for name in added]
    is_adapter = options.method == "adapter"
    for name, _ in model.named_parameters():
        block = _block_of(name, layers)
        depth = blocks.index(block)
        if name in adapted:
            trains = True
        elif block in {OUTPUT, INPUTS}:
            trains = _trains_outside(name, block, options)
        else:
            trains = not is_adapter and depth <= n_trained
        if trains:
            first_step = depth * options.stage_steps if options.method == "gradual" else 0
            factor = options.layer_decay**depth
            found.append(TrainedParameter(name, block, factor, first_step))
    if not found:
        raise ConfigError(
            "no parameter would train: set finetuning.pair_layer, finetuning.embeddings or "
            'finetuning.ngrams to something other than "freeze", or another finetuning.method'
        )
    return sorted(found, key=lambda one: blocks.index(one.block))


def _n_trained_layers(options: FinetuningOptions, layers: Sequence[str]) -> int:
    if options.method != "last_layers":
        return len(layers)
    if options.n_layers > len(layers):
        raise ConfigError(
            f"finetuning.n_layers is {options.n_layers}, the model has {len(layers)} layers "
            f"({', '.join(layers[:5])}): give at most {len(layers)}, or finetuning.method="
            '"full" to train them all'
        )
    return options.n_layers


def _block_of(name: str, layers: Sequence[str]) -> str:
    for layer in layers:
        if name.startswith(f"{layer}."):
            return layer
    return INPUTS if _INPUT_PARTS.search(name) else OUTPUT


def _trains_outside(name: str, block: str, options: FinetuningOptions) -> bool:
    """Tell whether a parameter outside of layers trains, unless it is one of an adapter."""
    if name.startswith("pair_layer."):
        kept = options.trained_pair_layer
        return kept == "all" or (kept == "bias" and name.endswith(".bias"))
    if block == OUTPUT:
        return options.method != "adapter"
    if _NGRAMS.search(name) or is_ngram_table(name):
        return options.trains_ngrams
    return options.trains_embeddings
