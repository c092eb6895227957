"""Say what a session needs of what stands behind it: an engine that converts, and a learner.

Any pair that keeps to these protocols can be put in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from yinzi.converter.candidate import Candidate
from yinzi.session.effects import CommittedPart

__all__ = ["Learner", "SessionEngine"]


class SessionEngine(Protocol):
    """Offers texts for letters.

    The same question must have the same answer until something is learned or forgotten; that is
    what keeps lists from jumping.
    """

    def candidates(self, letters: str, left_context: str) -> Sequence[Candidate]:
        """Return what can be shown at once, the best first.

        Args:
            letters: as typed; `'` is a border, and a blank parts English words from pinyin.
            left_context: the text before them.
        """

    def split(self, letters: str, candidate: Candidate) -> Sequence[int]:
        """Return where the syllables of a candidate end in the letters; rising."""

    def late_question(
        self, letters: str, left_context: str
    ) -> Callable[[], Candidate | None] | None:
        """Return a slower question, which another thread may ask; None if there is none.

        It is asked for only directly after `candidates` with the same arguments. Its answer is the
        best text for all letters.
        """

    def next_words(self, left_context: str, n: int) -> Sequence[Candidate]:
        """Return at most `n` words that may come next; they consume no letters."""

    def drop_work(self) -> None:
        """Keep nothing that was worked out before: what is known has changed."""


class Learner(Protocol):
    """Remembers choices. What it knows changes the engine's answers."""

    def learn(self, parts: Sequence[CommittedPart], left_context: str) -> None:
        """Remember that texts were chosen, one after another, and committed together."""

    def unlearn(self, parts: Sequence[CommittedPart], left_context: str) -> None:
        """Take back the last `learn`, which had the same arguments."""

    def forget(self, part: CommittedPart, left_context: str) -> bool:
        """Never let a text be offered again for its letters, until it is learned anew.

        Returns:
            False if it refuses, as for a hanzi without which texts could not be typed; the session
            then rings the bell, and the candidate stays.
        """
