"""Give what a model makes of a batch, slice by slice: what a student can be taught with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from yinzi_train.model.conversion_model import ConversionModel
from yinzi_train.model.restricted_softmax import restricted_logprobs

__all__ = ["SliceLogprobs", "slice_logprobs"]


@dataclass(frozen=True, eq=False)
class SliceLogprobs:
    """Logprobs of the pairs that places can be.

    Attributes:
        places: int64 [n], numbers of the places in lines laid end to end, rising.
        starts: int64 [n + 1], where the values of each place begin.
        logprobs: float32 [starts[-1]], natural log; those of a place are in the order of pair ids,
            from its `pair_low` on, and sum to 1 in probability.
    """

    places: Tensor
    starts: Tensor
    logprobs: Tensor


@torch.no_grad()
def slice_logprobs(
    model: ConversionModel, batch: dict[str, Tensor], *, all_places: bool = False
) -> SliceLogprobs:
    """Return what a model, as a teacher, makes of the places of a packed batch.

    It is run without dropout, under whatever autocast is set. Models that choose hanzi one after
    another are given the true ones before each place. Teacher and student must have the same
    vocabularies: compare `config.vocabulary`.

    Args:
        model: of any family.
        batch: as in training.
        all_places: every place that has a slice; by default those with a target.
    """
    low, high = batch["pair_low"].reshape(-1), batch["pair_high"].reshape(-1)
    is_wanted = low < high
    if not all_places:
        is_wanted = is_wanted & (batch["targets"].reshape(-1) >= 0)
    places = is_wanted.nonzero()[:, 0]
    was_training = model.training
    model.eval()
    try:
        hidden = model.encode(batch)
    finally:
        model.train(was_training)
    with torch.autocast(hidden.device.type, enabled=False):
        logprobs, starts = restricted_logprobs(
            hidden.reshape(-1, hidden.shape[-1])[places],
            model.pair_layer.weight,
            model.pair_layer.bias,
            low=low[places],
            high=high[places],
        )
    return SliceLogprobs(places, starts, logprobs)
