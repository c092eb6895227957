"""Hold what all families share: input embedding, output layer, loss, and the interface.

Every model reads batches of `yinzi_train.dataset.collator` packed by `yinzi_train.training`, gives
one hidden vector a place, and chooses among the hanzi that its place can be. What differs is how
the hidden vectors come about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from yinzi_train.model.configuration import ConversionConfig
from yinzi_train.model.restricted_softmax import restricted_cross_entropy

__all__ = ["ConversionModel", "ConversionOutput", "InputEmbedding", "PairLayer"]


@dataclass
class ConversionOutput(ModelOutput):
    """What a model gives for a batch.

    Attributes:
        loss: mean over the weighted targets, natural log; None without targets.
        n_right: int64, targets that are the likeliest of their slice; None without targets.
        n_targets: int64, targets of the batch; None without targets.
        hidden: float [batch, length, size], what the output layer reads.
    """

    loss: Tensor | None = None
    n_right: Tensor | None = None
    n_targets: Tensor | None = None
    hidden: Tensor | None = None


class InputEmbedding(nn.Module):
    """Embed what is known of each place: its input id and its tone.

    Hanzi have a narrow embedding of their own, which is widened: there are many, and few matter.
    """

    def __init__(self, config: ConversionConfig, *, size: int, hanzi_size: int) -> None:
        super().__init__()
        self.n_inputs = config.n_inputs
        self.inputs = nn.Embedding(config.n_inputs, size)
        self.tones = nn.Embedding(6, size)
        self.hanzi = nn.Embedding(config.n_hanzi + 1, hanzi_size)  # the first is for all others
        self.widen = nn.Linear(hanzi_size, size, bias=False)

    def forward(self, input_ids: Tensor, input_tones: Tensor) -> Tensor:
        """Return float [batch, length, size]."""
        is_hanzi = input_ids >= self.n_inputs
        inputs = self.inputs(torch.where(is_hanzi, 0, input_ids))
        hanzi = self.widen(self.hanzi(torch.where(is_hanzi, input_ids - self.n_inputs + 1, 0)))
        embedded: Tensor = torch.where(is_hanzi[..., None], hanzi.to(inputs.dtype), inputs)
        return embedded + self.tones(input_tones)


class PairLayer(nn.Module):
    """The output layer: a row for each pair of syllable and hanzi."""

    def __init__(self, n_pairs: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_pairs, size))
        self.bias = nn.Parameter(torch.zeros(n_pairs))

    def set_prior(self, counts: Tensor) -> None:
        """Start from how frequent the pairs are: float [n_pairs], counts."""
        with torch.no_grad():
            self.bias.copy_(torch.log(counts.float() + 1.0))


class ConversionModel(PreTrainedModel):
    """Base of all families: subclasses define `encode`.

    Batches have the arrays of the collator as tensors [batch, length], and `ngram_ids`
    [batch, length, orders]; `pair_low` and `pair_high` bound the slice of each place.
    """

    config_class = ConversionConfig
    base_model_prefix = "model"
    main_input_name = "input_ids"

    config: ConversionConfig
    pair_layer: PairLayer

    def encode(self, batch: dict[str, Tensor]) -> Tensor:
        """Return float [batch, length, size], what the output layer reads at each place."""
        raise NotImplementedError

    def forward(self, **batch: Any) -> ConversionOutput:
        """Return hidden vectors and, if the batch has `targets`, the loss."""
        return self.output(self.encode(batch), batch)

    def output(self, hidden: Tensor, batch: dict[str, Any]) -> ConversionOutput:
        """Return what `forward` does, from float [batch, length, size] of `encode`."""
        targets = batch.get("targets")
        if targets is None:
            return ConversionOutput(hidden=hidden)
        places = (targets.reshape(-1) >= 0).nonzero()[:, 0]
        weights = batch["weights"].reshape(-1)[places]
        loss, n_right = restricted_cross_entropy(
            hidden.reshape(-1, hidden.shape[-1])[places],
            self.pair_layer.weight,
            self.pair_layer.bias,
            low=batch["pair_low"].reshape(-1)[places],
            high=batch["pair_high"].reshape(-1)[places],
            targets=targets.reshape(-1)[places],
            place_weights=weights,
            label_smoothing=self.config.label_smoothing if self.training else 0.0,
        )
        return ConversionOutput(
            loss=loss / weights.sum().clamp(min=1e-6),
            n_right=n_right,
            n_targets=torch.tensor(len(places)),
            hidden=hidden.detach(),
        )

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.5)
        elif isinstance(module, PairLayer):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
