"""Open what a run begins with: a checkpoint, an artifact, or a pretrained backbone."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary
from yinzi.scoring.encoder import ENCODER_GRAPH, SECTION
from yinzi_train.compression.artifact_checkpoint import checkpoint_from_artifact, is_artifact
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.model import ConversionModel
from yinzi_train.model.families import FAMILIES, Checkpoint, build_model, load_checkpoint
from yinzi_train.training.config import TrainingConfig

__all__ = ["Start", "open_start"]

_CONFIG_NAME: Final = "config.json"
_WEIGHTS_NAME: Final = "model.safetensors"
_MAY_CHANGE: Final = ("dropout", "label_smoothing")
"""Keys of `[model]` that can be set anew: they do not make weights mean something else."""
_BACKBONE: Final = "backbone"


@dataclass(frozen=True, eq=False)
class Start:
    """What a run begins with.

    Attributes:
        config: of the run, with the family of the model.
        checkpoint: model and vocabularies; None for a backbone, which is given both later.
        example: a model of the same parts: that of the checkpoint, or one with a single pair.
        digest: sha256 of the weights; the name for what comes from the hub.
    """

    config: TrainingConfig
    checkpoint: Checkpoint | None
    example: ConversionModel
    digest: str


def open_start(model: str | Path, config: TrainingConfig) -> Start:
    """Open a checkpoint of this project, an artifact, or a backbone by folder or hub name.

    Raises:
        ConfigError: it cannot be read, or `[model]` does not fit it.
        ArtifactError: it is an artifact without an encoder, or damaged.
    """
    folder = Path(model)
    if is_artifact(folder):
        found = checkpoint_from_artifact(folder)
        digest = sha256_hex(folder / SECTION / ENCODER_GRAPH)
        return _from_checkpoint(found, config, label=f"artifact {str(folder)!r}", digest=digest)
    if _is_ours(folder):
        found = load_checkpoint(folder)
        digest = sha256_hex(folder / _WEIGHTS_NAME)
        return _from_checkpoint(found, config, label=f"checkpoint {str(folder)!r}", digest=digest)
    return _from_backbone(str(model), config)


def _is_ours(folder: Path) -> bool:
    try:
        table = json.loads((folder / _CONFIG_NAME).read_text(encoding="utf-8"))
        return any(
            family.config_class.model_type == table["model_type"] for family in FAMILIES.values()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _from_checkpoint(
    found: Checkpoint, config: TrainingConfig, *, label: str, digest: str
) -> Start:
    given = found.model.config
    if found.vocab.first_hanzi_id != given.n_inputs:
        raise ConfigError(
            f"{label} numbers {given.n_inputs} inputs, this version {found.vocab.first_hanzi_id}: "
            "its syllables are those of another version; use that version, or train anew"
        )
    unknown = [name for name in config.sizes if name not in _MAY_CHANGE]
    if unknown:
        raise ConfigError(
            f"the config has model.{unknown[0]}, but the sizes are those of {label}: leave "
            f"[model] out, or set only {' and '.join(_MAY_CHANGE)} there"
        )
    family = _family_of(found.model)
    asked = config.family
    if asked not in {family, TrainingConfig().family}:
        raise ConfigError(
            f"the config has model.family = {asked!r}, but {label} is of the family {family!r}: "
            "leave [model] out, or give another --model"
        )
    model = found.model
    changes = config.sizes
    if changes:
        table = {**given.to_dict(), **changes}
        new = type(given).from_dict(table)
        new.check()
        model = type(model)(new)
        model.load_state_dict(found.model.state_dict())
    checkpoint = replace(found, model=model.eval())
    config = replace(config, model={"family": family, **changes})
    return Start(config, checkpoint, model, digest)


def _family_of(model: ConversionModel) -> str:
    for name, family in FAMILIES.items():
        fixed = all(getattr(model.config, key) == value for key, value in family.fixed.items())
        if type(model) is family.model_class and fixed:
            return name
    raise ConfigError(f"a {type(model).__name__} is of no family: expected one of {list(FAMILIES)}")


def _from_backbone(name: str, config: TrainingConfig) -> Start:
    folder = Path(name)
    if folder.exists() and not (folder / _CONFIG_NAME).is_file():
        raise ConfigError(
            f"--model {name!r} has neither {_CONFIG_NAME} nor manifest.json: give a checkpoint (as "
            "the folder `final` of a run), an artifact, or a pretrained model"
        )
    with_backbone = [
        family for family, found in FAMILIES.items() if hasattr(found.config_class, _BACKBONE)
    ]
    if config.family not in with_backbone:
        known = f"set model.family to one of {with_backbone}" if with_backbone else "there is none"
        raise ConfigError(
            f"--model {name!r} is no checkpoint or artifact of this project"
            f"{'' if folder.exists() else ' (no such folder here)'}, and the family "
            f"{config.family!r} takes no pretrained backbone: {known}, or give a checkpoint"
        )
    asked = config.sizes.get(_BACKBONE, name)
    if asked != name:
        raise ConfigError(
            f"the config has model.{_BACKBONE} = {asked!r}, --model is {name!r}: give only one"
        )
    config = replace(config, model={**config.model, _BACKBONE: name})
    vocab, pairs = InputVocabulary(), _one_pair()
    if config.finetuning is not None and config.finetuning.vocabularies:
        borrowed = load_checkpoint(Path(config.finetuning.vocabularies))
        vocab, pairs = borrowed.vocab, borrowed.pairs
        model = build_model(config.family, config.sizes, vocab, pairs)
        return Start(config, Checkpoint(model, vocab, pairs), model, name)
    return Start(config, None, build_model(config.family, config.sizes, vocab, pairs), name)


def _one_pair() -> PairVocabulary:
    """Return the smallest vocabulary of pairs, for models that are looked at only."""
    return PairVocabulary(np.zeros(1, np.int16), np.zeros(1, np.uint32), np.zeros(1, np.int64))
