"""Hold a session's state, and carry out what it learns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from yinzi.converter.candidate import Candidate
from yinzi.session.effects import Bell, Commit, Effect, Forget, Learn, Unlearn
from yinzi.session.engine import Learner, SessionEngine
from yinzi.session.keys import Key
from yinzi.session.lists import LateQuestion
from yinzi.session.machine import SessionMachine, Step
from yinzi.session.settings import SessionSettings
from yinzi.session.state import Mode, Preedit, SessionState

__all__ = ["Outcome", "Session"]


class Outcome(NamedTuple):
    """What a key led to.

    Attributes:
        is_handled: the key was for the session; if not, the application gets it after the effects.
        effects: in order; what is to be learned has been learned already.
    """

    is_handled: bool
    effects: tuple[Effect, ...]

    @property
    def committed(self) -> str:
        """The text to write, empty if there is none."""
        return "".join(effect.text for effect in self.effects if isinstance(effect, Commit))


class Session:
    """One place where someone types.

    Not safe from many threads; only `LateQuestion.ask` may run in another one.

    Attributes:
        state: the present moment; keep it and set it again to go back.

    >>> import yinzi
    >>> from yinzi.session import ConverterEngine
    >>> session = Session(ConverterEngine(yinzi.load()))
    >>> session.type("nihao").committed, session.preedit.text
    ('', 'ni hao')
    >>> session.press("space").committed
    '你好'
    """

    def __init__(
        self,
        engine: SessionEngine,
        *,
        settings: SessionSettings | None = None,
        learner: Learner | None = None,
    ) -> None:
        self._learner = learner
        self._machine = SessionMachine(engine, settings or SessionSettings(), learner is not None)
        self.state = SessionState()

    def press(self, key: Key | str) -> Outcome:
        """Answer one key, given as `Key.parse` reads it.

        Raises:
            ConfigError: there is no such key.
        """
        if isinstance(key, str):
            key = Key.parse(key)
        return self._take(self._machine.press(self.state, key))

    def type(self, keys: Iterable[str]) -> Outcome:
        """Press keys one after another; a string is one key a character.

        The outcome has all effects, and is handled if all keys were.
        """
        outcomes = [self.press(key) for key in keys]
        effects = tuple(effect for outcome in outcomes for effect in outcome.effects)
        return Outcome(all(outcome.is_handled for outcome in outcomes), effects)

    def reset(self, *, left_context: str | None = None) -> None:
        """Drop the input, as when the cursor is put elsewhere; nothing is committed.

        Args:
            left_context: the text before the cursor there; None keeps what is known.
        """
        state = self._machine.cancel(self.state)
        if left_context is not None:
            state = replace(state, left_context=left_context, open_quotes=frozenset())
        self.state = state

    def set_left_context(self, text: str) -> None:
        """Tell what stands before the cursor; ignored in the middle of an input."""
        if not self.state.is_composing:
            self.state = replace(self.state, left_context=text)

    def commit_letters(self) -> Outcome:
        """Commit what is there as it is, as when the focus goes elsewhere."""
        return self._take(self._machine.commit_letters(self.state))

    def late_question(self) -> LateQuestion | None:
        """Return what is still to be asked about the input; None if nothing may change."""
        return self._machine.lists.late_question(self.state)

    def accept_late(self, question: LateQuestion, answer: Candidate | None) -> bool:
        """Let an answer in if the input is still the same, and tell whether the list changed."""
        before = self.candidates
        self.state = self._machine.lists.accept_late(self.state, question, answer)
        return self.candidates != before

    def wait_for_late(self) -> bool:
        """Ask here and now what is still to be asked, and tell whether the list changed."""
        question = self.late_question()
        return question is not None and self.accept_late(question, question.ask())

    @property
    def settings(self) -> SessionSettings:
        """How keys are answered. Setting it keeps the input."""
        return self._machine.settings

    @settings.setter
    def settings(self, settings: SessionSettings) -> None:
        self._machine = replace(self._machine, settings=settings)
        if settings.is_private:
            self.state = replace(self.state, last_commit=None)

    @property
    def engine(self) -> SessionEngine:
        """What offers candidates. Setting it keeps the letters and asks for them anew."""
        return self._machine.engine

    @engine.setter
    def engine(self, engine: SessionEngine) -> None:
        self._machine = replace(self._machine, engine=engine)
        self.state = self._machine.lists.refreshed(self.state)

    @property
    def mode(self) -> Mode:
        """Chinese or English."""
        return self.state.mode

    @property
    def preedit(self) -> Preedit:
        """The input as it is shown."""
        return self.state.preedit

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All candidates, or suggestions."""
        return self.state.candidates

    @property
    def page(self) -> tuple[Candidate, ...]:
        """Candidates on the present page."""
        first = self.page_number * self.settings.page_size
        return self.candidates[first : first + self.settings.page_size]

    @property
    def page_number(self) -> int:
        """The present page, from 0."""
        return self.state.highlight // self.settings.page_size

    @property
    def n_pages(self) -> int:
        """How many pages there are."""
        return -(-len(self.candidates) // self.settings.page_size)

    @property
    def highlight_on_page(self) -> int:
        """The highlighted candidate's place on its page, from 0."""
        return self.state.highlight % self.settings.page_size

    def _take(self, step: Step) -> Outcome:
        """Enter the state of a step and carry out what it learns."""
        before, self.state = self.state, step.state
        if self._learner is None:
            return Outcome(step.is_handled, step.effects)
        for effect in step.effects:
            if isinstance(effect, Learn):
                self._learner.learn(effect.parts, effect.left_context)
            elif isinstance(effect, Unlearn):
                self._learner.unlearn(effect.parts, effect.left_context)
            elif isinstance(effect, Forget):
                if not self._learner.forget(effect.part, effect.left_context):
                    self.state = before
                    return Outcome(True, (Bell(),))
            else:
                continue
            self.engine.drop_work()
        return Outcome(step.is_handled, step.effects)
