"""Hold what the families share that choose hanzi one after another with a pretrained model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from yinzi_train.model.backbone_model import BackboneModel
from yinzi_train.model.stepwise import StepwiseModel

__all__ = ["BackboneDecoder", "cache_of", "state_of"]


def cache_of(state: Mapping[str, Tensor], prefix: str = "") -> DynamicCache:
    """Return keys and values of a state as the cache that backbones read."""
    n_layers = sum(name.startswith(f"{prefix}key") for name in state)
    parts = [(state[f"{prefix}key{i}"], state[f"{prefix}value{i}"]) for i in range(n_layers)]
    return DynamicCache(parts) if parts else DynamicCache()


def state_of(cache: Any, prefix: str = "") -> dict[str, Tensor]:
    """Return what `cache_of` makes a cache from."""
    state = {}
    for index, layer in enumerate(cache.layers):
        state[f"{prefix}key{index}"], state[f"{prefix}value{index}"] = layer.keys, layer.values
    return state


class BackboneDecoder(BackboneModel, StepwiseModel):
    """Base of the families that read, at each place, the hanzi before it."""

    def add_parts(self) -> None:
        """Make what stands before the first place."""
        self.start = nn.Parameter(torch.zeros(self.config.embedding_size))

    def hanzi_before(self, alone: Tensor, *, place: int, previous: Tensor) -> Tensor:
        """Return float [rows, size], the vector of what was chosen before a place.

        Args:
            alone: float [rows, length, size], places as they are embedded.
            place: index, from 0.
            previous: int64 [rows]; see `StepwiseModel.step`.
        """
        if not place:
            return self.start.expand(len(previous), -1)
        return self.embedding.chosen(previous, alone[:, place - 1])
