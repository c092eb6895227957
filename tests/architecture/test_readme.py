from __future__ import annotations

import doctest
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from yinzi.cli.main import app as yinzi_app

READMES = ("README.md", "README.zh-CN.md")
SET_ROW = "a.0\t我要买机票\two yao mai ji piao\t\n"


def blocks(root: Path, readme: str, language: str) -> list[str]:
    """Return the contents of the fenced blocks of one language."""
    text = (root / readme).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("language", ["sh", "python", "console"])
def test_both_readmes_show_the_same_commands(root: Path, language: str) -> None:
    english, chinese = (blocks(root, readme, language) for readme in READMES)
    assert english == chinese
    assert english


def test_first_screen_has_two_commands(root: Path) -> None:
    assert blocks(root, "README.md", "sh") == [
        "python3 -m venv .venv && .venv/bin/pip install . "
        "&& .venv/bin/yinzi convert woyaomaijipiao\n",
        "make test\n",
    ]
    lines = (root / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines.index("make test") < 25


def test_ci_runs_exactly_the_second_command(root: Path) -> None:
    script = root / ".ci/run"
    commands = [
        line
        for line in script.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "set ", "cd "))
    ]
    assert commands.pop(0) == "bash .ci/browser"  # for tests that are skipped without one
    assert commands == [blocks(root, "README.md", "sh")[1].strip()]
    assert script.stat().st_mode & stat.S_IXUSR


def test_makefile_has_the_promised_targets(root: Path) -> None:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    assert {"setup", "fmt", "check", "test", "test-all", "bench", "docs"} <= targets


@pytest.mark.parametrize("readme", READMES)
def test_layout_names_what_is_there(root: Path, readme: str) -> None:
    (tree,) = blocks(root, readme, "text")
    named: set[str] = set()
    parent = ""
    for line in tree.splitlines():
        path = line.split()[0]
        if line.startswith(" "):
            path = parent + path
        else:
            parent = path
        named.add(path)
    assert not {path for path in named if not (root / path).exists()}
    for package in ("src/yinzi", "src/yinzi_train"):
        parts = {
            path.parent.relative_to(root).as_posix() + "/"
            for path in (root / package).glob("*/__init__.py")
        }
        assert parts <= named


@pytest.mark.parametrize("readme", READMES)
def test_python_examples_run(root: Path, readme: str, base_artifact: Path) -> None:
    for block in blocks(root, readme, "python"):
        test = doctest.DocTestParser().get_doctest(block, {}, readme, readme, 0)
        assert test.examples
        assert doctest.DocTestRunner().run(test).failed == 0


UNENDING = ("yinzi type", "yinzi serve")
"""Commands that go on until someone ends them; tests of their own drive them."""


def examples(text: str) -> list[tuple[str, list[str]]]:
    """Return every `$ command` of a text with the output lines below it."""
    found: list[tuple[str, list[str]]] = []
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line and found:
            found[-1][1].append(line)
    return found


def run_examples(text: str, folder: Path) -> None:
    """Run all examples of a text and compare their output where the text shows it."""
    (folder / "pinyin.txt").write_text("wo yao mai ji piao\n\nnihao\n", encoding="utf-8")
    for name in ("hsk.tsv", "tatoeba.tsv"):
        (folder / name).write_text(SET_ROW, encoding="utf-8")
    search_path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = examples(text)
    assert found
    for command, output in found:
        if command.startswith(UNENDING):
            continue
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**os.environ, "PATH": search_path, "XDG_DATA_HOME": str(folder)},
            capture_output=True,
            check=False,
        )
        assert ended.returncode == 0, f"{command}: {ended.stderr.decode()}"
        if output:
            assert ended.stdout.decode("utf-8").split("\n") == [*output, ""], command


def test_command_line_examples_run(root: Path, tmp_path: Path, base_artifact: Path) -> None:
    (block,) = blocks(root, "README.md", "console")
    run_examples(block, tmp_path)


@pytest.mark.parametrize(
    "epilog",
    [yinzi_app.info.epilog, *(command.epilog for command in yinzi_app.registered_commands)],
)
def test_help_examples_run(epilog: str, tmp_path: Path, base_artifact: Path) -> None:
    run_examples(epilog, tmp_path)
