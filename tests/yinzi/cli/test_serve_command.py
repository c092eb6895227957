from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'serve'")

from yinzi.serve import server
from yinzi.serve.settings import Settings


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Return the settings that the service would have been run with."""
    seen: list[Settings] = []

    def run(settings: Settings, *, announce: Callable[[str], None]) -> None:
        seen.append(settings)
        announce("http://127.0.0.1:1")

    monkeypatch.setattr(server, "run_service", run)
    return seen


def test_serve_without_options_has_the_defaults(
    yinzi: Callable[..., Any], started: list[Settings]
) -> None:
    outcome = yinzi("serve")
    assert (outcome.status, outcome.err) == (0, "yinzi serves on http://127.0.0.1:1\n")
    assert started == [Settings()]


def test_options_win_over_the_file(
    yinzi: Callable[..., Any], started: list[Settings], tmp_path: Path
) -> None:
    path = tmp_path / "serve.toml"
    path.write_text("[serve]\nport = 9000\nworkers = 2\n")
    options = ["--port", "9001", "--no-encoder", "--cors-origin", "https://a", "--no-page"]
    assert yinzi("serve", "--config", str(path), *options).status == 0
    (settings,) = started
    assert (settings.port, settings.workers, settings.uses_encoder) == (9001, 2, False)
    assert (settings.cors_origins, settings.serves_page) == (("https://a",), False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "--insecure"),
        (["--workers", "0"], "serve.workers"),
        (["--keys", "/nowhere/keys.json"], "keys add"),
        (["--tls-key", "x"], "belong together"),
        (["--config", "/nowhere.toml"], "nowhere"),
    ],
)
def test_wrong_options_are_said(yinzi: Callable[..., Any], options: list[str], said: str) -> None:
    outcome = yinzi("serve", *options)
    assert outcome.status == 1
    assert said in outcome.err


def test_keys_are_made_listed_and_revoked(yinzi: Callable[..., Any], tmp_path: Path) -> None:
    path = str(tmp_path / "keys.json")
    made = yinzi("serve", "keys", "add", "office", "--keys", path, "--days", "30", "--rate", "5")
    token = made.out.strip()
    assert token.startswith("yz_")
    assert token not in made.err
    listed = yinzi("serve", "keys", "list", "--keys", path).out
    key_id = token.split("_")[1]
    assert key_id in listed
    assert "office" in listed
    assert "valid until" in listed
    assert token not in listed
    assert yinzi("serve", "keys", "revoke", key_id, "--keys", path).status == 0
    assert "revoked" in yinzi("serve", "keys", "list", "--keys", path).out
    wrong = yinzi("serve", "keys", "revoke", "nobody", "--keys", path)
    assert (wrong.status, "no key 'nobody'" in wrong.err) == (1, True)


def test_help_shows_an_example(yinzi: Callable[..., Any]) -> None:
    out = yinzi("serve", "--help").out
    assert "$ yinzi serve" in out
    assert "curl" in out
