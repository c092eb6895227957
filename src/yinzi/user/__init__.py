"""Remember a user's own words and choices, in one file on this machine."""

from __future__ import annotations

from yinzi.user.lexicon import UserLexicon
from yinzi.user.location import user_lexicon_path
from yinzi.user.records import CommittedPart, UserWord, WordSource

__all__ = ["CommittedPart", "UserLexicon", "UserWord", "WordSource", "user_lexicon_path"]
