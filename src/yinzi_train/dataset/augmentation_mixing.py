"""Type English words and numbers between hanzi, as in `wo yao mai 3 ge app`.

They are literals: they pass through a converter unchanged, so the hanzi of the row stay what they
are, and what stands around a word has to be converted all the same. Words are those of
`mixed_words.tsv`, English that is common in Chinese messages, with weights.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from yinzi_train.dataset.augmentation_draws import Purpose, check_rate, pick, uniforms
from yinzi_train.dataset.augmentation_rows import TypedRows

__all__ = ["MixingOptions", "apply_mixing", "mixed_words"]

_MAX_DIGITS = 4


@dataclass(frozen=True)
class MixingOptions:
    """How often something else than pinyin is typed in between.

    Attributes:
        word_rate: share of rows with one English word more, 0 to 1.
        number_rate: share of rows with one number of 1 to 4 digits more, 0 to 1.
    """

    word_rate: float = 0.02
    number_rate: float = 0.02

    def __post_init__(self) -> None:
        check_rate("mixing.word_rate", self.word_rate)
        check_rate("mixing.number_rate", self.number_rate)


@lru_cache(maxsize=1)
def mixed_words() -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the words, and the weight of each.

    >>> words, weights = mixed_words()
    >>> words[0], len(words) == len(weights)
    ('ok', True)
    """
    with Path(__file__).with_name("mixed_words.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return tuple(row["word"] for row in rows), tuple(float(row["weight"]) for row in rows)


def apply_mixing(rows: TypedRows, options: MixingOptions) -> TypedRows:
    """Put words and numbers before hanzi or at the ends of rows; a place takes one at most."""
    literals, last_literals = dict(rows.literals), dict(rows.last_literals)
    lengths = np.diff(rows.row_start)

    def insert(row: int, at: float, literal: str) -> None:
        position = int(at * (lengths[row] + 1))
        if position == lengths[row]:
            last_literals.setdefault(row, literal)
        else:
            literals.setdefault(int(rows.row_start[row]) + position, literal)

    if options.word_rate:
        chosen = np.flatnonzero(uniforms(rows.keys, Purpose.WORD_ROW) < options.word_rate)
        keys = rows.keys[chosen]
        words, weights = mixed_words()
        indices = pick(uniforms(keys, Purpose.WORD_CHOICE), weights)
        places = uniforms(keys, Purpose.WORD_PLACE)
        for row, index, at in zip(chosen.tolist(), indices.tolist(), places, strict=True):
            insert(row, at, words[index])
    if options.number_rate:
        chosen = np.flatnonzero(uniforms(rows.keys, Purpose.NUMBER_ROW) < options.number_rate)
        keys = rows.keys[chosen]
        choices = uniforms(keys, Purpose.NUMBER_CHOICE)
        places = uniforms(keys, Purpose.NUMBER_PLACE)
        for row, choice, at in zip(chosen.tolist(), choices.tolist(), places, strict=True):
            insert(row, at, _number(choice))
    return replace(rows, literals=literals, last_literals=last_literals)


def _number(draw: float) -> str:
    """Turn a draw into a number; each number of digits is as likely as any other."""
    n_digits, rest = divmod(draw * _MAX_DIGITS, 1.0)
    lowest = 10 ** int(n_digits)
    return str(lowest + int(rest * 9 * lowest))
