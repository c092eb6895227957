"""Let a session learn into a user lexicon."""

from __future__ import annotations

from collections.abc import Sequence

from yinzi.converter import Converter
from yinzi.errors import ConfigError, UserLexiconError
from yinzi.session.effects import CommittedPart
from yinzi.user.records import CommittedPart as UserPart

__all__ = ["UserLearner"]


class UserLearner:
    """A `Learner` that stores choices in the user lexicon of a converter.

    The converter, and all that are made of it by `with_scheme`, follow what is learned.

    Raises:
        ConfigError: the converter has no user lexicon; see `Converter.with_user`.
    """

    def __init__(self, converter: Converter) -> None:
        if converter.learner is None:
            raise ConfigError("this converter has no user lexicon: give it one with with_user()")
        self._learner = converter.learner

    def learn(self, parts: Sequence[CommittedPart], left_context: str) -> None:
        """Remember that texts were chosen, one after another, and committed together."""
        given = [UserPart(part.text, part.syllables, part.was_first_candidate) for part in parts]
        self._learner.learn(given, left_context)

    def unlearn(self, parts: Sequence[CommittedPart], left_context: str) -> None:
        """Take back the last `learn`."""
        self._learner.unlearn()

    def forget(self, part: CommittedPart, left_context: str) -> bool:
        """Never offer a text again in this reading; False for what must stay or is no word."""
        if len(part.text) == 1 or len(part.syllables) != len(part.text):
            return False
        try:
            self._learner.forget(part.text, part.syllables)
        except UserLexiconError:
            return False
        return True
