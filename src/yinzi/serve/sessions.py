"""Type over a connection: keys in, preedit, candidates and committed text out.

`TypingSession` is what the WebSocket path needs of a session; `open_session` puts one of
`yinzi.session` behind it. Nothing is learned: the text of a typist leaves no trace here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from yinzi.converter import Candidate, Converter
from yinzi.errors import ConfigError
from yinzi.pinyin.schemes import SCHEME_NAMES, get_scheme, layout_of
from yinzi.serve.problems import Problem
from yinzi.session import ConverterEngine, Key, Session, SessionSettings

__all__ = ["SESSION_SCHEMES", "SessionState", "TypingSession", "open_session"]

_KEPT_CONTEXT: Final = 64  # characters; the models look at no more
_OTHER_KEYBOARDS: Final = {"nine-keys", "zhuyin", "daqian"}

SESSION_SCHEMES: Final = tuple(name for name in SCHEME_NAMES if name not in _OTHER_KEYBOARDS)
"""Schemes that are typed with letters, so that digits are left to choose with."""

_NAMES: Final = {
    " ": "space",
    "ArrowLeft": "left",
    "ArrowRight": "right",
    "ArrowUp": "up",
    "ArrowDown": "down",
}
"""Keys that browsers call by other names than sessions do; the rest differs in case alone."""


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
        letters: the input that the candidates are for, as typed.
        n_selected: characters at the begin of the preedit that are chosen words.
        is_suggesting: the candidates are next words, nothing is typed.
        mode: "chinese" or "english".
    """

    preedit: str
    cursor: int
    candidates: tuple[Candidate, ...]
    page: int
    n_pages: int
    highlighted: int
    commit: str
    is_handled: bool
    letters: str
    n_selected: int
    is_suggesting: bool
    mode: str


class TypingSession(Protocol):
    """One typist's input. Not used by two threads at once."""

    def press(self, keys: Sequence[str]) -> SessionState:
        """Take keys by the names that browsers give them (`KeyboardEvent.key`)."""

    def select(self, index: int) -> SessionState:
        """Choose a candidate of the page that is shown."""

    def reset(self, left_context: str) -> SessionState:
        """Throw away what is typed; say what stands before the cursor now."""


def open_session(
    converter: Converter,
    *,
    left_context: str,
    page_size: int,
    scheme: str = "pinyin",
    has_chinese_punctuation: bool = False,
    n_suggestions: int = 0,
) -> TypingSession:
    """Return a new session.

    Args:
        converter: with the options of the session.
        left_context: text before the cursor.
        page_size: candidates on a page, 5 to 9.
        scheme: name of the converter's scheme.
        has_chinese_punctuation: punctuation keys write Chinese forms; if not, they are left to
            the application.
        n_suggestions: next words shown after a commit; 0 for none.

    Raises:
        Problem: 422, the scheme is not typed with letters.
    """
    if scheme not in SESSION_SCHEMES:
        raise Problem(
            422,
            "not_available",
            "the option 'scheme' has a value that sessions do not have, as its digits are letters: "
            f"expected {', '.join(SESSION_SCHEMES)}",
        )
    settings = SessionSettings(
        page_size=page_size,
        punctuation="full" if has_chinese_punctuation else "half",
        n_suggestions=n_suggestions,
    )
    layout = layout_of(get_scheme(scheme))
    if layout is not None and any(";" in code for code in layout.by_code):
        settings = replace(settings, joining_keys=settings.joining_keys + ";", second_keys=())
    return _EngineSession(Session(_Engine(converter), settings=settings), left_context)


class _Engine(ConverterEngine):
    """A converter whose suggestions have the form of its other texts, too."""

    def __init__(self, converter: Converter) -> None:
        # One answer for a message: what the neural model says is waited for.
        super().__init__(converter, has_late_results=False)
        self._output = converter.output

    def next_words(self, left_context: str, n: int) -> Sequence[Candidate]:
        """Return likely next words."""
        if self._output is None:
            return super().next_words(left_context, n)
        found = super().next_words(self._output.read_context(left_context), n)
        return self._output.apply(found, left_context=left_context)


class _EngineSession:
    """A session of `yinzi.session`, told of keys as a browser names them."""

    def __init__(self, session: Session, left_context: str) -> None:
        self._session = session
        session.set_left_context(left_context[-_KEPT_CONTEXT:])

    def press(self, keys: Sequence[str]) -> SessionState:
        """Take keys; unknown ones are left to the application."""
        committed, is_handled = "", True
        for name in keys:
            key = _read_key(name)
            if key is None:
                is_handled = False
                continue
            outcome = self._session.press(key)
            committed += outcome.committed
            is_handled = outcome.is_handled
        return self._state(committed, is_handled)

    def select(self, index: int) -> SessionState:
        """Choose a candidate of the page that is shown; nothing happens if there is none."""
        keys = self._session.settings.select_keys
        if not 0 <= index < min(len(self._session.page), len(keys)):
            return self._state("", False)
        outcome = self._session.press(keys[index])
        return self._state(outcome.committed, outcome.is_handled)

    def reset(self, left_context: str) -> SessionState:
        """Throw away what is typed."""
        self._session.reset(left_context=left_context[-_KEPT_CONTEXT:])
        return self._state("", True)

    def _state(self, committed: str, is_handled: bool) -> SessionState:
        session = self._session
        preedit = session.preedit
        return SessionState(
            preedit.text,
            preedit.cursor,
            tuple(session.page),
            session.page_number,
            session.n_pages,
            session.highlight_on_page,
            committed,
            is_handled,
            session.state.letters,
            preedit.n_selected,
            session.state.is_suggesting,
            session.mode.value,
        )


def _read_key(name: str) -> Key | None:
    """Return the key that a browser's name stands for, with what is held as `ctrl+` before it.

    >>> _read_key("ArrowLeft"), _read_key("ctrl+Delete").ctrl, _read_key("MediaPlay")
    (Key(name='left', shift=False, ctrl=False, alt=False), True, None)
    """
    *held, name = name.split("+") if len(name) > 1 and not name.endswith("+") else [name]
    if not set(held) <= {"ctrl", "shift", "alt"}:
        return None
    name = _NAMES.get(name, name if len(name) == 1 else name.lower())
    try:
        return Key(name, shift="shift" in held, ctrl="ctrl" in held, alt="alt" in held)
    except ConfigError:
        return None
