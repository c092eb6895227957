"""Hold what both encoder–decoder families share: how the hanzi chosen before reaches the decoder.

Conversion is monotone, one hanzi a place, so source and target have the same places. A decoder is
given at each place what the encoder made of that place, beside what attention reads out and the
hanzi of the place before; it need not learn to count.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from yinzi_train.model.configuration import ConversionConfig, RecurrentConfig, TransformerConfig
from yinzi_train.model.conversion_model import InputEmbedding
from yinzi_train.model.encoder import NgramEmbedding
from yinzi_train.model.stepwise import StepwiseModel

__all__ = ["PairEmbedding", "Seq2SeqModel", "SourceEmbedding", "previous_symbol"]


class SourceEmbedding(nn.Module):
    """Embed inputs, with their syllable n-grams if the model has them."""

    def __init__(self, config: ConversionConfig) -> None:
        super().__init__()
        self.places = InputEmbedding(config, size=config.hidden_size, hanzi_size=config.hanzi_size)
        self.ngrams = NgramEmbedding(config) if config.ngram_orders else None

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return float [batch, length, size] twice: places alone, and with their n-grams."""
        alone: Tensor = self.places(batch["input_ids"], batch["input_tones"])
        whole = alone if self.ngrams is None else alone + self.ngrams(batch["ngram_ids"])
        if torch.is_autocast_enabled("cpu"):
            return alone.to(torch.bfloat16), whole.to(torch.bfloat16)
        return alone, whole


class PairEmbedding(nn.Module):
    """Embed what is known of the place before: the pair chosen there.

    Where none was chosen, the input of that place stands for it: the hanzi of a left context, a
    break, a word, a syllable whose label is doubtful. That is known in training and in use alike.
    Before the first place stands a vector of its own.
    """

    def __init__(self, config: RecurrentConfig | TransformerConfig) -> None:
        super().__init__()
        self.pairs = nn.Embedding(config.n_pairs, config.pair_size)
        self.widen = nn.Linear(config.pair_size, config.hidden_size, bias=False)
        self.start = nn.Parameter(torch.zeros(config.hidden_size))

    def forward(self, pair_ids: Tensor, embedded: Tensor) -> Tensor:
        """Return float [..., size].

        Args:
            pair_ids: int64 [...], pairs chosen; below 0 where none was.
            embedded: float [..., size], inputs of these places.
        """
        widened = self.widen(self.pairs(pair_ids.clamp(min=0))).to(embedded.dtype)
        return torch.where((pair_ids >= 0)[..., None], widened, embedded)


class Seq2SeqModel(StepwiseModel):
    """Base of the encoder–decoder families of our own.

    Tensors of the source and of the state have one row for each sequence that is decoded.
    """

    embedding: SourceEmbedding

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        ngrams = self.embedding.ngrams
        if ngrams is not None and module is ngrams.table:  # see `ConversionEncoder`
            nn.init.normal_(module.weight, std=0.02)
        else:
            super()._init_weights(module)

    def attention_weights(self, batch: dict[str, Tensor]) -> Tensor:
        """Return what the decoder looks at: float [heads, length, length], rows sum to 1.

        Args:
            batch: one line with one input, from its first place on, and its `targets`.
        """
        raise NotImplementedError


def previous_symbol(
    embedding: PairEmbedding, embedded: Tensor, *, place: int, previous: Tensor
) -> Tensor:
    """Return float [rows, size], what stands before a place; embedded: [rows, length, size]."""
    if place == 0:
        return embedding.start.to(embedded.dtype).expand(len(previous), -1)
    symbol: Tensor = embedding(previous, embedded[:, place - 1])
    return symbol
