"""Type over a connection: keys in, preedit, candidates and committed text out.

`TypingSession` is what the WebSocket path needs of a session. `open_session` is the one place that
says which class fills it; the one here converts the whole input at every key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from yinzi.converter import Candidate, Converter

__all__ = ["SessionState", "TypingSession", "WholeInputSession", "open_session"]

_KEPT_CONTEXT = 64  # characters; the models look at no more
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'")
_MAX_LETTERS = 200


@dataclass(frozen=True)
class SessionState:
    """What a typist sees after a key.

    Attributes:
        preedit: chosen words and the letters that are not converted yet.
        cursor: position in the preedit.
        candidates: of the page that is shown.
        page: number of the page, from 0.
        n_pages: 0 without candidates.
        highlighted: index of the highlighted candidate on its page.
        commit: text that is done with since the last state.
        is_handled: the key meant something; if not, the application should use it.
    """

    preedit: str
    cursor: int
    candidates: tuple[Candidate, ...]
    page: int
    n_pages: int
    highlighted: int
    commit: str
    is_handled: bool


class TypingSession(Protocol):
    """One typist's input. Not used by two threads at once."""

    def press(self, keys: Sequence[str]) -> SessionState:
        """Take keys by the names that browsers give them (`KeyboardEvent.key`)."""

    def select(self, index: int) -> SessionState:
        """Choose a candidate of the page that is shown."""

    def reset(self, left_context: str) -> SessionState:
        """Throw away what is typed; say what stands before the cursor now."""


def open_session(converter: Converter, *, left_context: str, page_size: int) -> TypingSession:
    """Return a new session."""
    return WholeInputSession(converter, left_context=left_context, page_size=page_size)


class WholeInputSession:
    """A session over `Converter.type_keys`.

    Keys: letters and ``'``; digits choose from the page; a blank chooses the highlighted
    candidate; Enter commits the letters as they are; Backspace takes back a letter, or a choice;
    Escape throws away; ArrowDown and ArrowUp move the highlight; PageDown, PageUp, ``=`` and ``-``
    turn pages. Any other character commits the highlighted candidate and itself.
    """

    def __init__(self, converter: Converter, *, left_context: str, page_size: int) -> None:
        self._converter = converter
        self._page_size = page_size
        self._context = left_context[-_KEPT_CONTEXT:]
        self._chosen: list[tuple[str, str]] = []  # text, and the letters it stands for
        self._letters = ""
        self._committed = ""
        self._candidates: list[Candidate] = []
        self._highlighted = 0
        self._typing = converter.type_keys(left_context=self._context)

    def press(self, keys: Sequence[str]) -> SessionState:
        """Take keys; see the class."""
        is_handled = True
        for key in keys:
            is_handled = self._press(key)
        return self._state(is_handled)

    def select(self, index: int) -> SessionState:
        """Choose a candidate of the page that is shown; nothing happens if there is none."""
        return self._state(self._choose(self._page_start() + index))

    def reset(self, left_context: str) -> SessionState:
        """Throw away what is typed."""
        self._context = left_context[-_KEPT_CONTEXT:]
        self._clear()
        return self._state(True)

    def _press(self, key: str) -> bool:
        is_composing = bool(self._letters or self._chosen)
        if key.lower() in _LETTERS and (is_composing or key != "'"):
            if len(self._letters) < _MAX_LETTERS:
                self._letters += key
                self._convert()
            return True
        if not is_composing:
            if len(key) == 1:
                self._context = (self._context + key)[-_KEPT_CONTEXT:]
                self._restart()
            return False
        if key == "Backspace":
            self._take_back()
        elif key == "Escape":
            self._clear()
        elif key == "Enter":
            self._commit("".join(text for text, _ in self._chosen) + self._letters)
        elif key in ("ArrowDown", "ArrowUp"):
            self._highlight(self._highlighted + (1 if key == "ArrowDown" else -1))
        elif key in ("PageDown", "=", "PageUp", "-"):
            step = self._page_size if key in ("PageDown", "=") else -self._page_size
            start = self._page_start() + step
            if 0 <= start < len(self._candidates):
                self._highlighted = start
        elif key == " ":
            self._choose(self._highlighted)
        elif len(key) == 1 and key in "123456789":
            index = int(key) - 1
            return index < self._page_size and self._choose(self._page_start() + index)
        elif len(key) == 1:
            self._choose_rest()
            self._commit("".join(text for text, _ in self._chosen) + self._letters + key)
        else:
            return False
        return True

    def _choose(self, index: int) -> bool:
        if not 0 <= index < len(self._candidates):
            return False
        candidate = self._candidates[index]
        self._chosen.append((candidate.text, self._letters[: candidate.end]))
        self._letters = self._letters[candidate.end :]
        if self._letters.strip("'"):
            self._restart()
            self._convert()
        else:
            self._commit("".join(text for text, _ in self._chosen))
        return True

    def _choose_rest(self) -> None:
        """Choose the highlighted candidate, then the first ones until no letters are left."""
        while self._letters and self._candidates:
            candidate = self._candidates[self._highlighted]
            self._chosen.append((candidate.text, self._letters[: candidate.end]))
            self._letters = self._letters[candidate.end :]
            self._restart()
            self._convert()

    def _take_back(self) -> None:
        if self._letters:
            self._letters = self._letters[:-1]
        elif self._chosen:
            self._letters = self._chosen.pop()[1]
            self._restart()
        if not self._letters and self._chosen:
            self._letters = self._chosen.pop()[1]
            self._restart()
        self._convert()

    def _commit(self, text: str) -> None:
        self._committed += text
        self._context = (self._context + text)[-_KEPT_CONTEXT:]
        self._clear()

    def _clear(self) -> None:
        self._chosen, self._letters, self._candidates, self._highlighted = [], "", [], 0
        self._restart()

    def _restart(self) -> None:
        before = self._context + "".join(text for text, _ in self._chosen)
        self._typing = self._converter.type_keys(left_context=before)

    def _convert(self) -> None:
        self._candidates = self._typing.update(self._letters) if self._letters else []
        self._highlighted = 0

    def _highlight(self, index: int) -> None:
        self._highlighted = max(0, min(index, len(self._candidates) - 1))

    def _page_start(self) -> int:
        return self._highlighted - self._highlighted % self._page_size

    def _state(self, is_handled: bool) -> SessionState:
        start = self._page_start()
        page = tuple(self._candidates[start : start + self._page_size])
        preedit = "".join(text for text, _ in self._chosen) + self._letters
        committed, self._committed = self._committed, ""
        return SessionState(
            preedit,
            len(preedit),
            page,
            start // self._page_size,
            -(-len(self._candidates) // self._page_size),
            self._highlighted - start,
            committed,
            is_handled,
        )
