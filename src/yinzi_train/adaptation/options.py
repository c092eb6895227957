"""Set the options of an adaptation."""

from __future__ import annotations

from dataclasses import dataclass, field

from yinzi.errors import ConfigError
from yinzi_train.adaptation.new_words import NewWordOptions

__all__ = ["AdaptationOptions"]


@dataclass(frozen=True)
class AdaptationOptions:
    """How an artifact is adapted; the defaults are those of docs/adaptation.md."""

    uses_language_model: bool = True
    """Mix a language model of the domain into the base's, over a lexicon with new words."""
    uses_new_words: bool = True
    """Add words of the text that the lexicon lacks."""
    uses_encoder: bool = False
    """Tune the encoder on the text, too: minutes instead of seconds."""
    tune_share: float = 0.1
    """Share of the sentences that weights are fitted on."""
    held_out_share: float = 0.1
    """Share of the sentences that the result is measured on."""
    split_order: str = "random"
    """"random", or "order" to hold out the end of the text."""
    general_weights: tuple[float, ...] = (1.0, 3.0, 10.0, 20.0)
    """What general text counts beside that of the domain when the mixture is fitted; the one that
    gives most in the domain within the loss allowed is taken."""
    encoder_shares: tuple[float, ...] = (0.85, 0.7)
    """Shares of the encoder's weight that are tried, too."""
    max_loss: float = 0.5
    """Points of MIU accuracy @1 that the general sets may lose on average."""
    max_rows: int = 1_500
    """General rows that are converted for each choice of weights, and in the report."""
    seed: int = 0
    """Of the split."""
    new_words: NewWordOptions = field(default_factory=NewWordOptions)
    """What counts as a new word."""
    learning_rate: float = 3e-3
    """Of the encoder; a tenth of it where no general rows are replayed."""
    max_epochs: int = 2
    """Of the encoder."""
    replay_share: float = 0.3
    """Share of general rows in a batch of the encoder, where there is a dataset."""

    def __post_init__(self) -> None:
        if not 0 <= self.max_loss <= 100:
            raise ConfigError(f"max_loss is {self.max_loss}: expected 0 to 100 points")
        if self.max_rows < 10:
            raise ConfigError(f"max_rows is {self.max_rows}: expected at least 10")
        if not (self.uses_language_model or self.uses_encoder):
            raise ConfigError(
                "neither the language model nor the encoder is to be adapted: leave out "
                "--no-language-model, or pass --encoder"
            )
