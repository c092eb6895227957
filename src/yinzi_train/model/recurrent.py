"""Convert with recurrent layers: a bidirectional encoder, and a decoder with attention.

The classic route of Bahdanau et al. 2015 (arXiv 1409.0473), in the order of Luong et al. 2015
(arXiv 1508.04025, section 3.1): the decoder's recurrent layer runs first, its state is the query of
the attention, and a last layer combines both. Bahdanau feeds what attention has read into the next
recurrent step instead, so that no step can begin before the one before it has ended; here, under
teacher forcing, each layer runs over all steps in one call. What is given up: the recurrent layer
does not know where it looked before, which matters little where places correspond one to one. For
the same reason both the recurrent layer and the last one get the encoder's state of their place.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from yinzi_train.model.attention import MASKED, AdditiveAttention, DotAttention
from yinzi_train.model.configuration import RecurrentConfig
from yinzi_train.model.conversion_model import PairLayer
from yinzi_train.model.recurrent_steps import run_recurrent
from yinzi_train.model.segment_rows import SegmentRows
from yinzi_train.model.sequence_to_sequence import (
    PairEmbedding,
    Seq2SeqModel,
    SourceEmbedding,
    previous_symbol,
)

__all__ = ["RecurrentSeq2Seq"]


class _LstmLayer(nn.LSTM):
    """An LSTM that forgets little at first (Jozefowicz et al. 2015, section 3.2)."""

    def reset_parameters(self) -> None:
        super().reset_parameters()
        with torch.no_grad():
            _, _, input_bias, _ = self.parameters()
            input_bias[self.hidden_size : 2 * self.hidden_size].fill_(1.0)


def _recurrent_layer(cell: str, input_size: int, size: int) -> nn.LSTM | nn.GRU:
    if cell == "gru":
        return nn.GRU(input_size, size)
    return _LstmLayer(input_size, size)


class _BidirectionalLayer(nn.Module):
    """Each half of the result comes from one direction."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.forward_layer = _recurrent_layer(config.cell, size, size // 2)
        self.backward_layer = _recurrent_layer(config.cell, size, size // 2)

    def forward(self, rows: SegmentRows, items: Tensor) -> Tensor:
        """Return float [n_items, size]."""
        forward = run_recurrent(self.forward_layer, items, rows.sizes)
        backward = run_recurrent(self.backward_layer, rows.turned(items), rows.sizes)
        return torch.cat((forward, rows.turned(backward)), dim=1)


class RecurrentSeq2Seq(Seq2SeqModel):
    """The LSTM and GRU families.

    Raises:
        ConfigError: the sizes do not fit together.
    """

    config_class = RecurrentConfig
    config: RecurrentConfig

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        config.check()
        size = config.hidden_size
        self.embedding = SourceEmbedding(config)
        self.encoder = nn.ModuleList(_BidirectionalLayer(config) for _ in range(config.n_layers))
        self.pair_embedding = PairEmbedding(config)
        self.decoder = nn.ModuleList(
            _recurrent_layer(config.cell, size, size) for _ in range(config.n_decoder_layers)
        )
        attention = AdditiveAttention if config.attention == "additive" else DotAttention
        self.attention = attention(size, config.attention_size)
        self.combine = nn.Linear(3 * size, size)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()
        self.pair_layer = PairLayer(config.n_pairs, size)
        self.post_init()

    def encode(self, batch: dict[str, Tensor]) -> Tensor:
        """Return float [batch, length, size]; `targets` are the hanzi chosen before each place."""
        shape = batch["segments"].shape
        rows = SegmentRows(batch["segments"])
        alone, encoded = self._encoded(rows, batch)
        states, encoded = self._decoded(rows, batch["targets"].reshape(-1), alone, encoded)
        attended = self._attended(rows, states, encoded)
        read = [torch.bmm(weights, values) for weights, values in attended]
        mixed = rows.from_groups(read) if read else encoded
        return rows.to_lines(self._combined(states, mixed, encoded)).view(*shape, encoded.shape[1])

    def _encoded(self, rows: SegmentRows, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return places alone, [lines × length, size], and encoded, [n_items, size]."""
        alone, whole = self.embedding(batch)
        items = rows.from_lines(whole.flatten(0, 1))
        for index, layer in enumerate(self.encoder):
            made = layer(rows, self.dropout(items))
            items = items + made if index else made
        return alone.flatten(0, 1), items

    def _decoded(
        self, rows: SegmentRows, targets: Tensor, alone: Tensor, encoded: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return states of the decoder and what the encoder made, both [n_items, size]."""
        symbols = rows.previous(self.pair_embedding(targets, alone))
        start = self.pair_embedding.start.to(symbols.dtype)
        symbols = torch.where(rows.is_first[:, None], start, symbols)
        encoded = self.dropout(encoded)
        states = self.dropout(symbols) + encoded
        for index, layer in enumerate(self.decoder):
            assert isinstance(layer, (nn.LSTM, nn.GRU))
            made = run_recurrent(layer, states, rows.sizes)
            states = states + made if index else made
        return states, encoded

    def _attended(
        self, rows: SegmentRows, states: Tensor, encoded: Tensor
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield weights [rows, target, source] and what they weigh [rows, source, size]."""
        parts = (self.attention.query(states), self.attention.key(encoded), encoded)
        groups = zip(*(rows.groups(items) for items in parts), rows.lengths, strict=True)
        for queries, keys, values, lengths in groups:
            yield self.attention(queries, keys, _mask(lengths, values.shape[1])), values

    def _combined(self, states: Tensor, read: Tensor, encoded: Tensor) -> Tensor:
        combined = self.combine(torch.cat((states, read, encoded), dim=-1))
        result: Tensor = self.dropout(torch.tanh(combined))
        return result

    def begin(self, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Encode inputs; see `Seq2SeqModel.begin`."""
        segments = batch["segments"]
        n_lines, length = segments.shape
        rows = SegmentRows(segments)
        alone, items = self._encoded(rows, batch)
        encoded = rows.to_lines(items).view(n_lines, length, items.shape[1])
        source = {
            "alone": alone.view(n_lines, length, alone.shape[1]),
            "encoded": encoded,
            "keys": self.attention.key(encoded),
            "mask": _mask((segments >= 0).sum(1), length),
        }
        blank = encoded.new_zeros(n_lines, len(self.decoder), encoded.shape[-1])
        names = ("hidden", "cell") if self.config.cell == "lstm" else ("hidden",)
        return source, dict.fromkeys(names, blank)

    def step(
        self,
        source: dict[str, Tensor],
        state: dict[str, Tensor],
        *,
        place: int,
        previous: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Decode one place; see `Seq2SeqModel.step`."""
        here = source["encoded"][:, place]
        symbols = previous_symbol(
            self.pair_embedding, source["alone"], place=place, previous=previous
        )
        states = symbols + here
        after: dict[str, list[Tensor]] = {name: [] for name in state}
        for index, layer in enumerate(self.decoder):
            before = [values[:, index].contiguous()[None] for values in state.values()]
            made, last = layer(states[None], tuple(before) if len(before) == 2 else before[0])
            for name, values in zip(after, last if len(before) == 2 else (last,), strict=True):
                after[name].append(values[0])
            states = states + made[0] if index else made[0]
        queries = self.attention.query(states)[:, None]
        weights = self.attention(queries, source["keys"], source["mask"])
        read = torch.bmm(weights, source["encoded"])[:, 0]
        hidden = self._combined(states, read, here)
        return hidden, {name: torch.stack(values, dim=1) for name, values in after.items()}

    def attention_weights(self, batch: dict[str, Tensor]) -> Tensor:
        """Return float [1, length, length]; see `Seq2SeqModel.attention_weights`."""
        length = batch["segments"].shape[1]
        rows = SegmentRows(batch["segments"])
        alone, encoded = self._encoded(rows, batch)
        states, encoded = self._decoded(rows, batch["targets"].reshape(-1), alone, encoded)
        weights, _ = next(self._attended(rows, states, encoded))
        return weights[:1, :length, :length].float()


def _mask(lengths: Tensor, n_places: int) -> Tensor:
    """Return float [rows, 1, n_places]: 0 on places of a row, `MASKED` behind its end."""
    is_blank = torch.arange(n_places, device=lengths.device) >= lengths[:, None]
    return is_blank[:, None].float() * MASKED
