"""Say how a neural model takes part in the search."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from yinzi.errors import ConfigError

__all__ = ["FusionOptions"]


@dataclass(frozen=True)
class FusionOptions:
    """How a neural model takes part.

    Attributes:
        max_paths: paths through a graph that the model is asked about, at least 1.
        path_beam_width: width of the search that proposes paths, at least 1.
        unknown_logprob: natural log for a hanzi that the model does not know.
        whole_margin: a syllable is never meant as several (`hao` as `ha o`) if the likeliest word
            of one hanzi is so much likelier, natural log, than the likeliest of several; at least
            0.
        abbreviated_factor: what the scores of a place that is no full syllable count, against those
            of one that is, 0 to 1: the model chooses among hundreds of hanzi there.
        unfinished_beam_width: width of the search for lines that end in an initial or an incomplete
            syllable, at least 1.
        abbreviated_beam_width: width for lines that have such before their end, too, at least 1.
        hanzi_logprobs: what is added to the score of these hanzi, natural log: people type them
            more, or less, often than the text has them that the model was trained on.
        max_margin: of the words between two positions those are left out that are less likely than
            the best by more than this, natural log, by what the model says with its weight, the
            language model without context, and penalties; above 0.
    """

    max_paths: int = 4
    path_beam_width: int = 6
    unknown_logprob: float = -14.0
    whole_margin: float = 4.0
    abbreviated_factor: float = 0.4
    unfinished_beam_width: int = 20
    abbreviated_beam_width: int = 60
    hanzi_logprobs: Mapping[str, float] = field(default_factory=dict)
    max_margin: float = 8.0

    def __post_init__(self) -> None:
        for name in (
            "max_paths",
            "path_beam_width",
            "unfinished_beam_width",
            "abbreviated_beam_width",
        ):
            if getattr(self, name) < 1:
                raise ConfigError(f"fusion.{name} is {getattr(self, name)}: expected at least 1")
        if not 0 <= self.abbreviated_factor <= 1:
            raise ConfigError(
                f"fusion.abbreviated_factor is {self.abbreviated_factor}: expected 0 to 1"
            )
        if not self.max_margin > 0:
            raise ConfigError(f"fusion.max_margin is {self.max_margin}: expected above 0")
        if not isinstance(self.hanzi_logprobs, Mapping):
            raise ConfigError(
                f"fusion.hanzi_logprobs is {self.hanzi_logprobs!r}: expected numbers by hanzi"
            )
        for hanzi, logprob in self.hanzi_logprobs.items():
            if len(hanzi) != 1 or not math.isfinite(logprob):
                raise ConfigError(
                    f"fusion.hanzi_logprobs has {hanzi!r}: {logprob!r}: expected one hanzi and a "
                    "finite number"
                )
