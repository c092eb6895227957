"""Convert in one pass: a Transformer encoder over syllables, with hashed syllable n-grams.

The default model. Input embeddings, a sum over the n-grams that cover a place, few pre-norm layers
with relative position biases (Raffel et al. 2020, arXiv 1910.10683, section 2.1, clipped instead of
in buckets), and a softmax restricted to the readable hanzi. Everything after the embedding is
bfloat16 under autocast, ReLU and without dropout by default: measured, the element-wise parts, not
the matrix products, are what costs on a CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from yinzi.scoring import NO_NGRAM
from yinzi_train.model.configuration import ConversionConfig, EncoderConfig
from yinzi_train.model.conversion_model import ConversionModel, InputEmbedding, PairLayer

__all__ = ["ConversionEncoder", "EncoderLayer", "NgramEmbedding"]

_MASKED = -1e4
"""Added to attention scores of places of other segments; finite, so that empty rows stay finite."""


class EncoderLayer(nn.Module):
    """A pre-norm layer: self-attention, then a feed-forward part, each beside the way through."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.n_heads = config.n_heads
        self.attention_norm = nn.LayerNorm(size)
        self.query_key_value = nn.Linear(size, 3 * size)
        self.attention_output = nn.Linear(size, size)
        self.feed_forward_norm = nn.LayerNorm(size)
        self.feed_forward_input = nn.Linear(size, config.feed_forward_size)
        self.feed_forward_output = nn.Linear(config.feed_forward_size, size)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        """Return float [batch, length, size]; bias: float [batch × heads, length, length]."""
        n_lines, length, size = hidden.shape
        head_size = size // self.n_heads
        query, key, value = (
            self.query_key_value(self.attention_norm(hidden))
            .view(n_lines, length, 3, self.n_heads, head_size)
            .permute(2, 0, 3, 1, 4)
            .reshape(3, n_lines * self.n_heads, length, head_size)
            .unbind(0)
        )
        scores = torch.baddbmm(bias, query, key.transpose(1, 2), alpha=head_size**-0.5)
        mixed = torch.bmm(torch.softmax(scores, dim=-1).to(value.dtype), value)
        mixed = mixed.view(n_lines, self.n_heads, length, head_size)
        mixed = mixed.transpose(1, 2).reshape(n_lines, length, size)
        hidden = hidden + self.dropout(self.attention_output(mixed))
        inner = torch.relu(self.feed_forward_input(self.feed_forward_norm(hidden)))
        fed: Tensor = self.dropout(self.feed_forward_output(inner))
        return hidden + fed


class NgramEmbedding(nn.Module):
    """Sum what the n-grams that cover a place say; each order and offset has its own projection."""

    def __init__(self, config: ConversionConfig) -> None:
        super().__init__()
        self.orders = tuple(config.ngram_orders)
        self.table = nn.Embedding(config.ngram_rows, config.ngram_size)
        self.project = nn.Linear(sum(self.orders) * config.ngram_size, config.hidden_size)

    def forward(self, ngram_ids: Tensor) -> Tensor:
        """Return float [batch, length, size]; ngram_ids: int64 [batch, length, orders]."""
        length, n_before = ngram_ids.shape[1], max(self.orders) - 1
        # N-grams that would begin before the line are none, as those over a border in it are.
        ids = nn.functional.pad(ngram_ids, (0, 0, n_before, 0), value=NO_NGRAM)
        embedded = self.table(ids)  # [batch, n_before + length, orders, ngram_size]
        covering = [
            embedded[:, n_before - shift : n_before - shift + length, index]
            for index, order in enumerate(self.orders)
            for shift in range(order)
        ]
        summed: Tensor = self.project(torch.cat(covering, dim=-1))
        return summed


class ConversionEncoder(ConversionModel):
    """The encoder family.

    Raises:
        ConfigError: the sizes do not fit together.
    """

    config_class = EncoderConfig
    is_one_pass = True
    config: EncoderConfig

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        config.check()
        self.embedding = InputEmbedding(
            config, size=config.hidden_size, hanzi_size=config.hanzi_size
        )
        self.ngrams = NgramEmbedding(config) if config.ngram_orders else None
        self.position_bias = nn.Parameter(torch.zeros(config.n_heads, 2 * config.max_distance + 1))
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.pair_layer = PairLayer(config.n_pairs, config.hidden_size)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        # Most rows are seen a few times only: large random starts would stay, as noise. (With 0.5
        # instead of 0.02, training accuracy after 4 M tokens was .68 instead of .81.)
        if self.ngrams is not None and module is self.ngrams.table:
            nn.init.normal_(module.weight, std=0.02)
        else:
            super()._init_weights(module)

    def encode(self, batch: dict[str, Tensor]) -> Tensor:
        """Return float [batch, length, size]; places of one segment see one another."""
        hidden = self.embedding(batch["input_ids"], batch["input_tones"])
        if self.ngrams is not None:
            hidden = hidden + self.ngrams(batch["ngram_ids"])
        if torch.is_autocast_enabled("cpu"):
            hidden = hidden.to(torch.bfloat16)
        normed: Tensor = self.norm(self.run_layers(hidden, batch["segments"]))
        return normed

    def run_layers(self, hidden: Tensor, segments: Tensor) -> Tensor:
        """Return what the layers make of float [batch, length, size]."""
        bias = self._attention_bias(segments).to(hidden.dtype)
        for layer in self.layers:
            hidden = layer(hidden, bias)
        return hidden

    def _attention_bias(self, segments: Tensor) -> Tensor:
        """Return float [batch × heads, length, length]: by distance, and against other segments."""
        length = segments.shape[1]
        place = torch.arange(length, device=segments.device)
        farthest = self.config.max_distance
        distance = (place[None] - place[:, None]).clamp(-farthest, farthest) + farthest
        by_distance = self.position_bias[:, distance]  # [heads, length, length]
        is_apart = segments[:, :, None] != segments[:, None, :]
        mask = is_apart.to(by_distance.dtype) * _MASKED
        return (by_distance[None] + mask[:, None]).reshape(-1, length, length)
