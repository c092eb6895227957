"""Say how much a user's words and choices count beside the language model."""

from __future__ import annotations

from dataclasses import dataclass, fields

from yinzi.errors import ConfigError

__all__ = ["UserOptions"]


@dataclass(frozen=True)
class UserOptions:
    """How a user lexicon takes part; see docs/user-lexicon.md.

    Attributes:
        word_share: what a user's own frequency of a word counts beside the language model's
            probability, above 0.
        word_prior: commits that the user's frequencies are taken to stand on besides the real
            ones, above 0: many make the first commits count less.
        choice_share: the same as `word_share` for a word after the one before it, at least 0.
        choice_prior: the same as `word_prior`, for commits after one word, above 0.
        commit_logprob: natural log, what one commit can lift a word by at most, above 0; two
            commits twice as much, and so on.
        max_logprob: natural log, what any use can lift a word by at most, above 0.
        known_logprob: natural log; a word that was added, imported or put together counts as at
            least so likely before its use is counted, like a rare word of the lexicon.
        neutral_logprob: natural log that a neural model is taken to give each hanzi of a word that
            the lexicon does not have, at least.
        max_words: user's words kept between two positions for abbreviated input, at least 1.
    """

    word_share: float = 0.1
    word_prior: float = 1000.0
    choice_share: float = 0.4
    choice_prior: float = 10.0
    commit_logprob: float = 1.0
    max_logprob: float = 8.0
    known_logprob: float = -14.0
    neutral_logprob: float = -6.0
    max_words: int = 16

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name == "choice_share":
                is_legal, expected = value >= 0, "at least 0"
            elif option.name in ("known_logprob", "neutral_logprob"):
                is_legal, expected = value <= 0, "at most 0"
            elif option.name == "max_words":
                is_legal, expected = value >= 1, "at least 1"
            else:
                is_legal, expected = value > 0, "above 0"
            if not is_legal:
                raise ConfigError(f"user.{option.name} is {value}: expected {expected}")
