"""Make typing errors on a QWERTY keyboard: neighbour key, swap, omission, doubling, insertion.

A syllable gets one error at most, with the probability that one of its letters has one. The
letters of other syllables are not touched, so every error can be told by its place. Keys are those
of `qwerty.tsv`, in units of one key; two keys are neighbours if they are at most `REACH` apart.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from yinzi.errors import ConfigError
from yinzi_train.dataset.augmentation_draws import Purpose, check_rate, pick, uniforms
from yinzi_train.dataset.augmentation_rows import TypedRows, WrongLetters

__all__ = [
    "ERROR_KINDS",
    "TypingErrorOptions",
    "apply_typing_errors",
    "key_neighbours",
    "wrong_spelling",
]

ERROR_KINDS: Final = ("neighbour", "swap", "omission", "doubling", "insertion")
"""What can go wrong: another key, two letters exchanged, one left out, one twice, one too many."""

REACH: Final = 1.3
"""Distance of neighbours: the keys beside a key, and those it touches in other rows."""


@dataclass(frozen=True)
class TypingErrorOptions:
    """How often a letter is typed wrong.

    Attributes:
        rate: errors a letter, 0 to 0.2.
        shares: weight ≥ 0 of each kind in `ERROR_KINDS`. What cannot happen to a syllable (omission
            and swap need two letters, swap two different ones) becomes `neighbour`.
    """

    rate: float = 0.005
    shares: Mapping[str, float] = field(
        default_factory=lambda: {
            "neighbour": 0.4,
            "swap": 0.15,
            "omission": 0.2,
            "doubling": 0.1,
            "insertion": 0.15,
        }
    )

    def __post_init__(self) -> None:
        check_rate("typing_errors.rate", self.rate, upper=0.2)
        for kind, share in self.shares.items():
            if kind not in ERROR_KINDS:
                raise ConfigError(
                    f"unknown key typing_errors.shares.{kind}: expected {', '.join(ERROR_KINDS)}"
                )
            check_rate(f"typing_errors.shares.{kind}", share, upper=1e6)
        if self.rate and not any(self.shares.values()):
            raise ConfigError(
                "typing_errors.shares gives no kind a weight above 0: "
                "add one, or set typing_errors.rate 0"
            )


@lru_cache(maxsize=1)
def key_neighbours() -> dict[str, str]:
    """Return the neighbours of each key, nearest first, then in the order of the alphabet.

    >>> key_neighbours()["s"], key_neighbours()["p"]
    ('adwxze', 'ol')
    """
    with Path(__file__).with_name("qwerty.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    places = {row["key"]: complex(float(row["x"]), float(row["y"])) for row in rows}
    near = {
        key: sorted((abs(place - other), name) for name, other in places.items() if name != key)
        for key, place in places.items()
    }
    return {
        key: "".join(name for distance, name in others if distance <= REACH)
        for key, others in near.items()
    }


def wrong_spelling(letters: str, kind: str, *, letter: float, key: float) -> WrongLetters | None:
    """Make one typing error in some letters.

    Args:
        letters: what was to be typed.
        kind: of `ERROR_KINDS`; `neighbour` takes its place where it cannot happen.
        letter: number in [0, 1) that says which letter.
        key: number in [0, 1) that says which other key, and before or behind the letter.

    Returns:
        The error made; None where no letter is on the keyboard.

    >>> wrong_spelling("zhong", "swap", letter=0.9, key=0.0)
    WrongLetters(kind='swap', before='zhong', after='zhogn')
    >>> wrong_spelling("wo", "omission", letter=0.0, key=0.0).after
    'o'
    """
    neighbours = key_neighbours()
    if any(char not in neighbours for char in letters):
        return None
    if kind == "swap":
        pairs = [i for i in range(len(letters) - 1) if letters[i] != letters[i + 1]]
        if pairs:
            at = pairs[int(letter * len(pairs))]
            after = f"{letters[:at]}{letters[at + 1]}{letters[at]}{letters[at + 2 :]}"
            return WrongLetters(kind, letters, after)
    if kind == "omission" and len(letters) > 1:
        at = int(letter * len(letters))
        return WrongLetters(kind, letters, letters[:at] + letters[at + 1 :])
    at = int(letter * len(letters))
    if kind == "doubling":
        return WrongLetters(kind, letters, letters[: at + 1] + letters[at:])
    near = neighbours[letters[at]]
    place = key * len(near)
    other = near[int(place)]
    if kind == "insertion":
        at += place % 1 >= 0.5
        return WrongLetters(kind, letters, letters[:at] + other + letters[at:])
    return WrongLetters("neighbour", letters, letters[:at] + other + letters[at + 1 :])


def apply_typing_errors(rows: TypedRows, options: TypingErrorOptions) -> TypedRows:
    """Make typing errors in the letters as they are typed so far, so run it after the others."""
    if not options.rate:
        return rows
    by_letters = 1.0 - (1.0 - options.rate) ** np.arange(int(rows.n_letters.max(initial=0)) + 1)
    keys = rows.keys[rows.row_of]
    draws = uniforms(keys, Purpose.TYPING_ERROR, rows.positions)
    places = np.flatnonzero(draws < by_letters[rows.n_letters])
    keys, positions = keys[places], rows.positions[places]
    weights = [options.shares.get(kind, 0.0) for kind in ERROR_KINDS]
    kinds = pick(uniforms(keys, Purpose.TYPING_KIND, positions), weights).tolist()
    letter = uniforms(keys, Purpose.TYPING_LETTER, positions).tolist()
    key = uniforms(keys, Purpose.TYPING_KEY, positions).tolist()
    wrong = dict(rows.wrong_letters)
    for number, place in enumerate(places.tolist()):
        made = wrong_spelling(
            rows.letters(place), ERROR_KINDS[kinds[number]], letter=letter[number], key=key[number]
        )
        if made is not None and place not in rows.wrong_letters:
            wrong[place] = made
    return replace(rows, wrong_letters=wrong)
