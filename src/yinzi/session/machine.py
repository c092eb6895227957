"""Answer keys: a pure function from a state and a key to the next state and its effects.

Nothing here reads a file or a clock, starts a thread or keeps anything: the same state and key give
the same step, as long as the engine answers alike.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Final, NamedTuple

from yinzi.converter.candidate import Candidate
from yinzi.session.composition import (
    Composition,
    delete_letters,
    insert_letter,
    part_of,
    single_character,
)
from yinzi.session.effects import (
    Bell,
    Commit,
    Effect,
    Forget,
    Learn,
    ModeChange,
    Unlearn,
)
from yinzi.session.engine import SessionEngine
from yinzi.session.keys import Key
from yinzi.session.lists import CandidateLists
from yinzi.session.punctuation import chinese_punctuation
from yinzi.session.settings import SessionSettings
from yinzi.session.state import Mode, Selection, SessionState, Shown

__all__ = ["SessionMachine", "Step"]

CONTEXT_CHARACTERS: Final = 64
"""Characters of left context that are kept."""
_ENGLISH_WORD: Final = frozenset(string.ascii_letters + string.digits + "'-_.@/+#&")
_MOVES_AWAY: Final = frozenset(
    ["left", "right", "up", "down", "home", "end", "pageup", "pagedown", "delete"]
)
"""Keys after which the text before the cursor is not known."""


class Step(NamedTuple):
    """What a key leads to.

    Attributes:
        state: after the key.
        effects: in the order to carry them out.
        is_handled: whether the key was for the session; if not, the application gets it, after
            the effects.
    """

    state: SessionState
    effects: tuple[Effect, ...] = ()
    is_handled: bool = True


@dataclass(frozen=True)
class SessionMachine:
    """The rules of a session.

    Attributes:
        engine: offers texts for letters.
        settings: how keys are answered.
        can_learn: there is a learner; without, nothing is learned and nothing can be forgotten.
    """

    engine: SessionEngine
    settings: SessionSettings
    can_learn: bool = False

    def press(self, state: SessionState, key: Key) -> Step:
        """Return what a key leads to."""
        undoable = state.last_commit
        state = replace(state, last_commit=None)
        if key == Key("shift"):
            return self._toggle_mode(state)
        if state.mode is Mode.ENGLISH:
            return self._pass_on(state, key)
        if state.is_english:
            return self._press_in_english_word(state, key)
        if state.is_composing:
            return self._press_composing(state, key)
        if undoable is not None and key == Key("backspace"):
            step = self._pass_on(self._dismissed(state), key)
            unlearn = Unlearn(undoable.parts, undoable.left_context)
            return step._replace(effects=(unlearn, *step.effects))
        if state.is_suggesting:
            return self._press_suggesting(state, key)
        return self._press_idle(state, key)

    def cancel(self, state: SessionState) -> SessionState:
        """Return the state without its input; nothing is committed."""
        return self._dismissed(state)

    def commit_letters(self, state: SessionState) -> Step:
        """Commit the chosen hanzi and the letters as they were typed; nothing is learned."""
        text = state.selected_text + _as_typed(state.letters)
        return Step(self._behind(self._dismissed(state), text), (Commit(text),) if text else ())

    @cached_property
    def lists(self) -> CandidateLists:
        """What fills the lists of states, late results included."""
        return CandidateLists(self.engine, self.settings)

    # Keys by situation.

    def _press_idle(self, state: SessionState, key: Key) -> Step:
        character = key.character
        if character and character in self.settings.starting_keys:
            return Step(self.lists.asked(replace(state, letters=character, cursor=1)))
        if character in _UPPER and self.settings.has_temporary_english:
            return Step(_with_english(state, character, 1))
        if character and self.settings.punctuation == "full":
            text, open_quotes = chinese_punctuation(
                character, left_context=state.left_context, open_quotes=state.open_quotes
            )
            if text != character:
                state = self._behind(replace(state, open_quotes=open_quotes), text)
                return Step(state, (Commit(text),))
        return self._pass_on(state, key)

    def _press_suggesting(self, state: SessionState, key: Key) -> Step:
        if str(key) in self.settings.select_keys:
            return self._choose(state, self._page_place(state, str(key)))
        if key == Key("escape"):
            return Step(self._dismissed(state))
        return self._press_idle(self._dismissed(state), key)

    def _press_composing(self, state: SessionState, key: Key) -> Step:
        settings = self.settings
        character = key.character
        if character and character in settings.starting_keys + settings.joining_keys:
            return self._edited(state, insert_letter(_composition(state), character, settings))
        if character in _UPPER:
            return self._edited(state, insert_letter(_composition(state), character, settings))
        if (action := self._actions.get(key)) is not None:
            return action(state)
        if str(key) in settings.select_keys:
            return self._choose(state, self._page_place(state, str(key)))
        if character:
            return self._finish_with(state, character)
        return Step(state, is_handled=False)

    def _press_in_english_word(self, state: SessionState, key: Key) -> Step:
        character = key.character
        if character in _ENGLISH_WORD and character:
            if len(state.letters) >= self.settings.max_letters:
                return Step(state, (Bell(),))
            letters = state.letters[: state.cursor] + character + state.letters[state.cursor :]
            return Step(_with_english(state, letters, state.cursor + 1))
        if key in {Key("space"), Key("enter")}:
            return self.commit_letters(state)
        if key == Key("escape"):
            return Step(self._dismissed(state))
        if key in _DELETIONS:
            edited = delete_letters(_composition(state), is_forward=key == Key("delete"))
            if edited is None:
                return Step(state, (Bell(),))
            if not edited.letters:
                return Step(self._dismissed(state))
            return Step(_with_english(state, *edited))
        if key in _CURSOR_KEYS:
            return self._move_cursor(key, state)
        if character:
            return self._finish_with(state, character)
        return Step(state, is_handled=False)

    @cached_property
    def _actions(self) -> Mapping[Key, Callable[[SessionState], Step]]:
        """What keys other than letters and digits do while there is an input."""
        settings = self.settings
        actions: dict[Key, Callable[[SessionState], Step]] = {
            Key("space"): lambda state: self._choose(state, state.highlight),
            Key("enter"): self.commit_letters,
            Key("escape"): lambda state: Step(self._dismissed(state)),
            Key("backspace"): self._backspace,
            Key("delete"): self._delete,
            Key("down"): partial(self._move_highlight, 1),
            Key("tab"): partial(self._move_highlight, 1),
            Key("up"): partial(self._move_highlight, -1),
            Key("tab", shift=True): partial(self._move_highlight, -1),
            Key("delete", ctrl=True): self._forget,
            Key("delete", shift=True): self._forget,
        }
        actions |= {key: partial(self._move_cursor, key) for key in _CURSOR_KEYS}
        for before, after in settings.page_keys:
            actions[Key.parse(before)] = partial(self._turn_page, -1)
            actions[Key.parse(after)] = partial(self._turn_page, 1)
        for rank, keys in enumerate((settings.second_keys, settings.third_keys), start=1):
            actions |= {Key.parse(name): partial(self._choose_rank, rank) for name in keys}
        for name, place in ((settings.first_character_key, 0), (settings.last_character_key, -1)):
            if name:
                actions[Key.parse(name)] = partial(self._choose_character, place)
        return MappingProxyType(actions)

    # What keys do.

    def _toggle_mode(self, state: SessionState) -> Step:
        mode = Mode.CHINESE if state.mode is Mode.ENGLISH else Mode.ENGLISH
        step = self.commit_letters(state)
        return Step(replace(step.state, mode=mode), (*step.effects, ModeChange(mode)))

    def _backspace(self, state: SessionState) -> Step:
        if state.selections and state.letters == state.selections[-1].rest:
            return Step(self.lists.asked(_without_last_selection(state)))
        return self._edited(state, delete_letters(_composition(state), is_forward=False))

    def _delete(self, state: SessionState) -> Step:
        return self._edited(state, delete_letters(_composition(state), is_forward=True))

    def _edited(self, state: SessionState, edited: Composition | None) -> Step:
        """Return the step to an edited input; None rings the bell."""
        if edited is None:
            return Step(state, (Bell(),))
        if not edited.letters and not state.selections:
            return Step(self._dismissed(state))
        return Step(self.lists.asked(replace(state, letters=edited.letters, cursor=edited.cursor)))

    def _move_cursor(self, key: Key, state: SessionState) -> Step:
        n_letters = len(state.letters)
        if key.name == "home":
            cursor = 0
        elif key.name == "end":
            cursor = n_letters
        elif key.ctrl and key.name == "left":
            cursor = max((place for place in state.borders if place < state.cursor), default=-1)
        elif key.ctrl:
            later = (place for place in state.borders if place > state.cursor)
            cursor = min(later, default=n_letters + 1)
        else:
            cursor = state.cursor + (1 if key.name == "right" else -1)
        if cursor == state.cursor or not 0 <= cursor <= n_letters:
            return Step(state, (Bell(),))
        return Step(replace(state, cursor=cursor))

    def _highlight(self, state: SessionState, place: int) -> Step:
        if not 0 <= place < len(state.candidates):
            return Step(state, (Bell(),))
        return Step(replace(state, highlight=place, has_moved=True))

    def _move_highlight(self, direction: int, state: SessionState) -> Step:
        return self._highlight(state, state.highlight + direction)

    def _turn_page(self, direction: int, state: SessionState) -> Step:
        return self._highlight(
            state, self._first_on_page(state) + direction * self.settings.page_size
        )

    def _first_on_page(self, state: SessionState) -> int:
        return state.highlight - state.highlight % self.settings.page_size

    def _page_place(self, state: SessionState, key: str) -> int:
        """Return the index that a select key stands for; -1 if it is not on the page."""
        place = self.settings.select_keys.index(key)
        return self._first_on_page(state) + place if place < self.settings.page_size else -1

    def _choose_rank(self, rank: int, state: SessionState) -> Step:
        return self._choose(state, self._first_on_page(state) + rank)

    def _choose(self, state: SessionState, place: int) -> Step:
        if not state.candidates and place == 0:
            return self.commit_letters(state) if state.letters else self._commit(state)
        if not 0 <= place < len(state.candidates):
            return Step(state, (Bell(),))
        candidate = state.candidates[place]
        selection = part_of(state.letters, candidate, was_first_candidate=place == 0)
        return self._select(state, selection)

    def _choose_character(self, place: int, state: SessionState) -> Step:
        if not state.candidates:
            return Step(state, (Bell(),))
        candidate = state.candidates[state.highlight]
        splits = self.engine.split(state.letters, candidate)
        selection = single_character(state.letters, candidate, splits, place)
        return Step(state, (Bell(),)) if selection is None else self._select(state, selection)

    def _select(self, state: SessionState, selection: Selection) -> Step:
        state = replace(
            state,
            selections=(*state.selections, selection),
            letters=selection.rest,
            cursor=len(selection.rest),
            is_suggesting=False,
        )
        return Step(self.lists.asked(state)) if state.letters else self._commit(state)

    def _commit(self, state: SessionState, suffix: str = "") -> Step:
        """Commit what was chosen, and learn it; the input has no letters left."""
        parts = tuple(selection.part for selection in state.selections)
        text = state.selected_text + suffix
        effects: list[Effect] = [Commit(text)]
        learned = None
        if self.can_learn and not self.settings.is_private:
            learned = Learn(parts, state.left_context)
            effects.append(learned)
        state = self._behind(self._dismissed(state), text)
        state = replace(state, last_commit=None if suffix else learned)
        return Step(self.lists.suggesting(state), tuple(effects))

    def _finish_with(self, state: SessionState, character: str) -> Step:
        """Commit the highlighted candidate, first candidates for what is left, and a character."""
        learned: tuple[Effect, ...] = ()
        while state.letters and state.candidates and not state.is_english:
            candidate = state.candidates[state.highlight]
            selection = part_of(state.letters, candidate, was_first_candidate=state.highlight == 0)
            step = self._select(state, selection)
            if not step.state.is_composing:
                state, learned = step.state, step.effects
                break
            state = step.state
        else:
            step = self.commit_letters(state)
            state, learned = step.state, step.effects
        state = self._dismissed(replace(state, last_commit=None))
        written, open_quotes = character, state.open_quotes
        if self.settings.punctuation == "full":
            written, open_quotes = chinese_punctuation(
                character, left_context=state.left_context, open_quotes=open_quotes
            )
        state = self._behind(replace(state, open_quotes=open_quotes), written)
        effects = tuple(
            Commit(effect.text + written) if isinstance(effect, Commit) else effect
            for effect in learned
        )
        return Step(state, effects)

    def _forget(self, state: SessionState) -> Step:
        if not self.can_learn or not state.candidates:
            return Step(state, (Bell(),))
        candidate = state.candidates[state.highlight]
        selection = part_of(state.letters, candidate, was_first_candidate=state.highlight == 0)
        kept = tuple(one for one in state.candidates if one is not candidate)
        state = replace(
            state,
            shown=state.shown._replace(
                candidates=kept, splits=self.lists.splits(state.letters, kept)
            ),
            highlight=max(0, min(state.highlight, len(kept) - 1)),
            has_moved=True,
            seen=MappingProxyType({}),
        )
        return Step(state, (Forget(selection.part, state.rest_context),))

    def _pass_on(self, state: SessionState, key: Key) -> Step:
        """Leave a key to the application, and follow what it does to the left context."""
        context = state.left_context
        character = key.character
        if character:
            context += character
        elif key == Key("enter"):
            context += "\n"
        elif key == Key("backspace"):
            context = context[:-1]
        elif key.ctrl or key.alt or key.name in _MOVES_AWAY:
            context = ""
        return Step(replace(state, left_context=context[-CONTEXT_CHARACTERS:]), is_handled=False)

    # Parts of states.

    def _behind(self, state: SessionState, text: str) -> SessionState:
        """Return the state after a text has been written."""
        return replace(state, left_context=(state.left_context + text)[-CONTEXT_CHARACTERS:])

    def _dismissed(self, state: SessionState) -> SessionState:
        """Return the state with neither input nor suggestions."""
        return SessionState(
            mode=state.mode, left_context=state.left_context, open_quotes=state.open_quotes
        )


_UPPER: Final = frozenset(string.ascii_uppercase)
_DELETIONS: Final = frozenset({Key("backspace"), Key("delete")})
_CURSOR_KEYS: Final = frozenset(
    map(Key.parse, ["left", "right", "home", "end", "ctrl+left", "ctrl+right"])
)


def _composition(state: SessionState) -> Composition:
    return Composition(state.letters, state.cursor)


def _with_english(state: SessionState, letters: str, cursor: int) -> SessionState:
    """Return a state whose input is an English word; it is its only candidate."""
    candidate = Candidate(letters, 0.0, 0, len(letters), "sentence", (letters,))
    return replace(
        state, letters=letters, cursor=cursor, is_english=True, shown=Shown((candidate,), ())
    )


def _without_last_selection(state: SessionState) -> SessionState:
    last = state.selections[-1]
    letters = last.letters + state.letters
    return replace(state, selections=state.selections[:-1], letters=letters, cursor=len(letters))


def _as_typed(letters: str) -> str:
    """Return letters without the blanks that part English words from pinyin."""
    return letters.replace(" ", "")
