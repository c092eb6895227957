"""Learn from what is committed, with the words of a lexicon: what an input session calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yinzi.user.learning import Cut
from yinzi.user.lexicon import UserLexicon
from yinzi.user.records import CommittedPart

__all__ = ["Learner"]


@dataclass(frozen=True)
class Learner:
    """Store what a user commits and forgets.

    Attributes:
        user: where it is stored.
        cut: cuts hanzi into words.
    """

    user: UserLexicon
    cut: Cut

    def learn(self, words: Sequence[CommittedPart], left_context: str = "") -> None:
        """Learn from one input that was committed; see `UserLexicon.learn`."""
        self.user.learn(words, left_context, cut=self.cut)

    def unlearn(self) -> bool:
        """Take back the last `learn`; False if there is none."""
        return self.user.unlearn()

    def forget(self, text: str, syllables: Sequence[str]) -> None:
        """Never offer a word again in this reading."""
        self.user.forget(text, syllables)
