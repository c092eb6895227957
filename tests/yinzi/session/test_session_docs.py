from __future__ import annotations

import re
from pathlib import Path

import pytest

import yinzi
from tests.yinzi.session.scenario_runner import _EXPECTATIONS, _VERBS, read_scenarios
from yinzi.converter import Converter

PAGE = Path(__file__).resolve().parents[3] / "docs/session.md"


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_the_examples_run(
    converter: Converter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(yinzi, "load", lambda: converter)
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(block, names)
    out = capsys.readouterr().out
    assert "write 你好" in out
    assert "ni hao 你好 你号" in out


def test_every_word_of_scripts_is_documented() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for verb in _VERBS:
        assert re.search(rf"`{verb}\b", text), verb
    for what in _EXPECTATIONS:
        assert f"`expect {what}" in text, what


def test_the_script_on_the_page_can_be_read() -> None:
    (script,) = blocks("text")
    assert len(read_scenarios(script, name="page")) == 1
