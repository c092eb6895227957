"""Measure rows before and after, and judge whether an adaptation is worth keeping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from yinzi.converter import Converter
from yinzi.evaluation import PairedComparison, Row, compare_outcomes
from yinzi.evaluation.outcomes import Outcomes, score

__all__ = ["HELD_OUT", "AdaptationReport", "SetComparison", "convert_rows"]

HELD_OUT: Final = "held-out"
"""Name of the user's own rows among the sets."""
_BATCH_LINES: Final = 64


@dataclass(frozen=True)
class SetComparison:
    """One set before and after.

    Attributes:
        name: of the set.
        n_rows: how many.
        before: metrics of the base.
        after: metrics of the adapted artifact.
        paired: rows better and worse, with the sign test (McNemar).
    """

    name: str
    n_rows: int
    before: Mapping[str, float]
    after: Mapping[str, float]
    paired: PairedComparison

    @classmethod
    def of(cls, name: str, before: Outcomes, after: Outcomes) -> SetComparison:
        """Compare two results on the same rows."""
        paired = compare_outcomes(after, before, n_resamples=200)
        return cls(name, len(before), before.metrics(), after.metrics(), paired)

    @property
    def gain(self) -> float:
        """Points of MIU accuracy @1."""
        return 100 * (self.after["miu_accuracy@1"] - self.before["miu_accuracy@1"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return {
            "name": self.name,
            "n_rows": self.n_rows,
            "before": dict(self.before),
            "after": dict(self.after),
            "n_better": self.paired.n_better,
            "n_worse": self.paired.n_worse,
            "p_value": self.paired.p_value,
        }


@dataclass(frozen=True)
class AdaptationReport:
    """What came of an adaptation.

    Attributes:
        held_out: the user's own rows.
        general: general sets; none if none were given.
        figures: counts of sentences, words, n-grams, parameters; seconds; weights chosen.
    """

    held_out: SetComparison
    general: Sequence[SetComparison]
    figures: Mapping[str, Any]

    @property
    def general_loss(self) -> float | None:
        """Points of MIU accuracy @1 lost in the mean of the general sets; None without any."""
        if not self.general:
            return None
        return -sum(one.gain for one in self.general) / len(self.general)

    def objections(self, max_loss: float) -> list[str]:
        """Return what speaks against keeping the artifact; nothing if it is good."""
        found = []
        if self.held_out.gain < 0:
            found.append(
                f"held-out text got worse by {-self.held_out.gain:.2f} points "
                f"({self.held_out.paired.n_better} rows better, "
                f"{self.held_out.paired.n_worse} worse)"
            )
        loss = self.general_loss
        if loss is not None and loss > max_loss:
            found.append(f"the general sets lost {loss:.2f} points, allowed are {max_loss:g}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return {
            "held_out": self.held_out.to_dict(),
            "general": [one.to_dict() for one in self.general],
            "general_loss": self.general_loss,
            **self.figures,
        }


def convert_rows(converter: Converter, rows: Sequence[Row]) -> Outcomes:
    """Convert rows with borders between the syllables and without left context, and score them."""
    found: list[list[str]] = []
    for first in range(0, len(rows), _BATCH_LINES):
        lines = [row.pinyin for row in rows[first : first + _BATCH_LINES]]
        found += [
            [candidate.text for candidate in candidates]
            for candidates in converter.convert_batch(lines)
        ]
    return score(rows, found)
