"""Say in words how far a measure is, by the range that the development sets have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from yinzi_train.shift.measures import MEASURES
from yinzi_train.shift.reference import Reference

__all__ = ["MeasuredValue", "judge", "overall_verdict"]

NEAR: Final = 0.5
FAR: Final = 0.8
_COUNTED: Final = ("homophone_hanzi", "perplexity_hanzi", "unseen_pairs")
"""Measures that the verdict on the whole is made of: those that go best with accuracy."""


@dataclass(frozen=True)
class MeasuredValue:
    """One measure of a text among the sets.

    Attributes:
        name: as in `MEASURES`.
        value: of the text.
        low, median, high: the tenth, half and nine tenths of the sets are below.
        place: share of the sets that are nearer to the training text; of a two-sided measure,
            share of the sets with a smaller value.
        verdict: "near", "usual", "far" or "beyond all sets"; "short" and "long" for runs.
    """

    name: str
    value: float
    low: float
    median: float
    high: float
    place: float
    verdict: str


def judge(values: Mapping[str, float], reference: Reference) -> tuple[MeasuredValue, ...]:
    """Compare every measure of a text with those of the sets."""
    judged = []
    for name, value in values.items():
        of_sets = reference.values(name)
        low, median, high = np.percentile(of_sets, [10, 50, 90]).tolist()
        place = float((of_sets < value).mean())
        if MEASURES[name].is_two_sided:
            verdict = _side(value, low, high)
            is_beyond = value > of_sets.max() or value < of_sets.min()
        else:
            verdict = verdict_of(place)
            is_beyond = value > of_sets.max()
        judged.append(
            MeasuredValue(
                name, value, low, median, high, place, "beyond all sets" if is_beyond else verdict
            )
        )
    return tuple(judged)


def verdict_of(place: float) -> str:
    """Name a place among the sets.

    >>> verdict_of(0.3), verdict_of(0.7), verdict_of(0.95)
    ('near', 'usual', 'far')
    """
    return "near" if place <= NEAR else "usual" if place <= FAR else "far"


def overall_verdict(measures: Sequence[MeasuredValue]) -> str:
    """Return "near", "usual" or "far": by the mean place of the three measures that count."""
    places = [one.place for one in measures if one.name in _COUNTED]
    return verdict_of(sum(places) / len(places))


def _side(value: float, low: float, high: float) -> str:
    return "short" if value < low else "long" if value > high else "usual"
