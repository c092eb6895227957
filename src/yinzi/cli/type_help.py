"""The help of `yinzi type`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

__all__ = ["HelpScreen"]

_HELP: Final = """\
a-z '            letters of the input, ' between syllables
Space  1-9  ;    the highlighted candidate, one by its number, the second
[  ]             only the first or the last character of the word
Enter  Esc       commit the letters as they are; drop the input
-  =  PgUp PgDn  turn pages
Up  Down  Tab    move the highlight
Left  Right      move in the input; with Ctrl by syllables
Backspace        undo a partial selection, or delete a letter;
                 directly after a commit: unlearn what it taught
Ctrl+Delete      never offer the highlighted candidate again
A-Z              begin an English word

F2  Chinese or English         F5  private: learn nothing
F3  accent                     F6  Chinese or plain punctuation
F4  scheme                     Ctrl+Q  leave

Choices are remembered until you leave; nothing leaves this machine.
Any key goes back."""


class HelpScreen(ModalScreen[None]):
    """The keys; any key goes back, and Ctrl+Q leaves."""

    def __init__(self, leave: Callable[[], None]) -> None:
        super().__init__()
        self._leave = leave

    def compose(self) -> ComposeResult:
        """Show the text."""
        yield Static(_HELP, id="help", markup=False)

    def on_key(self, event: events.Key) -> None:
        """Go back."""
        event.stop()
        self.dismiss()
        if event.key == "ctrl+q":
            self._leave()
