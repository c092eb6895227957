from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from yinzi.cli import loading
from yinzi.cli.main import main

FAKE_PROGRAM = Path(__file__).with_name("fake_program.py")


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


class TerminalInput(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def _load_fake_program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fake_program", FAKE_PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fake_program"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def yinzi(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., Outcome]:
    """Return a function that runs the program with the fake converter in this process."""
    monkeypatch.setattr(loading, "load_converter", _load_fake_program().load_fake)

    def run(*arguments: str, stdin: bytes | None = b"") -> Outcome:
        kind = io.TextIOWrapper if stdin is not None else TerminalInput
        monkeypatch.setattr(sys, "stdin", kind(io.BytesIO(stdin or b"")))
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = capfdbinary.readouterr()
        assert isinstance(end.value.code, int)
        return Outcome(end.value.code, out.decode("utf-8"), err.decode("utf-8"))

    return run


@pytest.fixture
def fake_command() -> list[str]:
    """Return the command that runs the program with the fake converter in another process."""
    return [sys.executable, str(FAKE_PROGRAM)]
