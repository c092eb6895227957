"""Say how a trained model is tuned further: the section `[finetuning]` of a training config.

What the settings do is in `yinzi_train.finetuning`; they stand here because they are part of the
config of a run, which this layer reads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from yinzi.errors import ConfigError

__all__ = [
    "ADAPTERS",
    "METHODS",
    "AdapterOptions",
    "DistillationOptions",
    "FinetuningOptions",
    "NBestOptions",
    "ReplayOptions",
    "TaskOptions",
]

METHODS: Final = ("full", "last_layers", "gradual", "adapter")
ADAPTERS: Final = ("lora", "rslora", "dora", "ia3")
_SWITCHES: Final = ("auto", "train", "freeze")
_PAIR_LAYER: Final = ("auto", "all", "bias", "freeze")


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} is {value!r}: expected one of {', '.join(known)}")


def _check_range(name: str, value: float, low: float, high: float = math.inf) -> None:
    if not (low <= value <= high and math.isfinite(value)):
        expected = f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
        raise ConfigError(f"{name} is {value}: expected {expected}")


@dataclass(frozen=True)
class AdapterOptions:
    r"""Small modules beside frozen weights, by the library peft; merged into them at the end.

    Attributes:
        kind: "lora" (Hu et al. 2022, arXiv 2106.09685); "rslora", scaled by the root of the rank
            (Kalajdzievski 2023, arXiv 2312.03732); "dora", with a learnt length of each row (Liu et
            al. 2024, arXiv 2402.09353); "ia3", a factor for each output (Liu et al. 2022, arXiv
            2205.05638).
        rank: columns of the added matrices, at least 1; not for "ia3".
        alpha: what they are multiplied by, over the rank (its root for "rslora"); above 0.
        dropout: of what flows into them, 0 to below 1.
        modules: regular expression that the whole names of modules must match, as
            ``layers\.[12]\..*``; empty for all linear modules inside the layers.
    """

    kind: str = "lora"
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    modules: str = ""

    def __post_init__(self) -> None:
        _check_choice("kind", self.kind, ADAPTERS)
        _check_range("rank", self.rank, 1)
        if not 0 < self.alpha < math.inf:
            raise ConfigError(f"alpha is {self.alpha}: expected above 0")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout is {self.dropout}: expected 0 up to, not with, 1")


@dataclass(frozen=True)
class TaskOptions:
    """What is learnt together (Caruana 1997): the weight of each loss; 0 leaves a task out.

    Attributes:
        conversion: the hanzi of each place, above 0.
        tones: annotation: the tone of each hanzi, where none was typed.
        readings: annotation: the syllable of each hanzi of the left context.
        masked_hanzi: masked language model: hanzi of the left context that were hidden.
        mask_rate: share of these hanzi that is hidden, above 0 and below 1.
    """

    conversion: float = 1.0
    tones: float = 0.0
    readings: float = 0.0
    masked_hanzi: float = 0.0
    mask_rate: float = 0.15

    def __post_init__(self) -> None:
        for name in ("conversion", "tones", "readings", "masked_hanzi"):
            _check_range(name, getattr(self, name), 0)
        if not self.conversion:
            raise ConfigError("conversion is 0: expected above 0, the model is there to convert")
        if not 0 < self.mask_rate < 1:
            raise ConfigError(f"mask_rate is {self.mask_rate}: expected above 0 and below 1")


@dataclass(frozen=True)
class ReplayOptions:
    """Sentences of another dataset in each batch, against forgetting (Robins 1995).

    Attributes:
        data: folder of that dataset, as the one the model was trained on; empty for none.
        share: of the rows of a batch that come from it, above 0 and below 1.
        pool_groups: row groups of it that are shuffled together, at least 1.
        validation_rows: sentences of its validation split that each evaluation measures, as
            `replay_validation_loss` and `replay_validation_accuracy`; 0 for none.
    """

    data: str = ""
    share: float = 0.25
    pool_groups: int = 2
    validation_rows: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ConfigError(f"share is {self.share}: expected above 0 and below 1")
        _check_range("pool_groups", self.pool_groups, 1)
        _check_range("validation_rows", self.validation_rows, 0)


@dataclass(frozen=True)
class NBestOptions:
    """Learn to rank candidate lists right, together with the language model.

    Attributes:
        data: folder that `yinzi-train n-best` made; empty for none.
        weight: of the loss of the lists beside the other losses, above 0.
        lists_per_batch: lists of each process and batch, at least 1.
        language_model_weight: factor on what the language model says; below 1 for lists of text
            that it was counted on, of which it is surer than of any other, above 0.
        held_out: lists that are measured at evaluations, not trained on, at least 1.
    """

    data: str = ""
    weight: float = 1.0
    lists_per_batch: int = 200
    language_model_weight: float = 1.0
    held_out: int = 2000

    def __post_init__(self) -> None:
        for name in ("weight", "language_model_weight"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected above 0")
        _check_range("lists_per_batch", self.lists_per_batch, 1)
        _check_range("held_out", self.held_out, 1)


@dataclass(frozen=True)
class DistillationOptions:
    """Learn from what a teacher gives each hanzi (Hinton et al. 2015, arXiv 1503.02531).

    Attributes:
        teacher: folder of a checkpoint with the same vocabularies; empty for none.
        weight: of the divergence from the teacher beside the other losses, above 0.
        temperature: both are divided by it, above 0; the gradient is multiplied by its square.
    """

    teacher: str = ""
    weight: float = 0.5
    temperature: float = 2.0

    def __post_init__(self) -> None:
        for name in ("weight", "temperature"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected above 0")


@dataclass(frozen=True)
class FinetuningOptions:
    """How a model is tuned. What "auto" means is told by the properties.

    Attributes:
        method: "full" trains everything; "last_layers" the output and the top `n_layers`;
            "gradual" first the output, then a layer more every `stage_steps` (Howard and Ruder
            2018, arXiv 1801.06146, section 3.3); "adapter" modules beside frozen weights.
        n_layers: for "last_layers", at least 1.
        stage_steps: for "gradual", at least 1.
        layer_decay: factor on the learning rate for each layer downwards, above 0 up to 1
            (discriminative fine-tuning, there section 3.1).
        embeddings: "train", "freeze" or "auto": input embeddings and position biases.
        ngrams: the same for the n-grams, table and projection.
        pair_layer: "all", "bias", "freeze" or "auto": the output layer, a row for each pair.
        class_weight_exponent: loss of a pair is weighted by its frequency to the power of minus
            this; 0 for equal weights.
        max_class_weight: weights are cut at so many times their mean, at least 1.
        restores_best: `final` is the model of the best evaluation rather than the last.
        min_rows: sentences that the train split must have.
        min_coverage: share of its hanzi that the vocabulary of the model must have, 0 to 1.
        vocabularies: checkpoint whose vocabularies a pretrained backbone is given; empty for
            those counted on the dataset. Models of this project bring their own.
        adapter: for "adapter".
        tasks: what is learnt together.
        replay: sentences of another dataset.
        distillation: from a teacher.
        n_best: lists of candidates to rank.
    """

    method: str = "full"
    n_layers: int = 1
    stage_steps: int = 100
    layer_decay: float = 1.0
    embeddings: str = "auto"
    ngrams: str = "auto"
    pair_layer: str = "auto"
    class_weight_exponent: float = 0.0
    max_class_weight: float = 10.0
    restores_best: bool = True
    min_rows: int = 100
    min_coverage: float = 0.9
    vocabularies: str = ""
    adapter: AdapterOptions = field(default_factory=AdapterOptions)
    tasks: TaskOptions = field(default_factory=TaskOptions)
    replay: ReplayOptions = field(default_factory=ReplayOptions)
    distillation: DistillationOptions = field(default_factory=DistillationOptions)
    n_best: NBestOptions = field(default_factory=NBestOptions)

    def __post_init__(self) -> None:
        _check_choice("method", self.method, METHODS)
        _check_choice("embeddings", self.embeddings, _SWITCHES)
        _check_choice("ngrams", self.ngrams, _SWITCHES)
        _check_choice("pair_layer", self.pair_layer, _PAIR_LAYER)
        for name, low in (("n_layers", 1), ("stage_steps", 1), ("min_rows", 1)):
            _check_range(name, getattr(self, name), low)
        _check_range("class_weight_exponent", self.class_weight_exponent, 0, 2)
        _check_range("max_class_weight", self.max_class_weight, 1)
        _check_range("min_coverage", self.min_coverage, 0, 1)
        if not 0 < self.layer_decay <= 1:
            raise ConfigError(f"layer_decay is {self.layer_decay}: expected above 0 up to 1")

    @property
    def trains_embeddings(self) -> bool:
        """Whether input embeddings train: by themselves with "full" and "gradual"."""
        return self._is_on(self.embeddings)

    @property
    def trains_ngrams(self) -> bool:
        """Whether the n-grams train: by themselves with "full" and "gradual"."""
        return self._is_on(self.ngrams)

    @property
    def trained_pair_layer(self) -> str:
        """What of the output layer trains: "bias" by itself with "adapter", else "all"."""
        if self.pair_layer != "auto":
            return self.pair_layer
        return "bias" if self.method == "adapter" else "all"

    def _is_on(self, switch: str) -> bool:
        if switch == "auto":
            return self.method in {"full", "gradual"}
        return switch == "train"
