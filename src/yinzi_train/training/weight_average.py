"""Average the weights over the steps of a run: usually better than the last ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

__all__ = ["WeightAverage"]


def _local(tensor: Tensor) -> Tensor:
    """Return what this process holds of a tensor that may be shared out."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


class WeightAverage:
    """Exponential moving average of a model's parameters (Polyak and Juditsky 1992).

    At first the average forgets faster, at the n-th time all but (1 + n) / (10 + n), so that it
    does not hold on to the weights that the run began with.

    Attributes:
        decay: share of the average that stays each time, above 0 and below 1.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._model = model
        self._average = [parameter.detach().clone() for parameter in model.parameters()]

    @torch.no_grad()
    def update(self, number: int) -> None:
        """Take in the weights for the n-th time, from 1."""
        decay = min(self.decay, (1 + number) / (10 + number))
        torch._foreach_lerp_(self._average, self._parameters(), 1.0 - decay)

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Give the model the averaged weights for as long as the block runs."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go on with an average, given by the names of the parameters."""
        for average, (name, _) in zip(self._average, self._model.named_parameters(), strict=True):
            average.copy_(weights[name])

    @torch.no_grad()
    def shard(self, model: nn.Module) -> None:
        """Keep of the average what this process holds of a model's parameters, from now on."""
        self._model = model
        self._average = [
            _local(distribute_tensor(average, parameter.device_mesh, parameter.placements))
            if isinstance(parameter, DTensor)
            else average
            for average, parameter in zip(self._average, model.parameters(), strict=True)
        ]

    def _parameters(self) -> list[Tensor]:
        return [_local(parameter.detach()) for parameter in self._model.parameters()]

    @torch.no_grad()
    def _swap(self) -> None:
        for average, parameter in zip(self._average, self._parameters(), strict=True):
            kept = parameter.clone()
            parameter.copy_(average)
            average.copy_(kept)
