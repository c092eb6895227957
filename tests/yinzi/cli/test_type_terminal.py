"""`yinzi type` in a real terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pty", reason="no terminals here")

from tests.yinzi.cli.terminal_program import TerminalProgram
from yinzi.user import UserLexicon

COMMAND = [sys.executable, "-m", "yinzi.cli", "type"]


@pytest.fixture
def printed(tmp_path: Path) -> Path:
    return tmp_path / "printed.txt"


@pytest.fixture
def program(tiny_folder: Path, printed: Path) -> Iterator[TerminalProgram]:
    command = [*COMMAND, "--artifact", str(tiny_folder), "--print"]
    program = TerminalProgram(command, stdout=printed)
    yield program
    program.close()


def test_a_sentence_is_typed_chosen_committed_and_printed(
    program: TerminalProgram, printed: Path
) -> None:
    program.wait_for("type pinyin, F1 for help")
    program.press("woyaomaijipiao")
    program.wait_for("wo yao mai ji piao")
    program.wait_for("1 我要买机票  2 我要卖机票")
    program.press("2")
    program.wait_for("│ 我要卖机票 ")
    program.press(",")
    program.press("nihao")
    program.wait_for("ni hao")
    program.press("down")
    program.press("down", " ")
    program.wait_for("我要卖机票，泥好")
    program.wait_for("learned 泥好")
    program.press("f1")
    program.wait_for("Any key goes back.")
    program.press("x")
    program.wait_until_gone("Any key goes back.")
    program.press("f5")
    program.wait_for("· private ·")
    program.press("backspace", ".", "nihao", "\x1b[D", "ctrl+q")  # faster than the screen
    assert program.wait_for_end() == 0
    assert printed.read_text(encoding="utf-8") == "我要卖机票，泥。nihao\n"
    user = UserLexicon(printed.parent / "yinzi" / "user.sqlite3", is_read_only=True)
    assert {"卖", "机票"} <= {word.text for word in user.words(with_chosen=True)}


def test_without_a_terminal_it_says_so(tiny_folder: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "--artifact", str(tiny_folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "needs a terminal" in ended.stderr
    assert "yinzi convert" in ended.stderr


def test_an_unknown_accent_is_refused_before_the_screen_opens(
    tiny_folder: Path, printed: Path
) -> None:
    command = [*COMMAND, "--artifact", str(tiny_folder), "--accent", "northern"]
    program = TerminalProgram(command, stdout=printed)
    program.wait_for("unknown fuzzy switch 'northern'")
    assert program.wait_for_end() == 1
    program.close()


def test_without_textual_it_names_the_extra() -> None:
    script = (
        "import sys; sys.modules['textual'] = None\nfrom yinzi.cli.main import main\nmain(['type'])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "pip install 'yinzi[type]'" in ended.stderr
