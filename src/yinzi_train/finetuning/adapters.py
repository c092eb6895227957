"""Put small trainable modules beside the frozen weights of a model, with the library peft.

The modules are put into the model as it is, so it is trained and evaluated like any other; for
saving, a copy of it is merged into plain weights.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

from torch import nn

from yinzi.errors import ConfigError, MissingExtra
from yinzi_train.finetuning.layers import layer_names
from yinzi_train.model import ConversionModel
from yinzi_train.training.finetuning_options import AdapterOptions

__all__ = ["Adapter", "adapted_modules", "add_adapter"]


class Adapter:
    """The adapter of a model.

    Attributes:
        model: the model, with the modules in it.
        names: of its parameters in the model.
    """

    def __init__(self, model: ConversionModel, wrapped: Any) -> None:
        self.model = model
        self.names = frozenset(
            name for name, parameter in model.named_parameters() if parameter.requires_grad
        )
        self._wrapped = wrapped

    def merged(self) -> ConversionModel:
        """Return a copy of the model with the adapter merged into its weights; it has none."""
        merged = copy.deepcopy(self._wrapped).merge_and_unload()
        assert isinstance(merged, ConversionModel)
        return merged

    def save(self, folder: Path) -> None:
        """Write the adapter alone, as `peft.PeftModel.from_pretrained` reads it."""
        folder.mkdir(parents=True, exist_ok=True)
        self._wrapped.save_pretrained(str(folder), save_embedding_layers=False)


def adapted_modules(model: nn.Module, options: AdapterOptions) -> list[str]:
    """Return the names of the modules that get an adapter.

    Raises:
        ConfigError: the pattern is none, or matches no linear module.
    """
    linear = _linear_modules(model)
    if not options.modules:
        layers = tuple(f"{layer}." for layer in layer_names(model))
        found = [name for name in linear if name.startswith(layers)] or linear
        if not found:
            raise ConfigError("the model has no linear module to adapt: use another method")
        return found
    try:
        pattern = re.compile(options.modules)
    except re.error as error:
        raise ConfigError(
            f"finetuning.adapter.modules is {options.modules!r}: no regular expression ({error})"
        ) from error
    found = [name for name in linear if pattern.fullmatch(name)]
    if not found:
        raise ConfigError(
            f"finetuning.adapter.modules is {options.modules!r}: it matches no linear module of "
            f"the model, which has {', '.join(linear[:5])}{' …' if len(linear) > 5 else ''}; "
            "the whole name must match, as '.*query_key_value'"
        )
    return found


def add_adapter(model: ConversionModel, options: AdapterOptions) -> Adapter:
    """Put an adapter into a model; all other weights are frozen.

    Its weights are drawn from torch's generator: seed it first. At the start it changes nothing.

    Raises:
        ConfigError: see `adapted_modules`.
        MissingExtra: peft is not installed.
    """
    try:
        from peft import IA3Config, LoraConfig, get_peft_model
    except ImportError as error:
        raise MissingExtra(
            "adapters need peft: install it with pip install 'yinzi[train]', or use another "
            "finetuning.method"
        ) from error
    modules = adapted_modules(model, options)
    config: Any
    if options.kind == "ia3":
        config = IA3Config(target_modules=modules, feedforward_modules=[])
    else:
        config = LoraConfig(
            r=options.rank,
            lora_alpha=options.alpha,  # type: ignore[arg-type] # fractions are as good
            lora_dropout=options.dropout,
            target_modules=modules,
            use_rslora=options.kind == "rslora",
            use_dora=options.kind == "dora",
        )
    return Adapter(model, get_peft_model(model, config))


def _linear_modules(model: nn.Module) -> list[str]:
    from transformers.pytorch_utils import Conv1D

    return [
        name for name, module in model.named_modules() if isinstance(module, (nn.Linear, Conv1D))
    ]
