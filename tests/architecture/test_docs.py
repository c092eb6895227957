from __future__ import annotations

import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from yinzi.cli.main import app as yinzi_app
from yinzi_train.cli.main import app as yinzi_train_app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md")]
)
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    for path in ROOT.glob("src/**/*.py")
    if path.name != "__main__.py"
)


def all_commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield a command and all below it, each with its full name."""
    yield name, command
    for part_name, part in getattr(command, "commands", {}).items():
        yield from all_commands(f"{name} {part_name}", part)


@pytest.mark.parametrize(
    ("page", "program", "app"),
    [
        ("docs/cli.md", "yinzi", yinzi_app),
        ("docs/cli-train.md", "yinzi-train", yinzi_train_app),
    ],
    ids=["yinzi", "yinzi-train"],
)
def test_command_pages_name_every_option(
    root: Path, page: str, program: str, app: typer.Typer
) -> None:
    """Names only: how Typer words the rest differs between its versions."""
    sections = re.split(r"^#+ `", (root / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    documented = {section.split("`")[0]: section for section in sections[1:]}
    commands = dict(all_commands(program, get_command(app)))
    assert set(documented) == set(commands), "run make docs"
    for name, part in commands.items():
        options = {option for parameter in part.params for option in parameter.opts}
        shown = set(re.findall(r"--?[a-z][a-z-]*", documented[name]))
        assert {option for option in options if option.startswith("-")} <= shown, "run make docs"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(root: Path, page: str, base_artifact: Path) -> None:
    text = (root / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((root / page).parent / target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.testmod(importlib.import_module(name), optionflags=flags).failed == 0
