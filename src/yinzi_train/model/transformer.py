"""Convert with a Transformer encoder and decoder (Vaswani et al. 2017, arXiv 1706.03762).

The encoder has the layers of `ConversionEncoder`. The decoder sees the hanzi chosen before, and all
of the source by cross attention; both with relative position biases instead of added positions. As
places correspond one to one, it is also given what the encoder made of its own place (see
`sequence_to_sequence`). Packed lines are decoded as they are: masks keep segments apart.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from yinzi_train.model.attention import MASKED, RelativeBias, attend, join_heads, split_heads
from yinzi_train.model.configuration import TransformerConfig
from yinzi_train.model.conversion_model import PairLayer
from yinzi_train.model.encoder import EncoderLayer
from yinzi_train.model.sequence_to_sequence import (
    PairEmbedding,
    Seq2SeqModel,
    SourceEmbedding,
    previous_symbol,
)

__all__ = ["TransformerSeq2Seq"]


class _DecoderLayer(nn.Module):
    """A pre-norm layer: attention to the places before, to the source, and a feed-forward part."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.n_heads = config.n_heads
        self.self_norm = nn.LayerNorm(size)
        self.query_key_value = nn.Linear(size, 3 * size)
        self.self_output = nn.Linear(size, size)
        self.cross_norm = nn.LayerNorm(size)
        self.cross_query = nn.Linear(size, size)
        self.cross_key_value = nn.Linear(size, 2 * size)
        self.cross_output = nn.Linear(size, size)
        self.feed_forward_norm = nn.LayerNorm(size)
        self.feed_forward_input = nn.Linear(size, config.feed_forward_size)
        self.feed_forward_output = nn.Linear(config.feed_forward_size, size)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()

    def own_parts(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return query, key and value of self-attention: [lines × heads, length, head size]."""
        query, key, value = self.query_key_value(self.self_norm(hidden)).chunk(3, dim=-1)
        heads = self.n_heads
        return split_heads(query, heads), split_heads(key, heads), split_heads(value, heads)

    def source_parts(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Return key and value of cross attention: [lines × heads, length, head size]."""
        key, value = self.cross_key_value(encoded).chunk(2, dim=-1)
        return split_heads(key, self.n_heads), split_heads(value, self.n_heads)

    def forward(
        self,
        hidden: Tensor,
        *,
        own: tuple[Tensor, Tensor, Tensor],
        source: tuple[Tensor, Tensor],
        own_bias: Tensor,
        source_bias: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return float [lines, n_targets, size] and weights of the cross attention.

        Args:
            hidden: float [lines, n_targets, size].
            own: query of these places, key and value of all places up to them.
            source: key and value of the source.
            own_bias: float [lines × heads, n_targets, n_places].
            source_bias: float [lines × heads, n_targets, n_sources].
        """
        query, key, value = own
        read = join_heads(torch.bmm(attend(query, key, own_bias), value), self.n_heads)
        hidden = hidden + self.dropout(self.self_output(read))
        query = split_heads(self.cross_query(self.cross_norm(hidden)), self.n_heads)
        weights = attend(query, source[0], source_bias)
        read = join_heads(torch.bmm(weights, source[1]), self.n_heads)
        hidden = hidden + self.dropout(self.cross_output(read))
        inner = torch.relu(self.feed_forward_input(self.feed_forward_norm(hidden)))
        return hidden + self.dropout(self.feed_forward_output(inner)), weights


class TransformerSeq2Seq(Seq2SeqModel):
    """The Transformer family.

    Raises:
        ConfigError: the sizes do not fit together.
    """

    config_class = TransformerConfig
    config: TransformerConfig

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        config.check()
        self.embedding = SourceEmbedding(config)
        self.encoder_bias = RelativeBias(config.n_heads, config.max_distance)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.n_layers))
        self.encoder_norm = nn.LayerNorm(config.hidden_size)
        self.pair_embedding = PairEmbedding(config)
        self.own_bias = RelativeBias(config.n_heads, config.max_distance)
        self.source_bias = RelativeBias(config.n_heads, config.max_distance)
        self.decoder = nn.ModuleList(_DecoderLayer(config) for _ in range(config.n_decoder_layers))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.pair_layer = PairLayer(config.n_pairs, config.hidden_size)
        self.post_init()

    def encode(self, batch: dict[str, Tensor]) -> Tensor:
        """Return float [batch, length, size]; `targets` are the hanzi chosen before each place."""
        normed: Tensor = self.norm(self._decoded(batch)[0])
        return normed

    def _decoder_layers(self) -> Iterator[_DecoderLayer]:
        for layer in self.decoder:
            assert isinstance(layer, _DecoderLayer)
            yield layer

    def _encoded(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return places alone and encoded, both float [lines, length, size]."""
        alone, hidden = self.embedding(batch)
        segments = batch["segments"]
        bias = self._bias(self.encoder_bias, hidden, segments[:, :, None] != segments[:, None])
        for layer in self.encoder:
            hidden = layer(hidden, bias)
        return alone, self.encoder_norm(hidden).to(alone.dtype)

    def _bias(self, relative: RelativeBias, hidden: Tensor, is_hidden: Tensor) -> Tensor:
        """Return float [lines × heads, length, length]; is_hidden: bool [lines, length, length]."""
        length = is_hidden.shape[1]
        places = torch.arange(length, device=is_hidden.device)
        bias = relative(places, places).to(hidden.dtype)
        mask = is_hidden.to(hidden.dtype) * MASKED
        return (bias[None] + mask[:, None]).reshape(-1, length, length)

    def _decoded(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return states and what the last layer looked at.

        Returns:
            float [lines, length, size]; float [lines × heads, length, length].
        """
        alone, encoded = self._encoded(batch)
        segments = batch["segments"]
        symbols = self.pair_embedding(batch["targets"], alone)
        symbols = nn.functional.pad(symbols[:, :-1], (0, 0, 1, 0))
        is_first = nn.functional.pad(segments[:, 1:] != segments[:, :-1], (1, 0), value=True)
        start = self.pair_embedding.start.to(symbols.dtype)
        hidden = torch.where(is_first[..., None], start, symbols) + encoded
        is_apart = segments[:, :, None] != segments[:, None]
        places = torch.arange(segments.shape[1], device=segments.device)
        own_bias = self._bias(self.own_bias, hidden, is_apart | (places > places[:, None]))
        source_bias = self._bias(self.source_bias, hidden, is_apart)
        weights = hidden
        for layer in self._decoder_layers():
            hidden, weights = layer(
                hidden,
                own=layer.own_parts(hidden),
                source=layer.source_parts(encoded),
                own_bias=own_bias,
                source_bias=source_bias,
            )
        return hidden, weights

    def begin(self, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Encode inputs; see `Seq2SeqModel.begin`."""
        alone, encoded = self._encoded(batch)
        n_lines, length, size = encoded.shape
        heads = self.config.n_heads
        source = {
            "alone": alone,
            "encoded": encoded,
            "mask": (batch["segments"] < 0).to(encoded.dtype) * MASKED,  # [lines, length]
        }
        blank = encoded.new_zeros(n_lines, heads, 0, size // heads)
        state = {}
        for index, layer in enumerate(self._decoder_layers()):
            for name, part in zip(("key", "value"), layer.source_parts(encoded), strict=True):
                source[f"{name}{index}"] = part.view(n_lines, heads, length, -1)
                state[f"{name}{index}"] = blank
        return source, state

    def step(
        self,
        source: dict[str, Tensor],
        state: dict[str, Tensor],
        *,
        place: int,
        previous: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Decode one place; keys and values of the places before it are in the state."""
        encoded = source["encoded"]
        n_rows, length, _ = encoded.shape
        symbols = previous_symbol(
            self.pair_embedding, source["alone"], place=place, previous=previous
        )
        hidden = (symbols + encoded[:, place])[:, None]  # [rows, 1, size]
        places = torch.arange(length, device=encoded.device)
        here = places[place : place + 1]
        own_bias = self.own_bias(here, places[: place + 1]).repeat(n_rows, 1, 1)
        by_distance = self.source_bias(here, places)[None] + source["mask"][:, None, None]
        source_bias = by_distance.reshape(-1, 1, length)
        after = {}
        for index, layer in enumerate(self._decoder_layers()):
            query, *new = layer.own_parts(hidden)
            cached = []
            for name, part in zip(("key", "value"), new, strict=True):
                added = part.view(n_rows, -1, 1, part.shape[-1])
                after[f"{name}{index}"] = torch.cat((state[f"{name}{index}"], added), dim=2)
                cached.append(after[f"{name}{index}"].flatten(0, 1))
            hidden, _ = layer(
                hidden,
                own=(query, cached[0], cached[1]),
                source=(source[f"key{index}"].flatten(0, 1), source[f"value{index}"].flatten(0, 1)),
                own_bias=own_bias,
                source_bias=source_bias,
            )
        return self.norm(hidden)[:, 0], after

    def attention_weights(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the cross attention of the last layer: float [heads, length, length]."""
        return self._decoded(batch)[1].float()
