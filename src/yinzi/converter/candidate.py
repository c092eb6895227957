"""Hold what is offered for an input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from yinzi.decoding import Decoding
from yinzi.errors import ConfigError

__all__ = ["Candidate", "check_count", "sentence_candidates"]


@dataclass(frozen=True)
class Candidate:
    """A text offered for an input.

    Attributes:
        text: hanzi, with whatever passed through in its place.
        logprob: natural log, penalties included; comparable among candidates of one input.
        start: first character of the input that it consumes.
        end: character behind the last one.
        kind: "sentence" for the whole input, "word" for its first letters.
        syllables: how its hanzi are read, toneless; text that passed through is one item.
    """

    text: str
    logprob: float
    start: int
    end: int
    kind: Literal["sentence", "word"]
    syllables: tuple[str, ...]


def sentence_candidates(decoding: Decoding, line: int, n_best: int) -> list[Candidate]:
    """Return the likeliest texts for a whole line as candidates, the best first."""
    graph = decoding.graphs[line]
    return [
        Candidate(
            hypothesis.text,
            hypothesis.logprob,
            graph.start,
            graph.n,
            "sentence",
            hypothesis.syllables,
        )
        for hypothesis in decoding.hypotheses(line, n_best)
    ]


def check_count(name: str, value: int) -> None:
    """Check that a number of candidates is at least 1.

    Raises:
        ConfigError: it is below; it names the argument.
    """
    if value < 1:
        raise ConfigError(f"{name} is {value}: expected at least 1")
