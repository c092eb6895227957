"""Bring a late result into a list that a typist is looking at, without letting it jump about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yinzi.converter.candidate import Candidate
from yinzi.errors import ConfigError

__all__ = ["LatePolicy"]


@dataclass(frozen=True)
class LatePolicy:
    """Where a result may go that comes after the list was shown.

    Attributes:
        slot: index in the list, at least 0. The default is the second place: the first candidate,
            which a blank commits, never changes under the finger.
    """

    slot: int = 1

    def __post_init__(self) -> None:
        if self.slot < 0:
            raise ConfigError(f"late_policy.slot is {self.slot}: expected at least 0")

    def merge(self, shown: Sequence[Candidate], late: Candidate, *, limit: int) -> list[Candidate]:
        """Return the list with one candidate added or lifted; all others keep their order.

        A candidate that stands at the slot or before it stays. A list that is full loses its last
        candidate when one is added.

        >>> a, b, c = (Candidate(text, 0.0, 0, 2, "sentence", ()) for text in "甲乙丙")
        >>> "".join(one.text for one in LatePolicy().merge([a, b], c, limit=9))
        '甲丙乙'

        Args:
            shown: what the typist sees.
            late: the text that a neural model prefers.
            limit: candidates at most.
        """
        place = next((i for i, one in enumerate(shown) if one.text == late.text), None)
        if place is not None and place <= self.slot:
            return list(shown)
        if place is not None:
            late = shown[place]
        others = [one for one in shown if one.text != late.text]
        return [*others[: self.slot], late, *others[self.slot :]][:limit]
