from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from yinzi.errors import ConfigError
from yinzi.serve import Settings


def test_defaults_serve_this_machine_alone() -> None:
    settings = Settings()
    settings.check_exposure()
    assert settings.host == "127.0.0.1"
    assert "localhost" in settings.answered_hosts()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_other_addresses_need_keys(host: str) -> None:
    with pytest.raises(ConfigError, match="--keys"):
        Settings(host=host).check_exposure()
    Settings(host=host, keys_path="keys.json").check_exposure()
    Settings(host=host, is_insecure=True).check_exposure()


@pytest.mark.parametrize(
    "changes",
    [
        {"port": 70_000},
        {"port": True},
        {"workers": 0},
        {"request_timeout": 0},
        {"request_timeout": float("nan")},
        {"tls_certificate": "a.pem"},
        {"cors_origins": ("*",)},
    ],
)
def test_wrong_values_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"serve\."):
        Settings(**changes)


def test_a_file_is_read_and_options_win(tmp_path: Path) -> None:
    path = tmp_path / "serve.toml"
    path.write_text('[serve]\nport = 9000\nhost = "::1"\ncors_origins = ["https://a.example"]\n')
    settings = Settings.from_file(path).updated({"port": 9001, "host": None})
    assert (settings.port, settings.host) == (9001, "::1")
    assert settings.cors_origins == ("https://a.example",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = 1", r"no table \[serve\]"),
        ("[serve]\nprot = 1", "unknown serve settings.*prot"),
        ("[serve]\nport = '1'", "expected int"),
        ("[serve]\nuses_encoder = 1", "expected bool"),
        ("[serve]\ncors_origins = 'x'", "list of texts"),
        ("[serve", "not a TOML file"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "serve.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        Settings.from_file(path)
