"""Say what a key press leads to outside the session."""

from __future__ import annotations

from dataclasses import dataclass

from yinzi.session.state import Mode

__all__ = [
    "Bell",
    "Commit",
    "CommittedPart",
    "Effect",
    "Forget",
    "Learn",
    "ModeChange",
    "Unlearn",
]


@dataclass(frozen=True)
class CommittedPart:
    """A text that was chosen for letters, as a learner is told of it.

    Attributes:
        text: hanzi, with whatever passed through in its place.
        syllables: how they are read, toneless; text that passed through is one item.
        letters: what was typed for it; empty for a suggestion.
        was_first_candidate: it stood first, so the choice says little.
    """

    text: str
    syllables: tuple[str, ...]
    letters: str
    was_first_candidate: bool


@dataclass(frozen=True)
class Commit:
    """Write a text into the application."""

    text: str


@dataclass(frozen=True)
class Learn:
    """Parts were chosen one after another, behind a left context."""

    parts: tuple[CommittedPart, ...]
    left_context: str


@dataclass(frozen=True)
class Unlearn:
    """Take back what the last `Learn` of the same content did."""

    parts: tuple[CommittedPart, ...]
    left_context: str


@dataclass(frozen=True)
class Forget:
    """Never offer a text again for its letters, until it is learned anew."""

    part: CommittedPart
    left_context: str


@dataclass(frozen=True)
class Bell:
    """A key of the session has nothing to do now."""


@dataclass(frozen=True)
class ModeChange:
    """Chinese or English was switched to."""

    mode: Mode


Effect = Commit | Learn | Unlearn | Forget | Bell | ModeChange
