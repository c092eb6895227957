"""Run a program in a terminal of its own, press keys, and look at the screen."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyte

KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "backspace": "\x7f",
    "down": "\x1b[B",
    "f1": "\x1bOP",
    "f5": "\x1b[15~",
    "ctrl+delete": "\x1b[3;5~",
    "ctrl+q": "\x11",
}
COLUMNS, LINES = 100, 26


class TerminalProgram:
    """A program whose keys and screen are a terminal, and whose stdout is a file."""

    def __init__(self, command: Sequence[str], *, stdout: Path, seconds: float = 60) -> None:
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.Stream(self._screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._ends_at = time.monotonic() + seconds
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLUMNS": str(COLUMNS),
            "LINES": str(LINES),
            "XDG_DATA_HOME": str(stdout.parent),  # a user lexicon of its own
        }
        environment.pop("YINZI_HOME", None)
        with stdout.open("wb") as file:
            self._process = subprocess.Popen(
                command,
                stdin=slave,
                stdout=file,
                stderr=slave,
                env=environment,
                start_new_session=True,
            )
        os.close(slave)

    @property
    def lines(self) -> list[str]:
        # A wide character leaves an empty cell behind it, which `display` does not show.
        return [line.rstrip() for line in self._screen.display]

    def press(self, *keys: str) -> None:
        """Press keys; a text that is not the name of a key is one key a character."""
        for key in keys:
            os.write(self._master, KEYS.get(key, key).encode())

    def wait_for(self, text: str) -> None:
        """Wait until a text is on the screen."""
        self._wait(lambda: text in "\n".join(self.lines), f"{text!r} on the screen")

    def wait_until_gone(self, text: str) -> None:
        self._wait(lambda: text not in "\n".join(self.lines), f"{text!r} gone from the screen")

    def wait_for_end(self) -> int:
        """Wait until the program ends and return its exit status."""
        self._wait(lambda: self._process.poll() is not None, "the end of the program")
        return self._process.returncode

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)

    def _wait(self, is_there: Callable[[], bool], what: str) -> None:
        while not is_there():
            if time.monotonic() > self._ends_at:
                screen = "\n".join(self.lines)
                raise TimeoutError(f"waited in vain for {what}; the screen is\n{screen}")
            if select.select([self._master], [], [], 0.05)[0]:
                try:
                    data = os.read(self._master, 65536)
                except OSError:  # the program has closed its end
                    data = b""
                    time.sleep(0.02)
                self._stream.feed(self._decoder.decode(data))
