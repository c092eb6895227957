"""The screen of `yinzi type`: a text, and below it the input, candidates and what is going on.

Keys are answered at once with what the language model says. The neural model is asked in another
thread, one question at a time, and its answer is let in as the late policy allows.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import ClassVar, Final

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Static, TextArea

from yinzi.cli.type_help import HelpScreen
from yinzi.cli.type_schemes import EXACT, accent_names, scheme_names, settings_for, typed_as
from yinzi.converter import Candidate, Converter
from yinzi.errors import ConfigError
from yinzi.pinyin import FULL_PINYIN
from yinzi.session import (
    Bell,
    ConverterEngine,
    Forget,
    Key,
    LateQuestion,
    Learn,
    Learner,
    Mode,
    Outcome,
    RememberingEngine,
    Session,
    SessionSettings,
    Unlearn,
)

__all__ = ["TypeApp"]

_KEPT_TIMES: Final = 200
_PAUSE_SECONDS: Final = 0.05
_CONTEXT_CHARACTERS: Final = 64
_KEY_NAMES: Final = {"ctrl+@": "ctrl+space"}

_KEYS: Final = "F1 help  F2 中/EN  F3 accent  F4 scheme  F5 private  F6 。/.  Ctrl+Q leave"


class CommittedText(TextArea):
    """The text written so far; keys that are not for the session edit it as usual.

    Textual runs the usual actions of keys later than it hands keys out, so that a fast typist's
    Backspace would come behind the next letter. The common ones are therefore run here.
    """

    def __init__(self, press: Callable[[events.Key], bool]) -> None:
        super().__init__(id="text")
        self._press = press
        self._edits: dict[str, Callable[[], None]] = {
            "backspace": self.action_delete_left,
            "delete": self.action_delete_right,
            "left": self.action_cursor_left,
            "right": self.action_cursor_right,
            "up": self.action_cursor_up,
            "down": self.action_cursor_down,
            "home": self.action_cursor_line_start,
            "end": self.action_cursor_line_end,
        }

    async def _on_key(self, event: events.Key) -> None:
        is_handled = self._press(event)
        if not is_handled and event.key in self._edits:
            self._edits[event.key]()
            is_handled = True
        if is_handled:
            event.stop()
            event.prevent_default()


class TypeApp(App[str]):
    """Type with a converter; the result is the text.

    Without a learner, choices are remembered until the end.

    Attributes:
        session: what answers the keys.
    """

    TITLE = "yinzi type"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #text { height: 1fr; border: round $primary; }
    #input { height: auto; border: round $accent; padding: 0 1; }
    #preedit, #candidates { height: auto; min-height: 1; }
    #keys { height: 1; padding: 0 1; color: $text-muted; }
    #status { height: 1; padding: 0 1; background: $panel; }
    HelpScreen { align: center middle; }
    #help { width: 76; height: auto; border: round $accent; padding: 0 2; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # Switches are keys of the text, so that none overtakes the letters before it. This line
        # only puts out of force that Textual leaves at once.
        Binding("ctrl+q", "leave", show=False)
    ]

    def __init__(
        self,
        converter: Converter,
        *,
        settings: SessionSettings,
        scheme_name: str = FULL_PINYIN.name,
        accent: str = EXACT,
        learner: Learner | None = None,
    ) -> None:
        super().__init__()
        self._converter = converter
        self._scheme_name, self._accent = scheme_name, accent
        typed = typed_as(converter, scheme_name, accent)
        engine = ConverterEngine(typed)
        engine.warm_up()
        self._memory = RememberingEngine(engine) if learner is None else None
        self.session = Session(
            self._memory or engine,
            settings=settings_for(typed.scheme, settings),
            learner=self._memory or learner,
        )
        self._switches: dict[str, Callable[[], None]] = {
            "f1": self.action_show_help,
            "f2": self.action_toggle_mode,
            "f3": self.action_next_accent,
            "f4": self.action_next_scheme,
            "f5": self.action_toggle_private,
            "f6": self.action_toggle_punctuation,
            "ctrl+q": self.action_leave,
        }
        self._key_ms: deque[float] = deque(maxlen=_KEPT_TIMES)
        self._late_ms = 0.0
        self._notice = ""
        self._is_asking = False
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield CommittedText(self._press)
        with Vertical(id="input"):
            yield Static(id="preedit")
            yield Static(id="candidates")
        yield Static(id="status")
        yield Static(_KEYS, id="keys", markup=False)

    def on_mount(self) -> None:
        """Begin in the text."""
        self._text.focus()
        self._show()

    # Keys.

    def _press(self, event: events.Key) -> bool:
        """Answer a key and tell whether it was for the session."""
        switch = self._switches.get(event.key)
        if switch is not None:
            switch()
            return True
        key = _key_of(event)
        if key is None:
            return False
        self.session.set_left_context(self._before_cursor())
        started = time.perf_counter()
        outcome = self.session.press(key)
        self._key_ms.append(1000 * (time.perf_counter() - started))
        self._carry_out(outcome)
        return outcome.is_handled

    def _carry_out(self, outcome: Outcome) -> None:
        """Write what was committed, say what was learned, and show the new state."""
        if outcome.committed:
            self._write(outcome.committed)
        self._notice = ""
        for effect in outcome.effects:
            if isinstance(effect, Bell):
                self.bell()
            elif isinstance(effect, Learn) and not all(
                part.was_first_candidate for part in effect.parts
            ):
                self._notice = "learned " + "".join(part.text for part in effect.parts)
            elif isinstance(effect, Unlearn):
                self._notice = "took back " + "".join(part.text for part in effect.parts)
            elif isinstance(effect, Forget):
                self._notice = f"forgot {effect.part.text}"
        self._show()
        self._ask_late_soon()

    def _write(self, text: str) -> None:
        """Put a text in the place of what is selected, or at the cursor."""
        start, end = self._text.selection
        self._text.replace(text, start, end, maintain_selection_offset=False)

    def _before_cursor(self) -> str:
        row, column = min(self._text.selection)
        line = self._text.document.get_line(row)[:column]
        return line[-_CONTEXT_CHARACTERS:] if line or not row else "\n"

    # Late results.

    def _ask_late_soon(self) -> None:
        """Ask after a pause: while keys come fast, they get the whole machine."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_PAUSE_SECONDS, self._ask_late)

    def _ask_late(self) -> None:
        """Ask the neural model about the present input, unless it is busy with another."""
        if self._is_asking:
            return
        question = self.session.late_question()
        if question is None:
            return
        self._is_asking = True
        self.run_worker(lambda: self._answer_late(question), thread=True, group="late")

    def _answer_late(self, question: LateQuestion) -> None:
        """Runs in a thread of its own."""
        started = time.perf_counter()
        answer = question.ask()
        late_ms = 1000 * (time.perf_counter() - started)
        self.call_from_thread(self._take_late, question, answer, late_ms)

    def _take_late(self, question: LateQuestion, answer: Candidate | None, late_ms: float) -> None:
        self._is_asking = False
        self._late_ms = late_ms
        self.session.accept_late(question, answer)
        self._show()
        self._ask_late()

    # Switches.

    def action_show_help(self) -> None:
        """Show the keys."""
        self.push_screen(HelpScreen(self.action_leave))

    def action_toggle_mode(self) -> None:
        """Switch between Chinese and English."""
        self._carry_out(self.session.press("shift"))

    def action_toggle_private(self) -> None:
        """Learn nothing from here on, or learn again."""
        settings = self.session.settings
        self.session.settings = replace(settings, is_private=not settings.is_private)
        self._show()

    def action_toggle_punctuation(self) -> None:
        """Write Chinese punctuation, or leave it as it is typed."""
        settings = self.session.settings
        self.session.settings = replace(
            settings, punctuation="half" if settings.punctuation == "full" else "full"
        )
        self._show()

    def action_next_accent(self) -> None:
        """Go on to the next accent."""
        self._switch(self._scheme_name, _after(self._accent, accent_names()))

    def action_next_scheme(self) -> None:
        """Go on to the next input scheme."""
        self._switch(_after(self._scheme_name, scheme_names()), self._accent)

    def _switch(self, scheme_name: str, accent: str) -> None:
        if (scheme_name, accent) == (self._scheme_name, self._accent):
            self._notice = "this version has no other"
            self._show()
            return
        try:
            typed = typed_as(self._converter, scheme_name, accent)
        except ConfigError as error:
            self._notice = str(error)
            self._show()
            return
        self._scheme_name, self._accent = scheme_name, accent
        engine = ConverterEngine(typed)
        if self._memory is not None:
            self._memory.engine = engine
        self.session.settings = settings_for(typed.scheme, self.session.settings)
        self.session.engine = self._memory or engine
        self._notice = ""
        self._show()
        self._ask_late_soon()

    def action_leave(self) -> None:
        """End with the text; an input that is not committed is added as it is."""
        outcome = self.session.commit_letters()
        if outcome.committed:
            self._write(outcome.committed)
        self.exit(self._text.text)

    # What is shown.

    @property
    def _text(self) -> CommittedText:
        return self.screen_stack[0].query_one("#text", CommittedText)

    def _show(self) -> None:
        screen = self.screen_stack[0]
        screen.query_one("#preedit", Static).update(self._preedit())
        screen.query_one("#candidates", Static).update(self._candidates())
        screen.query_one("#status", Static).update(self._status())

    def _preedit(self) -> Text:
        text, cursor, n_selected = self.session.preedit
        if not text:
            return Text("type pinyin, F1 for help", style="dim")
        shown = Text(text + " ")
        shown.stylize("bold green", 0, n_selected)
        shown.stylize("underline", n_selected, len(text))
        shown.stylize("reverse", cursor, cursor + 1)
        return shown

    def _candidates(self) -> Text:
        session = self.session
        shown = Text()
        for place, candidate in enumerate(session.page):
            is_highlighted = place == session.highlight_on_page and session.state.is_composing
            shown.append(f"{place + 1} ", style="dim")
            shown.append(candidate.text, style="bold reverse" if is_highlighted else "")
            shown.append("  ")
        if session.n_pages > 1:
            shown.append(f"{session.page_number + 1}/{session.n_pages}", style="dim")
        if session.state.is_suggesting:
            shown.append("next words", style="dim italic")
        return shown

    def _status(self) -> Text:
        settings = self.session.settings
        parts = [
            "中" if self.session.mode is Mode.CHINESE else "EN",
            self._scheme_name,
            f"accent {self._accent}",
            "private" if settings.is_private else "learning",
            "。" if settings.punctuation == "full" else ".",
        ]
        if self._key_ms:
            middle, worst = median(self._key_ms), max(self._key_ms)
            parts.append(f"key {self._key_ms[-1]:.1f} ms (median {middle:.1f}, most {worst:.0f})")
        if self._late_ms:
            parts.append(f"late {self._late_ms:.0f} ms")
        if self._notice:
            parts.append(self._notice)
        return Text(" · ".join(parts), no_wrap=True, overflow="ellipsis")


def _after(name: str, names: tuple[str, ...]) -> str:
    """Return the name after one, the first after the last."""
    place = names.index(name) if name in names else -1
    return names[(place + 1) % len(names)]


def _key_of(event: events.Key) -> Key | None:
    """Return what a session calls a key of the terminal, None for keys it does not know."""
    if event.is_printable and event.character and event.key != "space":
        return Key(event.character)
    try:
        return Key.parse(_KEY_NAMES.get(event.key, event.key))
    except ConfigError:
        return None
