from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.yinzi.tiny_lexicon import TINY
from yinzi.errors import ConfigError, MissingExtra
from yinzi.serve import Settings
from yinzi.serve.ray_app import build, build_application


def test_an_open_service_has_to_be_meant() -> None:
    with pytest.raises(ConfigError, match="is_insecure"):
        build_application(Settings())


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown arguments"):
        build({"replicas": "2"})
    with pytest.raises(ConfigError, match="n_replicas"):
        build({"n_replicas": "0", "insecure": "true"})


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"yinzi\[ray\]"):
        build({"insecure": "true"})


@pytest.mark.slow
def test_two_replicas_answer_as_the_library_does() -> None:
    pytest.importorskip("ray.serve", reason="needs the extra 'ray'")
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("ray_checks.py")), str(TINY)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "two replicas" in ended.stdout
