"""Hold all that a session knows between two keys, and what of it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from yinzi.converter.candidate import Candidate

if TYPE_CHECKING:
    from yinzi.session.effects import CommittedPart, Learn

__all__ = ["NOTHING", "Mode", "Preedit", "Selection", "SessionState", "Shown"]


class Mode(Enum):
    """What letters are taken for."""

    CHINESE = "chinese"
    ENGLISH = "english"


@dataclass(frozen=True)
class Selection:
    """A part of the input for which a text has been chosen.

    Attributes:
        part: the text and what was typed for it.
        letters: the letters that come back if it is undone.
        rest: the letters that were left when it was chosen.
    """

    part: CommittedPart
    letters: str
    rest: str


class Shown(NamedTuple):
    """A list that was shown for an input; the same input shows it again.

    Attributes:
        candidates: in the order shown.
        splits: ends of the syllables of the first one.
        has_late: a late result has been let in.
    """

    candidates: tuple[Candidate, ...]
    splits: tuple[int, ...]
    has_late: bool = False


NOTHING: Final = Shown((), ())
"""The list of an input without letters."""


class Preedit(NamedTuple):
    """The input as it is shown.

    Attributes:
        text: chosen hanzi, then the letters with blanks between syllables.
        cursor: where the cursor stands in the text.
        n_selected: characters of the text that are chosen hanzi.
    """

    text: str
    cursor: int
    n_selected: int


@dataclass(frozen=True)
class SessionState:
    """One moment of a session. Nothing changes in it; a key gives a new one.

    Attributes:
        mode: Chinese or English.
        left_context: the text before the input.
        selections: parts of the input for which a text has been chosen.
        letters: the input behind them; a blank in it parts English from pinyin.
        cursor: place in `letters`, 0 to their number.
        is_english: the input is an English word, begun with an upper-case letter.
        shown: candidates for `letters`, or suggestions.
        is_suggesting: the candidates are next words after a commit.
        highlight: index of the highlighted candidate.
        has_moved: the highlight has been moved or a page turned: the list must not change.
        seen: lists shown for the inputs on the way here, by left context and letters.
        last_commit: what was learned by the last key, which Backspace takes back.
        open_quotes: keys of quotes that are open.
    """

    mode: Mode = Mode.CHINESE
    left_context: str = ""
    selections: tuple[Selection, ...] = ()
    letters: str = ""
    cursor: int = 0
    is_english: bool = False
    shown: Shown = NOTHING
    is_suggesting: bool = False
    highlight: int = 0
    has_moved: bool = False
    seen: Mapping[tuple[str, str], Shown] = field(default_factory=lambda: MappingProxyType({}))
    last_commit: Learn | None = None
    open_quotes: frozenset[str] = frozenset()

    @property
    def is_composing(self) -> bool:
        """Whether there is an input that is not committed."""
        return bool(self.letters or self.selections)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All candidates, those of other pages too."""
        return self.shown.candidates

    @property
    def selected_text(self) -> str:
        """Hanzi chosen for the first letters of the input."""
        return "".join(selection.part.text for selection in self.selections)

    @property
    def rest_context(self) -> str:
        """The text before the letters that are left: left context and chosen hanzi."""
        return self.left_context + self.selected_text

    @property
    def borders(self) -> tuple[int, ...]:
        """Places in the letters where a syllable starts or ends, both ends of them included."""
        inner = (end for end in self.shown.splits if 0 < end < len(self.letters))
        return (0, *inner, len(self.letters)) if self.letters else (0,)

    @property
    def preedit(self) -> Preedit:
        """The input as it is shown, with a blank between syllables.

        >>> SessionState(letters="nihao", cursor=5, shown=Shown((), (2, 5))).preedit.text
        'ni hao'
        """
        text = self.selected_text
        n_selected = len(text)
        cursor = n_selected
        borders = self.borders
        for start, end in pairwise(borders):
            piece = self.letters[start:end]
            if start and not text.endswith((" ", "'")) and piece[0] not in " '":
                text += " "
            if start < self.cursor <= end:
                cursor = len(text) + self.cursor - start
            text += piece
        return Preedit(text, cursor, n_selected)
