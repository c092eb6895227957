"""Say which syllables a mistyped stretch of letters can stand for, and how likely the slip is.

One slip a syllable. Two small tables hold what is assumed: `keyboard.tsv` where the keys are (in
key widths), `typing_errors.tsv` how slips divide into kinds. Logprobs are natural.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from yinzi.errors import ConfigError
from yinzi.pinyin.inventory import INTERJECTIONS, SYLLABLES

__all__ = ["LONGEST_TYPED", "ErrorModel", "corrections", "extra_letter_logprob", "full_syllable"]

LONGEST_TYPED: Final = max(map(len, SYLLABLES)) + 1
"""Letters of the longest syllable with one letter too many."""

_MAX_DISTANCE: Final = 1.3  # key widths between neighbours
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class ErrorModel:
    """How often what goes wrong.

    Attributes:
        key_error: probability that a key goes wrong, above 0 and below 1.
        distance_weight: how much rarer a neighbour one key width farther away is hit, natural log
            ≥ 0.

    Raises:
        ConfigError: a value is out of range.
    """

    key_error: float = 0.006
    distance_weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.key_error < 1:
            raise ConfigError(f"error model: key_error is {self.key_error!r}: expected 0 to 1")
        if not 0 <= self.distance_weight < math.inf:
            raise ConfigError(
                f"error model: distance_weight is {self.distance_weight!r}: expected at least 0"
            )

    def kind_logprob(self, kind: str) -> float:
        """Return the logprob that a key goes wrong in one way, a kind of `typing_errors.tsv`."""
        return math.log(self.key_error * _shares()[kind])


@lru_cache(maxsize=1)
def _shares() -> Mapping[str, float]:
    path = Path(__file__).with_name("typing_errors.tsv")
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    return {kind: float(share) for kind, share, _ in rows}


@lru_cache(maxsize=8)
def neighbours(model: ErrorModel) -> Mapping[str, Mapping[str, float]]:
    """Return for each key its neighbours with the share of slips that hit them.

    >>> sorted(neighbours(ErrorModel())["p"])
    ['l', 'o']
    """
    path = Path(__file__).with_name("keyboard.tsv")
    places: dict[str, tuple[float, float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        row, left, keys = line.split("\t")
        places |= {key: (float(row), float(left) + index) for index, key in enumerate(keys)}
    found: dict[str, dict[str, float]] = {}
    for key, place in places.items():
        weights = {
            other: math.exp(-model.distance_weight * distance)
            for other, position in places.items()
            if 0 < (distance := math.dist(place, position)) <= _MAX_DISTANCE
        }
        total = sum(weights.values())
        found[key] = {other: weight / total for other, weight in weights.items()}
    return found


def _read_full() -> dict[str, int]:
    """Return the spellings of syllables with a vowel, which alone are corrected to."""
    full = {one: index for index, one in enumerate(SYLLABLES) if one not in INTERJECTIONS}
    return full | {"lue": full["lve"], "nue": full["nve"]}


_FULL: Final = _read_full()


def full_syllable(letters: str) -> int:
    """Return the id of the syllable with a vowel that letters spell, -1 for none."""
    return _FULL.get(letters, -1)


@lru_cache(maxsize=1)
def _with_a_letter_less() -> Mapping[str, tuple[int, ...]]:
    """Return what remains of syllables with one letter left out, and which they can be."""
    found: dict[str, set[int]] = {}
    for letters, syllable in _FULL.items():
        for at in range(len(letters)):
            found.setdefault(letters[:at] + letters[at + 1 :], set()).add(syllable)
    return {letters: tuple(sorted(ids)) for letters, ids in found.items() if letters}


def extra_letter_logprob(model: ErrorModel, letter: str, before: str, after: str) -> float:
    """Return the logprob that a letter slipped in between two others; "" for none."""
    if letter in (before, after):
        return model.kind_logprob("double")
    stray = math.exp(model.kind_logprob("stray")) / len(_LETTERS)
    slip = math.exp(model.kind_logprob("slip"))
    near = neighbours(model)
    hit = sum(near[one].get(letter, 0.0) for one in (before, after) if one in near) / 2
    return math.log(stray + slip * hit)


@lru_cache(maxsize=1 << 15)
def corrections(letters: str, model: ErrorModel) -> tuple[tuple[int, float], ...]:
    """Return the syllables that letters stand for if one slip happened inside, with its logprob.

    Letters that slipped in before the first or behind the last letter are not among them, as they
    can as well belong to the neighbour: see `extra_letter_logprob`.

    >>> [SYLLABLES[syllable] for syllable, _ in corrections("zhogn", ErrorModel())]
    ['zhong']
    """
    found: dict[int, float] = {}

    def add(syllable: int, logprob: float) -> None:
        if logprob > found.get(syllable, -math.inf):
            found[syllable] = logprob

    swap, neighbour = model.kind_logprob("swap"), model.kind_logprob("neighbour")
    near = neighbours(model)
    for at, letter in enumerate(letters):
        head, tail = letters[:at], letters[at + 1 :]
        if tail and tail[0] != letter:
            syllable = _FULL.get(head + tail[0] + letter + tail[1:], -1)
            if syllable >= 0:
                add(syllable, swap)
        if head and tail:
            syllable = _FULL.get(head + tail, -1)
            if syllable >= 0:
                add(syllable, extra_letter_logprob(model, letter, head[-1], tail[0]))
        if len(letters) > 1:
            for meant in near.get(letter, ()):
                syllable = _FULL.get(head + meant + tail, -1)
                if syllable >= 0:
                    add(syllable, neighbour + math.log(near[meant][letter]))
    for syllable in _with_a_letter_less().get(letters, ()):
        add(syllable, model.kind_logprob("omission"))
    own = _FULL.get(letters, -1)
    found.pop(own, None)
    return tuple(sorted(found.items()))
