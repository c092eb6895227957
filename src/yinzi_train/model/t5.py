"""Convert with a text-to-text model (Raffel et al. 2020, arXiv 1910.10683).

The encoder reads what is typed, the decoder writes hanzi. As places correspond one to one, the
decoder is also given what the encoder made of its own place, through a projection that starts at
zero: so it need not learn to count, and begins as it was pretrained.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from yinzi_train.model.backbone import Pretrained
from yinzi_train.model.backbone_decoder import BackboneDecoder, cache_of, state_of
from yinzi_train.model.configuration import T5Config
from yinzi_train.model.packed_segments import same_segment, shifted

__all__ = ["T5Model"]


class T5Model(BackboneDecoder):
    """The family on T5 and mT5."""

    config_class = T5Config
    family = "t5"
    config: T5Config

    def add_parts(self) -> None:
        """Make what stands before the first place, and what hands the encoder's place over."""
        super().add_parts()
        size = self.config.embedding_size
        self.aligned = nn.Linear(size, size, bias=False)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if module is self.aligned:
            nn.init.zeros_(module.weight)
        else:
            super()._init_weights(module)

    def first_vector(self, pretrained: Pretrained, architecture: Any) -> Tensor | None:
        """Return the vector of the token that a decoder begins with."""
        token = architecture.decoder_start_token_id
        token = architecture.pad_token_id if token is None else token
        return None if token is None else pretrained.inputs[token]

    def encode(self, batch: dict[str, Tensor]) -> Tensor:
        """Return float [batch, length, size]; `targets` are the hanzi chosen before each place."""
        segments = batch["segments"]
        seen = same_segment(segments)
        alone, encoded = self._encoded(batch, seen)
        before = shifted(self.embedding.chosen(batch["targets"], alone), segments, self.start)
        causal = same_segment(segments, is_causal=True)
        given = self._decode(before + self.aligned(encoded), encoded, causal, seen, use_cache=False)
        hidden: Tensor = given.logits
        return hidden

    def _encoded(self, batch: dict[str, Tensor], seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return places alone and encoded, both float [lines, length, size]."""
        alone = self.embedding(batch["input_ids"], batch["input_tones"])
        encoder: Any = self.backbone.get_encoder()
        given = encoder(inputs_embeds=alone, attention_mask=self.mask(seen, alone))
        return alone, given.last_hidden_state

    def _decode(
        self, embedded: Tensor, encoded: Tensor, seen: Tensor, source_seen: Tensor, **others: Any
    ) -> Any:
        return self.backbone(
            encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
            attention_mask=self.mask(source_seen, embedded),
            decoder_inputs_embeds=embedded,
            decoder_attention_mask=self.mask(seen, embedded),
            **others,
        )

    def begin(self, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Encode inputs; see `StepwiseModel.begin`."""
        segments = batch["segments"]
        alone, encoded = self._encoded(batch, same_segment(segments))
        source = {
            "alone": alone,
            "encoded": encoded,
            "aligned": self.aligned(encoded),
            "seen": (segments >= 0)[:, None, None, :],
        }
        # A place that is thrown away makes keys and values of the source.
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        one = torch.ones(len(segments), 1, 1, 1, dtype=torch.bool, device=segments.device)
        start = self.start.expand(len(segments), 1, -1)
        self._decode(start, encoded, one, one.expand_as(source["seen"]), past_key_values=cache)
        source.update(state_of(cache.cross_attention_cache, "source_"))
        return source, {}

    def step(
        self,
        source: dict[str, Tensor],
        state: dict[str, Tensor],
        *,
        place: int,
        previous: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Decode one place; keys and values of the places before it are in the state."""
        alone = source["alone"]
        before = self.hanzi_before(alone, place=place, previous=previous)
        embedded = (before + source["aligned"][:, place])[:, None]
        seen = torch.ones(len(previous), 1, 1, place + 1, dtype=torch.bool, device=alone.device)
        cache = EncoderDecoderCache(cache_of(state), cache_of(source, "source_"))
        given = self._decode(
            embedded,
            source["encoded"],
            seen,
            source["seen"],
            past_key_values=cache,
            use_cache=True,
        )
        return given.logits[:, 0], state_of(cache.self_attention_cache)
