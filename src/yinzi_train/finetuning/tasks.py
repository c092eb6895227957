"""Learn more than the conversion: further losses over the same hidden vectors, and a teacher.

All tasks share the model and one pass over the batch; each further one has a linear head, which is
left out when the model is saved. Hanzi of the left context that are hidden for the masked language
model are hidden from the other tasks too, n-grams over them included.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES
from yinzi.scoring import NO_NGRAM, InputVocabulary
from yinzi_train.dataset.collator import IGNORED
from yinzi_train.finetuning.n_best import n_best_loss
from yinzi_train.model import ConversionModel, ConversionOutput
from yinzi_train.model.restricted_softmax import restricted_divergence
from yinzi_train.training.finetuning_options import DistillationOptions, TaskOptions

__all__ = ["ANNOTATIONS", "HEADS", "MultiTaskModel"]

ANNOTATIONS = ("target_tones", "target_syllables")
"""Targets that batches need for annotation: tones 0 to 4, syllable ids; `IGNORED` for none."""

HEADS = "heads."
"""What the names of the parameters of heads begin with."""

_N_TONES = 5


class MultiTaskModel(nn.Module):
    """A conversion model with heads for further tasks; trained in its place.

    Attributes:
        model: the conversion model.
        heads: linear layers by the name of their task.
    """

    def __init__(
        self,
        model: ConversionModel,
        vocab: InputVocabulary,
        tasks: TaskOptions,
        *,
        teacher: ConversionModel | None = None,
        distillation: DistillationOptions | None = None,
        n_best_weight: float = 0.0,
    ) -> None:
        super().__init__()
        size = model.pair_layer.weight.shape[1]
        n_classes = {
            "tones": _N_TONES,
            "readings": len(SYLLABLES),
            "masked_hanzi": len(vocab.hanzi),
        }
        if tasks.masked_hanzi and not vocab.hanzi:
            raise ConfigError(
                "finetuning.tasks.masked_hanzi is set, but the vocabulary of the model has no "
                "hanzi: set it to 0"
            )
        self.model = model
        self.heads = nn.ModuleDict(
            {name: nn.Linear(size, n) for name, n in n_classes.items() if getattr(tasks, name)}
        )
        self.tasks = tasks
        # Not registered: a teacher has no parameters of this model.
        self._teacher = (teacher,)
        self._distillation = distillation or DistillationOptions()
        self._n_best_weight = n_best_weight
        self._vocab = vocab

    def forward(self, **batch: Any) -> ConversionOutput:
        """Return the output of the model, its loss the weighted sum over all tasks."""
        masked = None
        if "masked_hanzi" in self.heads and self.training:
            batch, masked = self._masked(batch)
        hidden = self.model.encode(batch)
        output = self.model.output(hidden, batch)
        if output.loss is None:  # nothing to learn, as when attention is looked at
            return output
        loss: Tensor = self.tasks.conversion * output.loss
        if "tones" in self.heads:
            is_asked = batch["input_tones"] == 0
            targets = torch.where(is_asked, batch["target_tones"], IGNORED)
            loss = loss + self.tasks.tones * self._loss_of("tones", hidden, targets)
        if "readings" in self.heads:
            is_context = batch["input_ids"] >= self._vocab.unknown_id
            targets = torch.where(is_context, batch["target_syllables"], IGNORED)
            loss = loss + self.tasks.readings * self._loss_of("readings", hidden, targets)
        if masked is not None:
            part = self._loss_of("masked_hanzi", hidden, masked)
            loss = loss + self.tasks.masked_hanzi * part
        if self._teacher[0] is not None:
            loss = loss + self._distillation.weight * self._distilled(hidden, batch)
        if self._n_best_weight and "list_places" in batch:
            loss = loss + self._n_best_weight * n_best_loss(self.model, hidden, batch).loss
        output.loss = loss
        return output

    def _masked(self, batch: dict[str, Any]) -> tuple[dict[str, Any], Tensor]:
        """Hide some hanzi of the context; return the batch, and which they were."""
        ids, first = batch["input_ids"], self._vocab.first_hanzi_id
        is_hidden = (ids >= first) & (torch.rand(ids.shape) < self.tasks.mask_rate)
        targets = torch.where(is_hidden, ids - first, IGNORED)
        changed = {**batch, "input_ids": torch.where(is_hidden, self._vocab.unknown_id, ids)}
        ngrams = batch["ngram_ids"].clone()
        for index, order in enumerate(getattr(self.model.config, "ngram_orders", ())):
            for shift in range(order):  # an n-gram is known by its first place
                length = ids.shape[1] - shift
                ngrams[:, :length, index].masked_fill_(is_hidden[:, shift:], NO_NGRAM)
        changed["ngram_ids"] = ngrams
        return changed, targets

    def _loss_of(self, name: str, hidden: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of a head, natural log; 0 with a gradient where nothing is asked."""
        places = (targets.reshape(-1) >= 0).nonzero()[:, 0]
        logits = self.heads[name](hidden.reshape(-1, hidden.shape[-1])[places]).float()
        summed = nn.functional.cross_entropy(logits, targets.reshape(-1)[places], reduction="sum")
        return summed / max(1, len(places))

    def _distilled(self, hidden: Tensor, batch: dict[str, Any]) -> Tensor:
        """Return the mean divergence of this model from the teacher, times temperature squared."""
        teacher = self._teacher[0]
        assert teacher is not None
        with torch.no_grad():
            taught = teacher.encode(batch)
        places = (batch["targets"].reshape(-1) >= 0).nonzero()[:, 0]
        layer, other = self.model.pair_layer, teacher.pair_layer
        temperature = self._distillation.temperature
        summed = restricted_divergence(
            hidden.reshape(-1, hidden.shape[-1])[places],
            layer.weight,
            layer.bias,
            taught=(taught.reshape(-1, taught.shape[-1])[places], other.weight, other.bias),
            low=batch["pair_low"].reshape(-1)[places],
            high=batch["pair_high"].reshape(-1)[places],
            temperature=temperature,
        )
        return summed * temperature**2 / max(1, len(places))
