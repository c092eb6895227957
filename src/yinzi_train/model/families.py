"""Find the models by name, and keep them: build, save, load.

A checkpoint is a folder with `config.json`, `model.safetensors` and the two vocabularies. A model
and vocabularies that do not belong together give fluent nonsense, so a digest of the vocabularies
is part of the config and is compared on loading.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary, PairTable
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.export.whole_folder import whole_folder
from yinzi_train.model.backbone_model import BackboneModel
from yinzi_train.model.bert import BertModel
from yinzi_train.model.configuration import (
    BackboneConfig,
    BertConfig,
    ConversionConfig,
    EncoderConfig,
    GptConfig,
    RecurrentConfig,
    T5Config,
    TransformerConfig,
)
from yinzi_train.model.conversion_model import ConversionModel
from yinzi_train.model.encoder import ConversionEncoder
from yinzi_train.model.gpt import GptModel
from yinzi_train.model.recurrent import RecurrentSeq2Seq
from yinzi_train.model.t5 import T5Model
from yinzi_train.model.transformer import TransformerSeq2Seq
from yinzi_train.pipeline.options import unknown_key_error

__all__ = [
    "FAMILIES",
    "Checkpoint",
    "Family",
    "build_model",
    "check_model_settings",
    "load_checkpoint",
    "model_settings",
    "save_checkpoint",
    "vocabulary_digest",
]

CONFIG_NAME: Final = "config.json"
WEIGHTS_NAME: Final = "model.safetensors"
INPUT_VOCABULARY_NAME: Final = "input_vocabulary.json"
PAIR_VOCABULARY_NAME: Final = "pair_vocabulary.json"
TOKENIZER_NAME: Final = "tokenizer"
"""Folder with the tokenizer of a pretrained model; nothing here reads it."""

_FROM_VOCABULARIES: Final = ("n_inputs", "n_hanzi", "n_pairs", "vocabulary")
_FROM_BACKBONE: Final = (
    *("architecture", "hidden_size", "embedding_size", "n_table", "max_positions"),
    *("hanzi_size", "ngram_orders", "ngram_rows", "ngram_size"),
)
"""What the backbone decides, or what the families on one do not have."""


@dataclass(frozen=True)
class Family:
    """One kind of model.

    Attributes:
        config_class: its sizes.
        model_class: the model.
        fixed: settings that make the family, such as the cell.
    """

    config_class: type[ConversionConfig]
    model_class: type[ConversionModel]
    fixed: Mapping[str, Any]


FAMILIES: Final[Mapping[str, Family]] = {
    "encoder": Family(EncoderConfig, ConversionEncoder, {}),
    "lstm": Family(RecurrentConfig, RecurrentSeq2Seq, {"cell": "lstm"}),
    "gru": Family(RecurrentConfig, RecurrentSeq2Seq, {"cell": "gru"}),
    "transformer": Family(TransformerConfig, TransformerSeq2Seq, {}),
    "bert": Family(BertConfig, BertModel, {}),
    "gpt": Family(GptConfig, GptModel, {}),
    "t5": Family(T5Config, T5Model, {}),
}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model and what it was trained with.

    Attributes:
        model: in evaluation mode.
        vocab: what its inputs are numbered by.
        pairs: what it chooses from.
    """

    model: ConversionModel
    vocab: InputVocabulary
    pairs: PairVocabulary


def vocabulary_digest(vocab: InputVocabulary, pairs: PairTable) -> str:
    """Return the sha256 over both vocabularies, in hex: what `ConversionConfig.vocabulary` holds.

    >>> empty = PairTable(*(torch.zeros(0).numpy() for _ in range(3)))
    >>> one, other = InputVocabulary("我"), InputVocabulary("你")
    >>> vocabulary_digest(one, empty) == vocabulary_digest(other, empty)
    False
    """
    content = vocab.hanzi + "".join(pairs.texts()) + str(pairs.starts.tolist())
    return hashlib.sha256(content.encode()).hexdigest()


def build_model(
    family: str, config_table: Mapping[str, Any], vocab: InputVocabulary, pairs: PairVocabulary
) -> ConversionModel:
    """Return a new model.

    Its output layer starts from how frequent the pairs are; that of a pretrained model from what
    it knows of hanzi. Weights are drawn from torch's generator: seed it first.

    Args:
        family: a name of `FAMILIES`.
        config_table: settings of its config but for sizes and digest of the vocabularies.
        vocab: what inputs are numbered by.
        pairs: what places are chosen from.

    Raises:
        ConfigError: the family or a key is unknown, a value does not fit, or there is no such
            backbone; names it.
    """
    settings = {
        **_settings(family, config_table),
        "n_inputs": vocab.first_hanzi_id,
        "n_hanzi": len(vocab.hanzi),
        "n_pairs": len(pairs),
        "vocabulary": vocabulary_digest(vocab, pairs),
    }
    found = FAMILIES[family]
    if issubclass(found.model_class, BackboneModel):
        return found.model_class.build(settings, vocab, pairs)
    config = found.config_class(**settings)
    config.check()
    model = found.model_class(config)
    model.pair_layer.set_prior(torch.from_numpy(pairs.counts))
    return model


def check_model_settings(family: str, config_table: Mapping[str, Any]) -> None:
    """Check family and settings before anything that takes time; weights are not read.

    Raises:
        ConfigError: the family or a key is unknown, a value does not fit, or there is no such
            backbone; names it.
    """
    settings = _settings(family, config_table)
    settings.update(n_inputs=1, n_hanzi=0, n_pairs=1)
    found = FAMILIES[family]
    if issubclass(found.model_class, BackboneModel):
        found.model_class.check_settings(settings)
        return
    config = found.config_class(**settings)
    config.check()


def _settings(family: str, config_table: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with those that make the family; check names and types."""
    if family not in FAMILIES:
        raise ConfigError(f"model family {family!r}: expected one of {list(FAMILIES)}")
    found = FAMILIES[family]
    defaults = model_settings(found.config_class)
    is_on_backbone = issubclass(found.config_class, BackboneConfig)
    decided = {*_FROM_VOCABULARIES, *found.fixed, *(_FROM_BACKBONE if is_on_backbone else ())}
    known = [name for name in defaults if name not in decided]
    for name, value in config_table.items():
        if name not in known:
            raise unknown_key_error(f"model.{name}", [f"model.{other}" for other in known], family)
        _check_type(name, value, defaults[name])
    return {**config_table, **found.fixed}


def model_settings(config_class: type[ConversionConfig]) -> dict[str, Any]:
    """Return our settings of a config with their defaults; not those of transformers."""
    ours = [kind for kind in config_class.__mro__ if issubclass(kind, ConversionConfig)]
    names = [name for kind in reversed(ours) for name in kind.__annotations__]
    return {name: getattr(config_class, name) for name in names if name != "model_type"}


def _check_type(name: str, value: Any, default: Any) -> None:
    if isinstance(default, (list, tuple)):
        is_right = isinstance(value, (list, tuple)) and all(type(item) is int for item in value)
        expected = "a list of whole numbers"
    elif isinstance(default, float):
        is_right, expected = type(value) in (int, float), "a number"
    else:
        is_right = type(value) is type(default)
        kinds = {bool: "true or false", int: "a whole number"}
        expected = kinds.get(type(default), "text in quotes")
    if not is_right:
        raise ConfigError(f"model.{name} is {value!r}: expected {expected}")


def save_checkpoint(
    model: ConversionModel, vocab: InputVocabulary, pairs: PairVocabulary, folder: Path
) -> None:
    """Write a checkpoint whole or not at all; one that is there is replaced.

    Raises:
        ConfigError: the model belongs to other vocabularies, or the folder is there and is no
            checkpoint.
    """
    _check_digest(model.config, vocab, pairs, "the model to be saved")
    if folder.exists() and not (folder / CONFIG_NAME).is_file():
        raise ConfigError(
            f"{str(folder)!r} is there and is no checkpoint (it has no {CONFIG_NAME}): "
            "give another folder or remove it"
        )
    with whole_folder(folder) as temporary:
        weights = {
            name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()
        }
        save_file(weights, temporary / WEIGHTS_NAME, metadata={"format": "pt"})
        vocab.save(temporary / INPUT_VOCABULARY_NAME)
        pairs.save(temporary / PAIR_VOCABULARY_NAME)
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(temporary)
        if isinstance(model, BackboneModel) and model.tokenizer_files:
            (temporary / TOKENIZER_NAME).mkdir()
            for name, content in model.tokenizer_files.items():
                (temporary / TOKENIZER_NAME / name).write_bytes(content)
        for path in temporary.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())


def load_checkpoint(folder: Path, *, vocabularies: Path | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        folder: what `save_checkpoint`, or a trainer, has written.
        vocabularies: folder with the two vocabularies; by default they are in the checkpoint.

    Raises:
        ConfigError: a file is missing or damaged, the family is unknown, or the model was trained
            with other vocabularies.
    """
    config_path = folder / CONFIG_NAME
    try:
        table = json.loads(config_path.read_text(encoding="utf-8"))
        model_type = table["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"cannot read {str(config_path)!r}: {error}") from error
    found = next((f for f in FAMILIES.values() if f.config_class.model_type == model_type), None)
    if found is None:
        types = sorted({family.config_class.model_type for family in FAMILIES.values()})
        raise ConfigError(
            f"{str(config_path)!r} is of a model of type {model_type!r}: expected one of {types}"
        )
    try:
        config = found.config_class.from_dict(table)
        model = found.model_class(config)
    except (ConfigError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ConfigError(f"{str(config_path)!r} describes no model: {error}") from error
    beside = vocabularies or folder
    vocab = InputVocabulary.load(beside / INPUT_VOCABULARY_NAME)
    pairs = PairVocabulary.load(beside / PAIR_VOCABULARY_NAME)
    _check_digest(config, vocab, pairs, f"checkpoint {str(folder)!r}")
    weights_path = folder / WEIGHTS_NAME
    try:
        weights = load_file(weights_path)
    except (OSError, SafetensorError) as error:
        raise ConfigError(
            f"cannot read {str(weights_path)!r}: {error}; the file is missing or cut short, take "
            "another checkpoint"
        ) from error
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(f"{str(weights_path)!r} does not fit {CONFIG_NAME}: {error}") from error
    if isinstance(model, BackboneModel) and (folder / TOKENIZER_NAME).is_dir():
        files = (folder / TOKENIZER_NAME).iterdir()
        model.tokenizer_files = {path.name: path.read_bytes() for path in sorted(files)}
    model.eval()
    return Checkpoint(model, vocab, pairs)


def _check_digest(
    config: ConversionConfig, vocab: InputVocabulary, pairs: PairTable, label: str
) -> None:
    digest = vocabulary_digest(vocab, pairs)
    if config.vocabulary != digest:
        raise ConfigError(
            f"{label} was trained with vocabularies {config.vocabulary[:12]}…, these are "
            f"{digest[:12]}…: use those that it was trained with"
        )
