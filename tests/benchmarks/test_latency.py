"""Start-up and keys of a fake `yinzi` package that stands before the installed one on the path."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import latency
from benchmarks.engines import BenchmarkError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="starts processes the POSIX way")

FAKE_YINZI = """
from types import SimpleNamespace


class Keys:
    typed = ""

    def update(self, text):
        assert len(text) == len(self.typed) + 1 and text.startswith(self.typed), text
        self.typed = text
        return []


def load(artifact):
    if artifact == "missing":
        raise SystemExit("no artifact 'missing'")
    candidate = SimpleNamespace(text="我要买机票")
    return SimpleNamespace(convert=lambda pinyin: [candidate], type_keys=Keys)
"""


@pytest.fixture
def fake_yinzi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake" / "yinzi").mkdir(parents=True)
    (tmp_path / "fake" / "yinzi" / "__init__.py").write_text(FAKE_YINZI, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))


@pytest.mark.usefixtures("fake_yinzi")
def test_latency_measures_start_and_every_key(
    tmp_path: Path, tiny_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "latency.json"
    assert latency.main([str(tiny_set), "--repeat", "1", "--json", str(path)]) == 0
    result = json.loads(path.read_text(encoding="utf-8"))
    start, keys = result["start"], result["keys"]
    assert start["first_candidate"] == "我要买机票"
    parts = start["import_ms"] + start["load_ms"] + start["first_conversion_ms"]
    assert start["total_ms"] == pytest.approx(parts, abs=0.05)
    assert start["process_ms"] > start["total_ms"]
    assert 2**20 < start["peak_rss_bytes"] < 2**27
    assert (keys["n_inputs"], keys["keystrokes"]) == (3, len("nihao" + "zaijian" + "hao"))
    assert 0 < keys["p50_ms"] <= keys["p95_ms"] <= keys["p99_ms"] <= keys["max_ms"]
    assert "| keys typed | 15 |" in capsys.readouterr().out


@pytest.mark.usefixtures("fake_yinzi")
def test_latency_passes_on_what_loading_says() -> None:
    with pytest.raises(BenchmarkError, match="no artifact 'missing'"):
        latency.measure_start(artifact="missing", n_repeats=1)


def test_latency_ends_with_1_for_a_missing_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert latency.main(["none.tsv"]) == 1
    assert "error: cannot read 'none.tsv'" in capsys.readouterr().err
