"""Hold what the families on a pretrained model share: tables of hanzi, a backbone, an output layer.

A backbone is given vectors instead of tokens. Hanzi, of the left context or chosen before, have the
vectors that the backbone has learnt for them. Syllables and prefixes are new to it: each starts
from the mean of the hanzi that it can be, by their frequency. The output layer starts from the
backbone's own output embeddings, and its bias from how much of the use of a hanzi has the reading,
so that the first step already knows what the backbone knows of hanzi.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary
from yinzi.scoring.input_lines import WINDOW
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.model.backbone import (
    Pretrained,
    accepts,
    bare_model,
    read_architecture,
    read_pretrained,
    with_dropout,
)
from yinzi_train.model.backbone_vectors import find_tokens
from yinzi_train.model.configuration import BackboneConfig
from yinzi_train.model.conversion_model import ConversionModel, PairLayer
from yinzi_train.model.packed_segments import additive_mask

__all__ = ["BackboneModel", "PlaceEmbedding"]

logger = logging.getLogger(__name__)

Model = TypeVar("Model", bound="BackboneModel")

_PROBE_TOLERANCE = 1e-3


class PlaceEmbedding(nn.Module):
    """Embed the input of a place, and hanzi that were chosen, in the space of the backbone."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        size = config.embedding_size
        self.n_inputs = config.n_inputs
        self.hanzi = nn.Embedding(config.n_table, size)
        self.inputs = nn.Embedding(config.n_inputs, size)
        self.tones = nn.Embedding(6, size)
        self.hanzi_of_input: Tensor
        self.hanzi_of_pair: Tensor
        of_input = torch.full((config.n_inputs + config.n_hanzi,), -1)
        self.register_buffer("hanzi_of_input", of_input)  # rows of `hanzi`; -1: no hanzi
        self.register_buffer("hanzi_of_pair", torch.zeros(config.n_pairs, dtype=torch.int64))

    def forward(self, input_ids: Tensor, input_tones: Tensor) -> Tensor:
        """Return float [..., size]."""
        row = self.hanzi_of_input[input_ids]
        is_hanzi = row >= 0
        inputs = self.inputs(torch.where(is_hanzi, 0, input_ids))
        embedded = torch.where(is_hanzi[..., None], self.hanzi(row.clamp(min=0)), inputs)
        return embedded + self.tones(input_tones)

    def chosen(self, pair_ids: Tensor, embedded: Tensor) -> Tensor:
        """Return float [..., size], hanzi of pairs; where none was chosen, the input of the place.

        Args:
            pair_ids: int64 [...], below 0 where none was chosen.
            embedded: float [..., size], inputs of these places.
        """
        found = self.hanzi(self.hanzi_of_pair[pair_ids.clamp(min=0)])
        return torch.where((pair_ids >= 0)[..., None], found.to(embedded.dtype), embedded)


class BackboneModel(ConversionModel):
    """Base of the families on a pretrained model.

    Attributes:
        backbone: the pretrained model without its tables of tokens; its logits are what its output
            embeddings would be multiplied with.
        embedding: what goes into it.
        start: float [embedding_size], what stands before the first place, in families that have it.
        tokenizer_files: files of the tokenizer by name, kept for those who want to go back.

    Raises:
        ConfigError: the architecture is none.
    """

    config_class = BackboneConfig
    config: BackboneConfig
    family = ""
    start: nn.Parameter

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__(config)
        self.backbone, config.embedding_size, config.hidden_size = bare_model(
            config.architecture or {}, self.family
        )
        self.has_positions = accepts(self.backbone, "position_ids")
        self.first_position, config.max_positions = _positions(self.backbone)
        self.tokenizer_files: dict[str, bytes] = {}
        self.embedding = PlaceEmbedding(config)
        self.pair_layer = PairLayer(config.n_pairs, config.hidden_size)
        self.add_parts()
        self.post_init()

    def add_parts(self) -> None:
        """Make what this family has besides."""

    @classmethod
    def build(
        cls: type[Model],
        settings: Mapping[str, Any],
        vocab: InputVocabulary,
        pairs: PairVocabulary,
    ) -> Model:
        """Return a model that starts from its backbone.

        Args:
            settings: of its config; sizes and digest of the vocabularies included.
            vocab: what inputs are numbered by.
            pairs: what places are chosen from.

        Raises:
            ConfigError: the backbone cannot be read or does not fit; says what to do.
        """
        cls.check_settings(settings)
        family = cls.family
        architecture = read_architecture(settings["backbone"], family)
        hanzi = sorted({*vocab.hanzi, *pairs.texts()})
        derived: dict[str, Any] = {
            "architecture": with_dropout(architecture, settings.get("dropout", 0.0)),
            "n_table": len(hanzi),
        }
        config = cls.config_class(**settings, **derived)
        model = cls(config)
        row_of = {char: row for row, char in enumerate(hanzi)}
        places = model.embedding
        places.hanzi_of_input[vocab.first_hanzi_id :] = torch.tensor(
            [row_of[char] for char in vocab.hanzi], dtype=torch.int64
        )
        places.hanzi_of_pair.copy_(torch.tensor([row_of[char] for char in pairs.texts()]))
        if config.from_scratch:
            model.pair_layer.set_prior(torch.from_numpy(pairs.counts))
        else:
            model._start_from(
                read_pretrained(config.backbone, family), hanzi, vocab, pairs, architecture
            )
        model._check_positions()
        model._check_packing()
        return model

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any]) -> None:
        """Check settings and backbone, as far as it takes no time.

        Raises:
            ConfigError: a value does not fit, or there is no such backbone for this family.
        """
        config = cls.config_class(**settings)
        config.check()
        read_architecture(config.backbone, cls.family)

    def backbone_layers(self) -> list[nn.Module]:
        """Return the layers of the backbone, from the input on; of an encoder–decoder all."""
        found: list[nn.Module] = []
        inside: set[int] = set()
        for module in self.backbone.modules():
            if isinstance(module, nn.ModuleList) and id(module) not in inside:
                found.extend(module)
                inside.update(id(one) for one in module.modules())
        return found

    def first_vector(self, pretrained: Pretrained, architecture: Any) -> Tensor | None:
        """Return float [embedding_size], what stands before the first place; None for nothing."""
        return None

    def input_start(self, pretrained: Pretrained, means: Tensor, center: Tensor) -> Tensor:
        """Return what embeddings of syllables start from: float [n, embedding_size].

        Args:
            pretrained: the backbone.
            means: float [n, embedding_size], mean vector of the hanzi of each syllable or prefix.
            center: float [embedding_size], mean over all hanzi.
        """
        return means

    @torch.no_grad()
    def _start_from(
        self,
        pretrained: Pretrained,
        hanzi: list[str],
        vocab: InputVocabulary,
        pairs: PairVocabulary,
        architecture: Any,
    ) -> None:
        label = f"model.backbone {self.config.backbone!r}"
        try:
            self.backbone.load_state_dict(pretrained.layers)
        except RuntimeError as error:
            raise ConfigError(
                f"{label}: its weights do not fit its config.json: {error}"
            ) from error
        n_rows = min(len(pretrained.inputs), len(pretrained.outputs))
        tokens = find_tokens(pretrained.tokenizer, hanzi, n_rows=n_rows, label=label)
        logger.info("%s knows %d of %d hanzi", label, tokens.n_known, len(hanzi))
        places = self.embedding
        places.hanzi.weight.copy_(tokens.mean_rows(pretrained.inputs))
        vectors = places.hanzi.weight[places.hanzi_of_pair]  # [n_pairs, size]
        counts = torch.from_numpy(pairs.counts).double() + 1.0
        sums = torch.cat((torch.zeros(1), counts)).cumsum(0)
        weighted = vectors.double() * counts[:, None]
        weighted = nn.functional.pad(weighted, (0, 0, 1, 0)).cumsum(0)
        ranges = torch.from_numpy(
            pairs.starts.astype(np.int64)[vocab.ranges[: self.config.n_inputs]]
        )
        low, high = ranges[:, 0], ranges[:, 1]
        has_hanzi = low < high
        total = (sums[high] - sums[low])[:, None].clamp(min=1.0)
        means = ((weighted[high] - weighted[low]) / total).float()
        center = (weighted[-1] / sums[-1]).float()
        means[~has_hanzi] = center
        places.inputs.weight.copy_(self.input_start(pretrained, means, center))
        places.tones.weight.zero_()
        rows = places.hanzi_of_pair
        self.pair_layer.weight.copy_(tokens.mean_rows(pretrained.outputs)[rows])
        # P(pair | syllable, text) is in proportion to P(hanzi | text) · P(reading | hanzi).
        shares = torch.from_numpy(pairs.reading_shares).clamp(min=1e-6).log().float()
        self.pair_layer.bias.copy_(tokens.mean_rows(pretrained.output_bias)[rows] + shares)
        start = self.first_vector(pretrained, architecture)
        if start is not None:
            self.start.copy_(start)
        self.tokenizer_files = dict(pretrained.tokenizer_files)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            table = self.config.architecture or {}
            # T5 names a factor of 1 instead.
            std = table.get("initializer_range") or table.get("initializer_factor") or 0.02
            nn.init.normal_(module.weight, std=std)
        else:
            super()._init_weights(module)

    def run(self, embedded: Tensor, seen: Tensor, positions: Tensor, **others: Any) -> Any:
        """Run the backbone; return what it gives.

        Args:
            embedded: float [lines, length, size].
            seen: bool [lines, 1, length, places], places that each place sees.
            positions: int64 [lines, length], from 0 in each segment.
            others: more arguments of the backbone.
        """
        given = {"inputs_embeds": embedded, "attention_mask": self.mask(seen, embedded)}
        if self.has_positions:
            given["position_ids"] = self.position_ids(positions)
        return self.backbone(**given, **others)

    def position_ids(self, positions: Tensor) -> Tensor:
        """Return positions as the backbone counts them.

        Raises:
            ConfigError: there are more than it can tell apart.
        """
        highest = self.config.max_positions
        if highest and positions.numel() and int(positions.max()) >= highest:
            raise ConfigError(
                f"an input has {int(positions.max()) + 1} places, the backbone tells {highest} "
                "apart: give shorter inputs, or a left context of fewer hanzi"
            )
        return positions + self.first_position

    def mask(self, seen: Tensor, embedded: Tensor) -> Tensor:
        """Return a mask for the backbone; seen: bool [lines, 1, length, length]."""
        is_half = torch.is_autocast_enabled(embedded.device.type)
        return additive_mask(seen, dtype=torch.bfloat16 if is_half else embedded.dtype)

    def _check_positions(self) -> None:
        highest = self.config.max_positions
        if highest and highest < WINDOW + 1:
            raise ConfigError(
                f"model.backbone {self.config.backbone!r} tells {highest} places apart: expected "
                f"at least {WINDOW + 1}, take one for longer texts"
            )

    @torch.no_grad()
    def _check_packing(self) -> None:
        """Check that segments of one line do not see one another.

        Architectures are many, and one that ignores masks or positions would train, and be wrong.
        """
        ids = torch.arange(8)[None] % self.config.n_inputs
        batch = {
            "input_ids": ids,
            "input_tones": torch.zeros_like(ids),
            "segments": torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1]]),
            "targets": torch.zeros_like(ids),
        }
        alone = {name: values[:, 3:] for name, values in batch.items()}
        was_training = self.training
        self.eval()
        try:
            together = self.encode(batch)[:, 3:]
            apart = self.encode(alone)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"model.backbone {self.config.backbone!r} ({type(self.backbone).__name__}) cannot "
                f"be run on vectors: {error}; take bert, roberta, electra, gpt2, llama, qwen2 or t5"
            ) from error
        finally:
            self.train(was_training)
        scale = apart.abs().mean().clamp(min=1e-6)
        if not float((together - apart).abs().max() / scale) < _PROBE_TOLERANCE:
            raise ConfigError(
                f"model.backbone {self.config.backbone!r} ({type(self.backbone).__name__}) does "
                "not keep inputs of one line apart; take bert, roberta, electra, gpt2, llama, "
                "qwen2 or t5"
            )


def _positions(backbone: nn.Module) -> tuple[int, int]:
    """Return what positions are counted from, and how many there are; 0 for any number."""
    config: Any = backbone.config
    given = int(getattr(config, "max_position_embeddings", 0) or 0)
    for module in backbone.modules():
        if isinstance(module, nn.Embedding) and given and module.num_embeddings == given:
            # RoBERTa counts from behind the number of its padding.
            first = 0 if module.padding_idx is None else module.padding_idx + 1
            return first, given - first
    return 0, given
