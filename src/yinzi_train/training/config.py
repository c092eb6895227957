"""Read the TOML file that describes a training run, and check it before anything runs.

Every key has a default: that of the published run of the encoder. A file, or ``--set``, changes
single keys and leaves the others as they are there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from yinzi.errors import ConfigError
from yinzi_train.dataset.augmentation import AugmentationOptions
from yinzi_train.dataset.augmentation_abbreviations import AbbreviationOptions
from yinzi_train.dataset.augmentation_accents import AccentOptions
from yinzi_train.dataset.augmentation_config import AugmentationConfig, build_augmentation_config
from yinzi_train.dataset.augmentation_typing import TypingErrorOptions
from yinzi_train.dataset.balance import BalanceOptions
from yinzi_train.dataset.collator import CollatorOptions
from yinzi_train.pipeline.options import build_options, check_sections, read_toml
from yinzi_train.training.finetuning_options import FinetuningOptions

__all__ = [
    "METRICS_BY_LESS",
    "SCHEDULES",
    "EvaluationOptions",
    "OrderOptions",
    "TrainingConfig",
    "TrainingOptions",
    "VocabularyOptions",
    "read_training_config",
]

SCHEDULES: Final = ("warmup_stable_decay", "cosine", "linear", "cosine_restarts")
PRECISIONS: Final = ("bf16", "fp32")
PARALLELS: Final = ("ddp", "fsdp")
METRICS_BY_LESS: Final = ("validation_loss", "validation_perplexity", "list_loss")
"""Metrics that are better when they are less; of all others more is better."""

_DOMAIN_FACTORS: Final[Mapping[str, float]] = {
    **{"chat": 3.0, "subtitle": 3.0, "service": 3.0, "review": 2.0},
    **{"social": 1.5, "qa": 1.5, "life": 1.5},
    **{"history": 0.7, "academic": 0.7, "law": 0.5, "classical": 0.5, "poetry": 0.5},
}
"""Those of the language model: people type more like chat than like statutes."""


@dataclass(frozen=True)
class VocabularyOptions:
    """What a model can read and write; counted on the train split.

    Attributes:
        min_pair_count: occurrences that a pair of syllable and hanzi needs to be chosen from.
        n_hanzi: hanzi of the left context that have an id, the most frequent ones.
    """

    min_pair_count: int = 10
    n_hanzi: int = 6000

    def __post_init__(self) -> None:
        if self.min_pair_count < 1:
            raise ConfigError(f"min_pair_count is {self.min_pair_count}: expected at least 1")
        if self.n_hanzi < 0:
            raise ConfigError(f"n_hanzi is {self.n_hanzi}: expected 0 or more")


@dataclass(frozen=True)
class OrderOptions:
    """In which order rows are drawn; see `SamplingOptions`.

    Attributes:
        seed: of the order and of the copies.
        pool_groups: row groups that are shuffled together, at least 1.
    """

    seed: int = 1
    pool_groups: int = 16

    def __post_init__(self) -> None:
        if self.pool_groups < 1:
            raise ConfigError(f"pool_groups is {self.pool_groups}: expected at least 1")


@dataclass(frozen=True)
class TrainingOptions:
    """How a model is trained. A step is one change of the weights.

    Attributes:
        learning_rate: the highest, above 0.
        warmup_steps: steps in which it rises.
        schedule: "warmup_stable_decay" stays at the top until `decay_steps` before the end (Hu et
            al. 2024, arXiv 2404.06395, section 4), so a run can be made longer; "cosine" and
            "linear" fall from the warm-up on; "cosine_restarts" does so `n_cycles` times, from the
            top again each time (Loshchilov and Hutter 2017, arXiv 1608.03983).
        decay_steps: steps in which it falls, for "warmup_stable_decay" only.
        n_cycles: for "cosine_restarts" only, at least 1.
        min_learning_rate: what it rises from and falls to, as a share of the highest, 0 to 1.
        max_steps: the run ends there.
        max_epochs: the run ends, and the schedule with it, when it has seen the train split so
            often; 0 for no limit. Rows that `[balance]` repeats or leaves out count once.
        max_minutes: the run ends when it has trained so long, pieces before a resume included; 0
            for no limit. The schedule goes by steps and does not know of it.
        rows_per_batch: sentences of one batch of one process.
        gradient_accumulation: batches of a step of one process.
        ngram_learning_rate: factor on the learning rate of the table of n-grams, whose rows are
            seen rarely; above 0.
        weight_decay: of AdamW; not of biases, norms and the table of n-grams.
        adam_beta1: decay of the first moment.
        adam_beta2: decay of the second moment.
        adam_epsilon: of AdamW.
        max_gradient_norm: longer gradients are cut; 0 for no limit.
        ema_decay: share of the averaged weights (an exponential moving average) that stays when
            they are averaged, 0 to below 1; 0 keeps none.
        ema_steps: steps between two times that they are averaged, at least 1.
        precision: "bf16" (autocast) or "fp32".
        save_minutes: minutes between checkpoints; 0 for none by time.
        save_steps: steps between checkpoints; 0 for none by steps.
        keep_checkpoints: how many of the newest are kept, at least 1.
        eval_steps: steps between evaluations; 0 for none.
        metric: which figure of an evaluation tells the best model.
        patience: the run ends after so many evaluations without a better one; 0 for never.
        log_steps: steps between rows of metrics.csv.
        parallel: how several processes share the work: "ddp", each has all weights, or "fsdp", each
            has a part of weights, gradients and optimizer (fully sharded data parallel).
        seed: of the weights and of dropout.
        initial_model: checkpoint whose weights the run begins with; empty for new ones.
    """

    learning_rate: float = 2e-3
    warmup_steps: int = 300
    schedule: str = "warmup_stable_decay"
    decay_steps: int = 3000
    n_cycles: int = 3
    min_learning_rate: float = 0.05
    max_steps: int = 200_000
    max_epochs: float = 0.0
    max_minutes: float = 0.0
    rows_per_batch: int = 200
    gradient_accumulation: int = 1
    ngram_learning_rate: float = 5.0
    weight_decay: float = 0.01
    adam_beta1: float = 0.9
    adam_beta2: float = 0.98
    adam_epsilon: float = 1e-8
    max_gradient_norm: float = 1.0
    ema_decay: float = 0.9975
    ema_steps: int = 5
    precision: str = "bf16"
    save_minutes: float = 10.0
    save_steps: int = 0
    keep_checkpoints: int = 3
    eval_steps: int = 0
    metric: str = "validation_loss"
    patience: int = 0
    log_steps: int = 25
    parallel: str = "ddp"
    seed: int = 0
    initial_model: str = ""

    def __post_init__(self) -> None:
        for name, low in (
            *(("max_steps", 1), ("rows_per_batch", 1), ("gradient_accumulation", 1)),
            *(("keep_checkpoints", 1), ("log_steps", 1), ("ema_steps", 1)),
            *(("warmup_steps", 0), ("decay_steps", 0), ("max_minutes", 0), ("weight_decay", 0)),
            *(("max_gradient_norm", 0), ("save_minutes", 0), ("save_steps", 0)),
            *(("eval_steps", 0), ("patience", 0), ("seed", 0), ("max_epochs", 0), ("n_cycles", 1)),
        ):
            value = getattr(self, name)
            if not low <= value < math.inf:
                raise ConfigError(f"{name} is {value}: expected {low} or more")
        for name in ("learning_rate", "ngram_learning_rate", "adam_epsilon"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected above 0")
        for name in ("adam_beta1", "adam_beta2", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected 0 up to, not with, 1")
        if not 0 <= self.min_learning_rate <= 1:
            raise ConfigError(f"min_learning_rate is {self.min_learning_rate}: expected 0 to 1")
        for name, known in (
            *(("schedule", SCHEDULES), ("precision", PRECISIONS)),
            ("parallel", PARALLELS),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r}: expected one of {', '.join(known)}"
                )
        is_stable = self.schedule == "warmup_stable_decay"
        n_moving = self.warmup_steps + (self.decay_steps if is_stable else 0)
        if n_moving > self.max_steps:
            parts = "warmup_steps and decay_steps" if is_stable else "warmup_steps"
            raise ConfigError(
                f"{parts} are {n_moving} of max_steps {self.max_steps}: expected fewer steps of "
                "warm-up and decay than steps in all"
            )
        if self.patience and not self.eval_steps:
            raise ConfigError(
                f"patience is {self.patience} without evaluations: set eval_steps above 0"
            )


@dataclass(frozen=True)
class EvaluationOptions:
    """What an evaluation looks at.

    Attributes:
        validation_rows: sentences of the validation split for `validation_loss` and
            `validation_accuracy`; 0 for none.
        rows_per_set: rows of each development set; 0 for all.
        beam_width: of the model's own search on development sets, at least 5.
    """

    validation_rows: int = 4000
    rows_per_set: int = 250
    beam_width: int = 8

    def __post_init__(self) -> None:
        for name in ("validation_rows", "rows_per_set"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected 0 or more")
        if self.beam_width < 5:
            raise ConfigError(f"beam_width is {self.beam_width}: expected at least 5")


def _published_augmentation() -> AugmentationOptions:
    return AugmentationOptions(
        accents=AccentOptions(rate=0.0),
        abbreviations=AbbreviationOptions(initials_rate=0.06, mixed_rate=0.08, tail_rate=0.03),
        typing_errors=TypingErrorOptions(rate=0.0),
    )


def _published_balance() -> BalanceOptions:
    return BalanceOptions(exponent=0.25, domain_factors=dict(_DOMAIN_FACTORS))


@dataclass(frozen=True)
class TrainingConfig:
    """All settings of a training run, one section each.

    Attributes:
        model: `family`, and the sizes of that family; see `yinzi_train.model.families`.
        vocabulary: what it can read and write.
        augmentation: how rows are typed.
        collator: how batches are made; its augmentation is the one above.
        balance: how often rows are seen.
        sampling: in which order.
        training: how the model is trained.
        evaluation: what an evaluation looks at.
        finetuning: how a trained model is tuned; None for a run that is not told how.
    """

    model: Mapping[str, Any] = field(default_factory=lambda: {"family": "encoder"})
    vocabulary: VocabularyOptions = field(default_factory=VocabularyOptions)
    augmentation: AugmentationOptions = field(default_factory=_published_augmentation)
    collator: CollatorOptions = field(default_factory=CollatorOptions)
    balance: BalanceOptions = field(default_factory=_published_balance)
    sampling: OrderOptions = field(default_factory=OrderOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    finetuning: FinetuningOptions | None = None

    @property
    def collator_options(self) -> CollatorOptions:
        """What the collator is given: its own settings and the augmentation."""
        return replace(self.collator, augmentation=self.augmentation)

    @property
    def family(self) -> str:
        """Name of the family of models."""
        return str(self.model["family"])

    @property
    def sizes(self) -> dict[str, Any]:
        """Sizes of the model, by name."""
        return {name: value for name, value in self.model.items() if name != "family"}

    @property
    def n_validation_rows(self) -> int:
        """Rows of the validation split that evaluations need; 0 without evaluations."""
        return self.evaluation.validation_rows if self.training.eval_steps else 0

    def to_dict(self) -> dict[str, Any]:
        """Return every setting, defaults included, as plain tables."""
        tables = {part.name: getattr(self, part.name) for part in fields(self)}
        if self.finetuning is None:
            del tables["finetuning"]
        plain = {
            name: dict(table) if name == "model" else asdict(table)
            for name, table in tables.items()
        }
        del plain["collator"]["augmentation"]
        return plain


def read_training_config(
    path: Path | None = None, *, overrides: Sequence[str] = ()
) -> TrainingConfig:
    """Read the TOML file of a training run.

    >>> config = read_training_config(overrides=["training.max_steps=20_000", "model.n_layers=2"])
    >>> config.training.max_steps, config.family, config.sizes
    (20000, 'encoder', {'n_layers': 2})

    Args:
        path: the file; None for the defaults.
        overrides: ``section.key=value`` each, the value in TOML: ``training.max_steps=20_000``.

    Raises:
        ConfigError: the file cannot be read, or a key or value is not as it must be; names both.
    """
    tables = read_toml(path, overrides=overrides, example="training.max_steps=20_000")
    label = "--set" if path is None else path.name
    check_sections(tables, [part.name for part in fields(TrainingConfig)], label)
    model = {"family": "encoder", **tables.pop("model", {})}
    if not isinstance(model["family"], str):
        raise ConfigError(f"{label}: model.family is {model['family']!r}, expected text in quotes")
    default = TrainingConfig()
    given = {name: tables.pop(name, {}) for name in ("augmentation", "balance")}
    base = asdict(AugmentationConfig(default.augmentation, default.balance))
    shared = build_augmentation_config(_merged(base, given), label=label)
    if "augmentation" in tables.get("collator", {}):
        raise ConfigError(
            f"{label}: unknown key 'collator.augmentation': set [augmentation] instead"
        )
    default = replace(default, finetuning=FinetuningOptions() if "finetuning" in tables else None)
    built = {
        name: build_options(type(getattr(default, name)), table, label=label, key=name)
        for name, table in tables.items()
    }
    return replace(
        default, model=model, augmentation=shared.augmentation, balance=shared.balance, **built
    )


def _merged(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of `base` with given values in their place; None values are left out.

    Tables of free names are not mixed: what is given replaces them.
    """
    free = ("profiles", "shares", "domain_factors")
    merged: dict[str, Any] = deepcopy({k: v for k, v in base.items() if v is not None})
    for name, value in given.items():
        is_table = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if is_table and name not in free else value
    return merged
