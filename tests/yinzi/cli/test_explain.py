from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import yinzi as package
from yinzi.cli import loading

Yinzi = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def tiny(yinzi: Yinzi, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Yinzi:
    """Return the program with the converter of the tiny artifact."""

    def load_tiny(artifact: str, *, no_encoder: bool = False) -> package.converter.Converter:
        return package.load(tiny_folder, uses_encoder=not no_encoder)

    monkeypatch.setattr(loading, "load_converter", load_tiny)
    return yinzi


def test_explain_prints_features_and_words(tiny: Yinzi) -> None:
    status, out, err = tiny("explain", "woyaomaijipiao")
    assert status == 0
    assert err == ""
    first, *lines = out.splitlines()
    assert first.startswith("我要买机票 is e^")
    assert "what speaks most for it: " in first
    assert any(line.split("│")[1].strip() == "language_model" for line in lines if "│" in line)
    assert "logprob" in out
    assert "机票" in out.split("word by word")[1]


def test_explain_json_adds_up(tiny: Yinzi) -> None:
    status, out, _ = tiny("explain", "xian", "--n-best", "3", "--json", "--left-context", "我要去")
    assert status == 0
    found = json.loads(out)
    assert len(found["candidates"]) == 3
    for candidate in found["candidates"]:
        shares = (found["weights"][name] * value for name, value in candidate["features"].items())
        assert sum(shares) == pytest.approx(candidate["logprob"], abs=0.01)
        assert "".join(word["text"] for word in candidate["words"]) == candidate["text"]


def test_explain_says_when_there_is_nothing_to_explain(tiny: Yinzi) -> None:
    status, out, err = tiny("explain", "  ")
    assert status == 0
    assert out == ""
    assert "nothing to convert in '  '" in err


def test_explain_needs_two_candidates(tiny: Yinzi) -> None:
    assert tiny("explain", "ni", "--n-best", "1")[0] == 2
