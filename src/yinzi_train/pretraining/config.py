"""Read the TOML file that describes a pretraining run, and check it before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from yinzi.errors import ConfigError
from yinzi_train.dataset.augmentation_config import build_augmentation_config
from yinzi_train.dataset.balance import BalanceOptions
from yinzi_train.pipeline.options import build_options, check_sections, read_toml
from yinzi_train.training.config import OrderOptions, TrainingConfig, TrainingOptions

__all__ = [
    "FAMILIES",
    "CorruptionOptions",
    "LineOptions",
    "ModelOptions",
    "PretrainingConfig",
    "PretrainingOptions",
    "TextVocabularyOptions",
    "ValidationOptions",
    "read_pretraining_config",
]

FAMILIES: Final = ("bert", "gpt", "t5")
_MIN_LENGTH: Final = 8


@dataclass(frozen=True)
class ModelOptions:
    """What model is trained.

    Attributes:
        family: "bert" guesses masked characters, "gpt" the next one, "t5" spans left out.
        hidden_size: width, a multiple of `n_heads`.
        n_layers: of the encoder, or of the only stack.
        n_decoder_layers: of the decoder of "t5", at least 1; 0 for the others.
        n_heads: attention heads.
        feed_forward_size: width inside the feed-forward layers.
        max_positions: places that have an embedding, for "bert" and "gpt"; "t5" needs none.
        dropout: 0 up to, not with, 1.
    """

    family: str = "bert"
    hidden_size: int = 256
    n_layers: int = 4
    n_decoder_layers: int = 0
    n_heads: int = 4
    feed_forward_size: int = 1024
    max_positions: int = 256
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ConfigError(f"family is {self.family!r}: expected one of {', '.join(FAMILIES)}")
        for name in ("hidden_size", "n_layers", "n_heads", "feed_forward_size", "max_positions"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected at least 1")
        if self.hidden_size % self.n_heads:
            raise ConfigError(
                f"hidden_size is {self.hidden_size} with n_heads {self.n_heads}: expected a "
                "multiple of n_heads"
            )
        is_t5 = self.family == "t5"
        if is_t5 != (self.n_decoder_layers > 0):
            expected = "at least 1" if is_t5 else "0, as it has no decoder"
            raise ConfigError(
                f"n_decoder_layers is {self.n_decoder_layers} for {self.family}: "
                f"expected {expected}"
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout is {self.dropout}: expected 0 up to, not with, 1")


@dataclass(frozen=True)
class TextVocabularyOptions:
    """Which characters have an id of their own; counted on the train split.

    Attributes:
        n_hanzi: the most frequent hanzi.
        n_others: the most frequent of all other characters: letters, digits, punctuation, space.
        min_count: occurrences that a character needs.
    """

    n_hanzi: int = 6000
    n_others: int = 300
    min_count: int = 5

    def __post_init__(self) -> None:
        for name, low in (("n_hanzi", 1), ("n_others", 0), ("min_count", 1)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected at least {low}")


@dataclass(frozen=True)
class LineOptions:
    """How sentences are laid into lines of one length.

    Attributes:
        length: places of a line, marks of beginning and end included; longer sentences are cut.
        multiple: the number of lines of a batch is filled up to a multiple of this.
    """

    length: int = 128
    multiple: int = 2

    def __post_init__(self) -> None:
        if self.length < _MIN_LENGTH:
            raise ConfigError(f"length is {self.length}: expected at least {_MIN_LENGTH}")
        if self.multiple < 1:
            raise ConfigError(f"multiple is {self.multiple}: expected at least 1")


@dataclass(frozen=True)
class CorruptionOptions:
    """What "bert" and "t5" have to guess; "gpt" guesses every character.

    Attributes:
        share: of the characters, above 0 and below 1.
        mask_share: of these, for "bert": shown as the mask; the rest is not changed or changed to
            another character, half and half (Devlin et al. 2019, arXiv 1810.04805, section 3.1).
        mean_span: characters of a span on average, for "t5", at least 1 (Raffel et al. 2020,
            arXiv 1910.10683, section 3.3.4).
        seed: of the draws.
    """

    share: float = 0.15
    mask_share: float = 0.8
    mean_span: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ConfigError(f"share is {self.share}: expected above 0 and below 1")
        if not 0 <= self.mask_share <= 1:
            raise ConfigError(f"mask_share is {self.mask_share}: expected 0 to 1")
        if not self.mean_span >= 1:
            raise ConfigError(f"mean_span is {self.mean_span}: expected at least 1")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}: expected 0 or more")


@dataclass(frozen=True)
class PretrainingOptions(TrainingOptions):
    """How a model is trained: as in `TrainingOptions`, with defaults for a short run.

    Attributes:
        decay_minutes: with `max_minutes`, the learning rate falls along half a cosine in the last
            so many minutes, or as the schedule says if that is less; 0: by the schedule alone.
            How fast a machine is then changes the weights, so they are not the same twice.
    """

    learning_rate: float = 1e-3
    warmup_steps: int = 100
    decay_steps: int = 1000
    max_steps: int = 100_000
    rows_per_batch: int = 80
    ema_decay: float = 0.0
    eval_steps: int = 500
    decay_minutes: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decay_minutes < 0:
            raise ConfigError(f"decay_minutes is {self.decay_minutes}: expected 0 or more")
        if self.decay_minutes > self.max_minutes:
            raise ConfigError(
                f"decay_minutes is {self.decay_minutes} of max_minutes {self.max_minutes}: "
                "expected fewer, and 0 without max_minutes"
            )


@dataclass(frozen=True)
class ValidationOptions:
    """What an evaluation looks at.

    Attributes:
        validation_rows: sentences of the validation split; 0 for none.
    """

    validation_rows: int = 2000

    def __post_init__(self) -> None:
        if self.validation_rows < 0:
            raise ConfigError(f"validation_rows is {self.validation_rows}: expected 0 or more")


def _published_balance() -> BalanceOptions:
    return TrainingConfig().balance


@dataclass(frozen=True)
class PretrainingConfig:
    """All settings of a pretraining run, one section each.

    Attributes:
        model: what is trained.
        vocabulary: which characters have an id.
        lines: how sentences are laid out.
        corruption: what is to be guessed.
        balance: how often rows are seen.
        sampling: in which order.
        training: how the model is trained.
        evaluation: what an evaluation looks at.
    """

    model: ModelOptions = field(default_factory=ModelOptions)
    vocabulary: TextVocabularyOptions = field(default_factory=TextVocabularyOptions)
    lines: LineOptions = field(default_factory=LineOptions)
    corruption: CorruptionOptions = field(default_factory=CorruptionOptions)
    balance: BalanceOptions = field(default_factory=_published_balance)
    sampling: OrderOptions = field(default_factory=OrderOptions)
    training: PretrainingOptions = field(default_factory=PretrainingOptions)
    evaluation: ValidationOptions = field(default_factory=ValidationOptions)

    def __post_init__(self) -> None:
        has_positions = self.model.family != "t5"
        if has_positions and self.lines.length > self.model.max_positions:
            raise ConfigError(
                f"lines.length is {self.lines.length}, model.max_positions "
                f"{self.model.max_positions}: expected a model with a position for each place"
            )

    @property
    def n_validation_rows(self) -> int:
        """Rows of the validation split that evaluations need; 0 without evaluations."""
        return self.evaluation.validation_rows if self.training.eval_steps else 0

    def to_dict(self) -> dict[str, Any]:
        """Return every setting, defaults included, as plain tables."""
        return {part.name: asdict(getattr(self, part.name)) for part in fields(self)}


def read_pretraining_config(
    path: Path | None = None, *, overrides: Sequence[str] = ()
) -> PretrainingConfig:
    """Read the TOML file of a pretraining run.

    >>> config = read_pretraining_config(overrides=["model.family=gpt", "model.n_layers=2"])
    >>> config.model.family, config.model.n_layers, config.lines.length
    ('gpt', 2, 128)

    Args:
        path: the file; None for the defaults.
        overrides: ``section.key=value`` each, the value in TOML: ``training.max_minutes=20``.

    Raises:
        ConfigError: the file cannot be read, or a key or value is not as it must be; names both.
    """
    tables = read_toml(path, overrides=overrides, example="training.max_minutes=20")
    label = "--set" if path is None else path.name
    default = PretrainingConfig()
    check_sections(tables, [part.name for part in fields(PretrainingConfig)], label)
    if "ngram_learning_rate" in tables.get("training", {}):
        raise ConfigError(
            f"{label}: training.ngram_learning_rate is set, but models that are pretrained have no "
            "table of n-grams: remove it"
        )
    balance = default.balance
    if "balance" in tables:  # what is not given is as in the published runs
        base = {name: value for name, value in asdict(balance).items() if value is not None}
        merged = {"balance": {**base, **tables.pop("balance")}}
        balance = build_augmentation_config(merged, label=label).balance
    built = {
        name: build_options(type(getattr(default, name)), table, label=label, key=name)
        for name, table in tables.items()
    }
    try:
        return replace(default, balance=balance, **built)
    except ConfigError as error:
        raise ConfigError(f"{label}: {error}") from error
