"""Make models from their sizes, and let them learn from lines: one loss for each family."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from torch import Tensor, nn

from yinzi.errors import ConfigError
from yinzi_train.pretraining.config import ModelOptions
from yinzi_train.pretraining.lines import IGNORED
from yinzi_train.pretraining.vocabulary import TextVocabulary
from yinzi_train.training.errors import TrainingError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = [
    "PretrainingModel",
    "PretrainingOutput",
    "load_language_model",
    "make_language_model",
    "perplexity",
    "read_language_model_weights",
]

_MODEL_TYPES: Final = {"bert": "bert", "gpt": "gpt2", "t5": "t5"}
_SIZES: Final = {
    "bert": {
        **{"hidden_size": "hidden_size", "n_layers": "num_hidden_layers"},
        **{"n_heads": "num_attention_heads", "feed_forward_size": "intermediate_size"},
        "max_positions": "max_position_embeddings",
    },
    "gpt": {
        **{"hidden_size": "n_embd", "n_layers": "n_layer", "n_heads": "n_head"},
        **{"feed_forward_size": "n_inner", "max_positions": "n_positions"},
    },
    "t5": {
        **{"hidden_size": "d_model", "n_layers": "num_layers", "n_heads": "num_heads"},
        **{"n_decoder_layers": "num_decoder_layers", "feed_forward_size": "d_ff"},
    },
}
"""How the configs of transformers call our sizes."""
_PART: Final = 1024
"""Places whose logits are computed together."""


@dataclass(frozen=True)
class PretrainingOutput:
    """What came of a batch.

    Attributes:
        loss: mean over the targets, natural log.
        n_right: targets that were the likeliest.
        n_targets: characters to guess, marks of the end included.
        n_tokens: places read that are no blanks.
    """

    loss: Tensor
    n_right: int
    n_targets: int
    n_tokens: int


class PretrainingModel(nn.Module):
    """A model of transformers with the loss it is pretrained with.

    Attributes:
        language_model: what is saved.
    """

    def __init__(self, language_model: PreTrainedModel) -> None:
        super().__init__()
        self.language_model = language_model
        # On lines this short, plain products are a third faster than the fused attention of torch
        # for the processor, which goes back slowly.
        language_model.set_attn_implementation("eager")

    def forward(self, **batch: Tensor) -> PretrainingOutput:
        """Guess the targets of a batch of `yinzi_train.pretraining.lines`."""
        model: Any = self.language_model
        targets = batch["targets"].flatten()
        n_targets = int((targets != IGNORED).sum())
        if "places" in batch:
            hidden = self._hidden(batch).flatten(0, 1)[batch["places"]]
            head = model.lm_head if model.config.model_type == "gpt2" else model.cls
            n_tokens = int((batch["segments"] >= 0).sum())
        else:
            names = ("input_ids", "attention_mask", "decoder_input_ids")
            given = {name: batch[name] for name in names}
            hidden, head = model(**given, use_cache=False).logits.flatten(0, 1), nn.Identity()
            n_tokens = int(batch["attention_mask"].sum()) + n_targets
        loss, n_right = hidden.new_zeros((), dtype=torch.float32), 0
        # In parts that stay in the cache: a third faster than all logits at once.
        for part, wanted in zip(hidden.split(_PART), targets.split(_PART), strict=True):
            logits = head(part).float()
            loss = loss + nn.functional.cross_entropy(
                logits, wanted, ignore_index=IGNORED, reduction="sum"
            )
            n_right += int((logits.detach().max(-1).indices == wanted).sum())
        return PretrainingOutput(loss / max(n_targets, 1), n_right, n_targets, n_tokens)

    def _hidden(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the hidden states of a batch, in which sentences do not see each other."""
        model: Any = self.language_model
        segments = batch["segments"]
        is_seen = segments[:, None, :, None] == segments[:, None, None, :]  # [lines, 1, at, seen]
        is_causal = model.config.model_type == "gpt2"
        if is_causal:
            is_seen = is_seen.tril()
        kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else model.dtype
        mask = torch.zeros(is_seen.shape, dtype=kind)
        mask.masked_fill_(~is_seen, torch.finfo(kind).min)
        hidden = model.base_model(
            input_ids=batch["input_ids"],
            position_ids=batch["position_ids"],
            attention_mask=mask,
            **({"use_cache": False} if is_causal else {}),
        ).last_hidden_state
        return cast(Tensor, hidden)


def make_language_model(options: ModelOptions, vocab: TextVocabulary) -> PreTrainedModel:
    """Return a model with new weights."""
    from transformers import (
        AutoModelForCausalLM,
        AutoModelForMaskedLM,
        AutoModelForSeq2SeqLM,
        BertConfig,
        GPT2Config,
        T5Config,
    )

    named = {ours: getattr(options, ours) for ours in _SIZES[options.family]}
    sizes: dict[str, Any] = {_SIZES[options.family][ours]: size for ours, size in named.items()}
    sizes |= {"vocab_size": len(vocab), "pad_token_id": vocab.pad_id}
    if options.family == "bert":
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            sizes[name] = options.dropout
        bert = BertConfig(**sizes)
        return cast("PreTrainedModel", AutoModelForMaskedLM.from_config(bert))
    end = int(vocab.suffix[-1])
    if options.family == "gpt":
        for name in ("resid_pdrop", "embd_pdrop", "attn_pdrop"):
            sizes[name] = options.dropout
        gpt = GPT2Config(
            **sizes,
            activation_function="gelu_pytorch_tanh",  # as "gelu_new", in one operation
            bos_token_id=int([*vocab.prefix, end][0]),
            eos_token_id=end,
        )
        return cast("PreTrainedModel", AutoModelForCausalLM.from_config(gpt))
    sizes["decoder_start_token_id"] = vocab.pad_id
    t5 = T5Config(
        **sizes,
        d_kv=options.hidden_size // options.n_heads,
        dropout_rate=options.dropout,
        feed_forward_proj="gated-gelu",
        eos_token_id=end,
    )
    return cast("PreTrainedModel", AutoModelForSeq2SeqLM.from_config(t5))


def load_language_model(folder: Path, options: ModelOptions) -> PreTrainedModel:
    """Read a model to go on with.

    Raises:
        ConfigError: it cannot be read, or is of another family or other sizes.
    """
    from transformers import AutoConfig

    where = f"training.initial_model {str(folder)!r}"
    try:
        found: Any = AutoConfig.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{where} cannot be read: {str(error).splitlines()[0]}; expected a folder with "
            "config.json and model.safetensors"
        ) from error
    if found.model_type != _MODEL_TYPES[options.family]:
        raise ConfigError(
            f"{where} is of the type {found.model_type!r}, model.family is {options.family!r}: "
            f"expected the type {_MODEL_TYPES[options.family]!r}"
        )
    for ours, theirs in _SIZES[options.family].items():
        size = getattr(found, theirs)
        if ours == "feed_forward_size" and size is None:  # GPT-2 leaves it out
            size = 4 * found.hidden_size
        if size != getattr(options, ours):
            raise ConfigError(
                f"{where} has {size} for model.{ours}, the run {getattr(options, ours)}: give the "
                "run the sizes of the model"
            )
    return _read(folder, options.family)


def read_language_model_weights(folder: Path, family: str) -> dict[str, Tensor]:
    """Return the weights of a saved model, by their names in a `PretrainingModel`.

    Raises:
        TrainingError: they cannot be read.
    """
    return PretrainingModel(_read(folder, family)).state_dict()


def _read(folder: Path, family: str) -> PreTrainedModel:
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

    kinds: dict[str, Any] = {
        "bert": AutoModelForMaskedLM,
        "gpt": AutoModelForCausalLM,
        "t5": AutoModelForSeq2SeqLM,
    }
    try:
        model, told = kinds[family].from_pretrained(
            str(folder), local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise TrainingError(
            f"cannot read the model in {str(folder)!r}: {str(error).splitlines()[0]}; remove the "
            "folder, or fetch it again"
        ) from error
    if told["missing_keys"]:
        raise TrainingError(
            f"the model in {str(folder)!r} has no weights for {sorted(told['missing_keys'])[:3]}: "
            "expected a model with its head, whole"
        )
    return cast("PreTrainedModel", model)


def perplexity(loss: float) -> float:
    """Return e to the power of a loss; infinity if that is too much for a number.

    >>> round(perplexity(1.0), 3), perplexity(1e4)
    (2.718, inf)
    """
    return math.exp(loss) if loss < 700 else math.inf
