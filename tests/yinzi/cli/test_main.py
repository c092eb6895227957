from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

import yinzi as package

Yinzi = Callable[..., "tuple[int, str, str]"]


def test_version(yinzi: Yinzi) -> None:
    assert yinzi("--version") == (0, f"yinzi {package.__version__}\n", "")


@pytest.mark.parametrize("command", ["convert", "annotate", "evaluate", "inspect"])
def test_help_shows_an_example(yinzi: Yinzi, command: str) -> None:
    status, out, _ = yinzi(command, "--help")
    assert status == 0
    assert f"$ yinzi {command} " in out


def test_help_of_the_program_shows_an_example(yinzi: Yinzi) -> None:
    _, out, _ = yinzi("--help")
    assert "$ yinzi convert woyaomaijipiao" in out
    assert "我要买机票" in out


def test_unknown_command_is_wrong_usage(yinzi: Yinzi) -> None:
    status, out, err = yinzi("convrt", "ni")
    assert (status, out) == (2, "")
    assert "convert" in err


def test_yinzi_error_is_a_message(yinzi: Yinzi) -> None:
    assert yinzi("convert", "--artifact", "none", "ni") == (
        1,
        "",
        "yinzi: error: no artifact 'none'\n",
    )


def test_unexpected_error_is_a_message(yinzi: Yinzi) -> None:
    status, out, err = yinzi("convert", "break")
    assert (status, out) == (1, "")
    assert err.startswith("yinzi: error: unexpected ZeroDivisionError: broken on purpose; ")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [["--debug", "convert", "break"], ["convert", "--debug", "break"]],
    ids=["before", "after"],
)
def test_debug_shows_the_traceback(fake_command: list[str], arguments: list[str]) -> None:
    ended = subprocess.run([*fake_command, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert "ZeroDivisionError: broken on purpose" in ended.stderr


def test_file_that_is_not_there_is_a_message(yinzi: Yinzi) -> None:
    status, out, err = yinzi("evaluate", "/none/none.tsv")
    assert (status, out) == (1, "")
    assert "'/none/none.tsv'" in err
    assert "Traceback" not in err


def test_closed_pipe_is_quiet(fake_command: list[str]) -> None:
    with subprocess.Popen(
        [*fake_command, "convert"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"ni\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"<ni>\n"
        process.stdout.close()
        process.stdin.write(b"wo\n" * 1000)
        process.stdin.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait() == 1


def test_line_is_answered_before_the_next_is_written(fake_command: list[str]) -> None:
    with subprocess.Popen(
        [*fake_command, "convert", "--plain"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (b"ni\n", b"\n", b"hao\n"):
            process.stdin.write(line)
            process.stdin.flush()
            expected = b"<" + line[:-1] + b">\n" if line.strip() else b"\n"
            assert process.stdout.readline() == expected
        process.stdin.close()
        assert process.wait() == 0


def test_ascii_locale_reads_and_writes_hanzi(fake_command: list[str]) -> None:
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "ascii",
    }
    for arguments in (["convert", "你"], ["convert", "--left-context", "你", "x"], ["--help"]):
        ended = subprocess.run(
            [*fake_command, *arguments], capture_output=True, check=False, env=environment
        )
        assert ended.returncode == 0, ended.stderr
        assert ("你" if "--help" not in arguments else "我要买机票") in ended.stdout.decode()


def test_module_runs_like_the_script() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "yinzi.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == f"yinzi {package.__version__}\n"


def test_help_needs_no_numpy() -> None:
    script = (
        "import sys; from yinzi.cli.running import run_app; from yinzi.cli.main import app;"
        "run_app(app, ['convert', '--help'], name='yinzi'); sys.exit('numpy' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
