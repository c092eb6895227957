"""Keep the list of candidates: what is shown for an input, and what may change in it.

The same input shows the same list again on the way to a commit, late results included. That, and
the late policy, is what keeps candidates from jumping.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from yinzi.converter.candidate import Candidate
from yinzi.session.engine import SessionEngine
from yinzi.session.settings import SessionSettings
from yinzi.session.state import NOTHING, SessionState, Shown

__all__ = ["CandidateLists", "LateQuestion"]


class LateQuestion(NamedTuple):
    """A question that takes longer than a key may.

    Attributes:
        letters: the input it is about.
        left_context: the text before it.
        ask: gives the answer; another thread may call it.
    """

    letters: str
    left_context: str
    ask: Callable[[], Candidate | None]


@dataclass(frozen=True)
class CandidateLists:
    """Fill the lists of states.

    Attributes:
        engine: offers texts for letters.
        settings: how a session answers.
    """

    engine: SessionEngine
    settings: SessionSettings

    def asked(self, state: SessionState) -> SessionState:
        """Return the state with the candidates for its letters; what was seen is seen again."""
        if not state.letters:
            return replace(state, shown=NOTHING, highlight=0, has_moved=False)
        shown = state.seen.get((state.rest_context, state.letters))
        if shown is None:
            candidates = tuple(self.engine.candidates(state.letters, state.rest_context))
            shown = Shown(candidates, self.splits(state.letters, candidates))
        return self._showing(replace(state, highlight=0, has_moved=False), shown)

    def _showing(self, state: SessionState, shown: Shown) -> SessionState:
        seen = {**state.seen, (state.rest_context, state.letters): shown}
        return replace(state, shown=shown, seen=MappingProxyType(seen), is_suggesting=False)

    def splits(self, letters: str, candidates: tuple[Candidate, ...]) -> tuple[int, ...]:
        """Return where the syllables of the first candidate end; none without one."""
        return tuple(self.engine.split(letters, candidates[0])) if candidates else ()

    def suggesting(self, state: SessionState) -> SessionState:
        """Return the state with next words, where there are some and they are wanted."""
        n = min(self.settings.n_suggestions, self.settings.page_size)
        if n == 0 or self.settings.is_private:
            return state
        found = tuple(self.engine.next_words(state.left_context, n))
        return replace(state, shown=Shown(found, ()), is_suggesting=bool(found))

    def late_question(self, state: SessionState) -> LateQuestion | None:
        """Return what is still to be asked about the input; None if nothing may change."""
        is_open = state.letters and not state.is_english and not state.has_moved
        if not is_open or state.shown.has_late or self.settings.late_policy is None:
            return None
        ask = self.engine.late_question(state.letters, state.rest_context)
        return None if ask is None else LateQuestion(state.letters, state.rest_context, ask)

    def accept_late(
        self, state: SessionState, question: LateQuestion, answer: Candidate | None
    ) -> SessionState:
        """Return the state with an answer let in, as the late policy says.

        The state stays as it is if the input is another one by now, the highlight has moved, or
        the question was answered before.
        """
        policy = self.settings.late_policy
        is_stale = (question.letters, question.left_context) != (state.letters, state.rest_context)
        if policy is None or is_stale or state.has_moved or state.shown.has_late:
            return state
        if not state.letters or state.is_english:
            return state
        candidates = state.candidates
        if answer is not None:
            merged = policy.merge(candidates, answer, limit=max(len(candidates), 100))
            candidates = tuple(merged)
        shown = state.shown._replace(candidates=candidates, has_late=True)
        return self._showing(state, shown)

    def refreshed(self, state: SessionState) -> SessionState:
        """Return the state with its candidates asked for anew, as after a change of engine."""
        if state.is_suggesting or state.is_english:
            return state
        return self.asked(replace(state, seen=MappingProxyType({})))
