"""Convert hanzi after hanzi with a causal language model.

Two ways to tell it what is typed (Tan et al. 2022, arXiv 2203.00249, compare such):

- "aligned": each place reads the hanzi before it plus what is typed there and at the next places,
  so that a line is as long as its text;
- "prompt": left context, then all syllables, then hanzi. A syllable has the position number of the
  place where its hanzi is chosen, so hanzi stand where they would stand in plain text.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from yinzi_train.model.backbone import Pretrained
from yinzi_train.model.backbone_decoder import BackboneDecoder, cache_of, state_of
from yinzi_train.model.configuration import GptConfig
from yinzi_train.model.packed_segments import (
    later_places,
    positions_of,
    same_segment,
    shifted,
)
from yinzi_train.model.prompt_layout import PromptLayout, n_given

__all__ = ["GptModel"]


class GptModel(BackboneDecoder):
    """The family on GPT-2, Llama, Qwen2 and their kin."""

    config_class = GptConfig
    family = "gpt"
    config: GptConfig

    def add_parts(self) -> None:
        """Make what stands before the first place, and what mixes in what is typed."""
        super().add_parts()
        size = self.config.embedding_size
        self.is_prompt = self.config.conditioning == "prompt"
        if self.is_prompt:
            self.answer = nn.Parameter(torch.zeros(size))
        else:
            self.typed = nn.Linear((self.config.lookahead + 1) * size, size, bias=False)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if not self.is_prompt and module is self.typed:
            # What is typed here as it is; a little of what is typed next.
            nn.init.normal_(module.weight, std=0.1 * module.in_features**-0.5)
            module.weight[:, : len(module.weight)].add_(torch.eye(len(module.weight)))
        else:
            super()._init_weights(module)

    def first_vector(self, pretrained: Pretrained, architecture: Any) -> Tensor | None:
        """Return the vector of the token that begins a text."""
        tokenizer = pretrained.tokenizer
        names = (tokenizer.bos_token_id, architecture.bos_token_id, tokenizer.cls_token_id)
        token = next((one for one in (*names, tokenizer.eos_token_id) if one is not None), None)
        return None if token is None else pretrained.inputs[token]

    def encode(self, batch: dict[str, Tensor]) -> Tensor:
        """Return float [batch, length, size]; `targets` are the hanzi chosen before each place."""
        segments = batch["segments"]
        alone = self.embedding(batch["input_ids"], batch["input_tones"])
        before = shifted(self.embedding.chosen(batch["targets"], alone), segments, self.start)
        if self.is_prompt:
            return self._prompted(batch, alone, before)
        embedded = before + self.typed(later_places(alone, segments, self.config.lookahead))
        seen = same_segment(segments, is_causal=True)
        hidden: Tensor = self.run(embedded, seen, positions_of(segments), use_cache=False).logits
        return hidden

    def _prompted(self, batch: dict[str, Tensor], alone: Tensor, before: Tensor) -> Tensor:
        layout = PromptLayout(batch["segments"], self._is_given(batch))
        embedded = layout.lay_out(alone, before + self.answer, self.start)
        seen = same_segment(layout.segments, is_causal=True)
        return layout.answers(self.run(embedded, seen, layout.positions, use_cache=False).logits)

    def _is_given(self, batch: dict[str, Tensor]) -> Tensor:
        """Return bool [lines, length], places that are hanzi of a left context."""
        ids, n_inputs = batch["input_ids"], self.config.n_inputs
        return ids >= n_inputs - 1  # the last id before the hanzi is that of unknown ones

    def begin(self, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Read what is typed; see `StepwiseModel.begin`."""
        segments = batch["segments"]
        alone = self.embedding(batch["input_ids"], batch["input_tones"])
        if not self.is_prompt:
            typed = self.typed(later_places(alone, segments, self.config.lookahead))
            return {"alone": alone, "typed": typed}, {}
        n_lines, length = segments.shape
        is_inside = segments >= 0
        n_context = n_given(self._is_given(batch) & is_inside)
        places = torch.arange(length, device=segments.device)
        positions = places + (places < n_context[:, None]).long()
        prompt = torch.cat((self.start.expand(n_lines, 1, -1), alone), dim=1)
        is_seen = nn.functional.pad(is_inside, (1, 0), value=True)
        seen = is_seen[:, None, None, :].expand(-1, 1, length + 1, -1).tril()
        # Blanks see themselves, so that no row of the mask is empty.
        seen = seen | torch.eye(length + 1, dtype=torch.bool, device=segments.device)
        positions = nn.functional.pad(torch.where(is_inside, positions, 0), (1, 0))
        cache = DynamicCache()
        given = self.run(prompt, seen, positions, use_cache=True, past_key_values=cache)
        source = {"alone": alone, "n_context": n_context, "n_places": is_inside.sum(1)}
        return source, {"seen": is_seen, **state_of(given.past_key_values)}

    def step(
        self,
        source: dict[str, Tensor],
        state: dict[str, Tensor],
        *,
        place: int,
        previous: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Decode one place; keys and values of what is before it are in the state."""
        alone = source["alone"]
        before = self.hanzi_before(alone, place=place, previous=previous)
        embedded = before + (self.answer if self.is_prompt else source["typed"][:, place])
        if self.is_prompt:
            is_answer = (place >= source["n_context"]) & (place < source["n_places"])
            seen = nn.functional.pad(state["seen"], (0, 1), value=True)
            after = {"seen": torch.cat((state["seen"], is_answer[:, None]), dim=1)}
        else:
            seen = torch.ones(len(previous), place + 1, dtype=torch.bool, device=alone.device)
            after = {}
        positions = torch.full((len(previous), 1), place, device=alone.device)
        given = self.run(
            embedded[:, None],
            seen[:, None, None],
            positions,
            use_cache=True,
            past_key_values=cache_of(state),
        )
        hidden = given.logits[:, 0]
        if self.is_prompt:
            hidden = hidden * is_answer[:, None].to(hidden.dtype)  # given places answer nothing
        return hidden, {**after, **state_of(given.past_key_values)}
