"""Open a pretrained model: a folder in the layout of transformers, or a name on the hub.

Of the model are kept its layers and the part of its output head before the last product. Tables of
tokens are left out: a conversion model has tables of hanzi of its own, which start from them. So
all tokenizers are alike from here on, and neither tokenizer nor backbone is needed to open a
checkpoint.
"""

from __future__ import annotations

import inspect
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
)

from yinzi.errors import ConfigError

__all__ = [
    "KINDS",
    "Pretrained",
    "accepts",
    "bare_model",
    "kind_of",
    "read_architecture",
    "read_pretrained",
    "with_dropout",
]

logger = logging.getLogger(__name__)

KINDS: Final[Mapping[str, Any]] = {
    "bert": AutoModelForMaskedLM,
    "gpt": AutoModelForCausalLM,
    "t5": AutoModelForSeq2SeqLM,
}
"""What opens the backbones of each family."""

_DROPOUTS: Final = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "embd_pdrop", "resid_pdrop"),
    *("attn_pdrop", "attention_dropout", "dropout_rate", "dropout", "activation_dropout"),
    *("embedding_dropout", "mlp_dropout", "hidden_dropout"),
)


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A pretrained model, taken apart.

    Attributes:
        layers: state of what `bare_model` builds.
        inputs: float [n_tokens, embedding_size], input embeddings.
        outputs: float [n_tokens, hidden_size], output embeddings.
        output_bias: float [n_tokens], zeros if it has none.
        tokenizer: its tokenizer.
        tokenizer_files: the files of it, by name.
    """

    layers: dict[str, Tensor]
    inputs: Tensor
    outputs: Tensor
    output_bias: Tensor
    tokenizer: Any
    tokenizer_files: dict[str, bytes]


def kind_of(config: PretrainedConfig) -> str | None:
    """Return the family that a backbone is for, None if none is."""
    if config.is_encoder_decoder:
        return "t5" if type(config) in AutoModelForSeq2SeqLM._model_mapping else None
    if type(config) in AutoModelForMaskedLM._model_mapping:
        return "bert"
    return "gpt" if type(config) in AutoModelForCausalLM._model_mapping else None


def read_architecture(backbone: str, family: str) -> PretrainedConfig:
    """Return the config of a backbone.

    Args:
        backbone: folder, or name on the hub.
        family: "bert", "gpt" or "t5".

    Raises:
        ConfigError: it cannot be read, is unknown to transformers, or is for another family.
    """
    folder = Path(backbone)
    is_path = folder.is_dir() or backbone.startswith((".", "/", "~")) or backbone.count("/") > 1
    if is_path and not folder.is_dir():
        raise ConfigError(
            f"model.backbone {backbone!r}: there is no such folder; make one with `yinzi-train "
            "pretrain`, or give the name of a model on the hub"
        )
    if is_path and not (folder / "config.json").is_file():
        raise ConfigError(
            f"model.backbone {backbone!r} has no config.json: give a folder that `save_pretrained` "
            "of transformers, or `yinzi-train pretrain`, has written"
        )
    try:
        config = AutoConfig.from_pretrained(backbone)
    except (ValueError, KeyError) as error:
        raise ConfigError(
            f"model.backbone {backbone!r} is of an architecture that transformers does not know: "
            f"{_first_line(error)}; take another backbone or a newer transformers"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"model.backbone {backbone!r} is no folder here, and the hub did not give it: "
            f"{_first_line(error)}; check the name and the network, or give a local folder"
        ) from error
    kind = kind_of(config)
    if kind != family:
        advice = f'set model.family = "{kind}"' if kind else "take one with a language model head"
        raise ConfigError(
            f"model.backbone {backbone!r} is of type {config.model_type!r}, which does not fit "
            f"family {family!r}: {advice}, or take another backbone"
        )
    return config


def with_dropout(config: PretrainedConfig, dropout: float) -> dict[str, Any]:
    """Return a config as a table: with a dropout everywhere, and without a vocabulary."""
    table = config.to_dict()
    table.update({name: dropout for name in _DROPOUTS if isinstance(table.get(name), (int, float))})
    if table.get("activation_function") == "gelu_new":
        table["activation_function"] = "gelu_pytorch_tanh"  # the same in one operation: faster
    table["vocab_size"] = max(0, table.get("pad_token_id") or 0) + 1
    # What is said of texts, tokens and files belongs to the tokenizer that is left behind.
    for name in ("transformers_version", "architectures", "dtype", "torch_dtype", "_name_or_path"):
        table.pop(name, None)
    for name in ("bos_token_id", "eos_token_id", "sep_token_id", "decoder_start_token_id"):
        if name in table:
            table[name] = None
    return table


def bare_model(architecture: Mapping[str, Any], family: str) -> tuple[PreTrainedModel, int, int]:
    """Return a new model without tables of tokens, the width of its inputs and of its outputs.

    Its `logits` are what its output embeddings would be multiplied with.

    Raises:
        ConfigError: the table is no config of a known architecture.
    """
    try:
        config = CONFIG_MAPPING[architecture["model_type"]].from_dict(dict(architecture))
        for name in ("scale_decoder_outputs",):  # T5 infers it anew from what is not kept
            if name in architecture:
                setattr(config, name, architecture[name])
        model = KINDS[family].from_config(config)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ConfigError(f"the backbone's config describes no model: {error}") from error
    inputs, outputs = _tables(model, family)
    _strip(model)
    return model, inputs.shape[1], outputs.weight.shape[1]


def read_pretrained(backbone: str, family: str) -> Pretrained:
    """Read weights and tokenizer of a backbone.

    Raises:
        ConfigError: there are no weights or no tokenizer.
    """
    tokenizer = _read_tokenizer(backbone)
    try:
        model, info = KINDS[family].from_pretrained(
            backbone, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ConfigError(
            f"cannot read the weights of model.backbone {backbone!r}: {_first_line(error)}; the "
            "folder has no or damaged weights, or set model.from_scratch = true"
        ) from error
    missing = sorted(info["missing_keys"])
    if missing:
        logger.warning(
            "backbone %s lacks %d weights, which begin anew: %s",
            backbone,
            len(missing),
            missing[:3],
        )
    inputs, head = _tables(model, family)
    bias = getattr(head, "bias", None)
    outputs = head.weight.detach()
    output_bias = outputs.new_zeros(len(outputs)) if bias is None else bias.detach()
    _strip(model)
    with tempfile.TemporaryDirectory() as temporary:
        tokenizer.save_pretrained(temporary)
        files = {path.name: path.read_bytes() for path in Path(temporary).iterdir()}
    return Pretrained(model.state_dict(), inputs.detach(), outputs, output_bias, tokenizer, files)


def accepts(model: nn.Module, name: str) -> bool:
    """Tell whether the forward pass of a model takes an argument of that name."""
    return name in inspect.signature(model.forward).parameters


def _tables(model: PreTrainedModel, family: str) -> tuple[Tensor, nn.Linear]:
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    if not isinstance(inputs, nn.Embedding) or not isinstance(outputs, nn.Linear):
        raise ConfigError(
            f"a {type(model).__name__} has no plain input and output embeddings, so it cannot be a "
            f"backbone of family {family!r}: take another one"
        )
    weight: Tensor = inputs.weight
    return weight, outputs


def _strip(model: PreTrainedModel) -> None:
    """Take the tables of tokens out of a model."""
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    n_tokens = outputs.weight.shape[0]
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            is_table = child is inputs or child is outputs
            if is_table or getattr(child, "weight", None) is inputs.weight:
                setattr(module, name, nn.Identity())
                bias = getattr(module, "bias", None)  # BERT keeps the bias beside its product too
                if child is outputs and isinstance(bias, nn.Parameter) and len(bias) == n_tokens:
                    module.register_parameter("bias", None)
    # There is nothing left that could be tied.
    for module in model.modules():
        if isinstance(module, PreTrainedModel):
            setattr(module, "_tied_weights_keys", None)  # noqa: B010
            module.all_tied_weights_keys = {}


def _read_tokenizer(backbone: str) -> Any:
    advice = (
        "put the tokenizer that the model was pretrained with into the folder, or set "
        "model.from_scratch = true"
    )
    folder = Path(backbone)
    names = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")
    if folder.is_dir() and not any((folder / name).is_file() for name in names):
        raise ConfigError(f"model.backbone {backbone!r} has no tokenizer: {advice}")
    try:
        return AutoTokenizer.from_pretrained(backbone)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise ConfigError(
            f"cannot read the tokenizer of model.backbone {backbone!r}: {_first_line(error)}; "
            f"{advice}"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
