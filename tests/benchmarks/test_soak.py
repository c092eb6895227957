from __future__ import annotations

import itertools
import json
import random
import sys
from pathlib import Path

import pytest

from benchmarks import soak

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
TINY = Path(__file__).resolve().parents[1] / "data" / "tiny"


def test_soak_reports_keys_and_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_set: Path
) -> None:
    path = tmp_path / "soak.json"
    arguments = ["--artifact", str(TINY), "--minutes", "0.01", "--mixed", "--sets", str(tiny_set)]
    assert soak.main([*arguments, "--json", str(path)]) == 0
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["n_keys"] == report["wall"]["n_keys"] > 0
    assert len(report["memory_mib"]) == 1
    assert 0 < report["processor"]["p50_ms"] <= report["processor"]["max_ms"]
    assert "growth in the second half: +0.00 MiB" in capsys.readouterr().out


def test_growth_is_that_of_the_second_half() -> None:
    times = soak.KeyTimes.from_seconds([0.001])
    report = soak.SoakReport(1, 1, times, times, 1.0, "", 0, [100.0, 150.0, 151.0, 153.0])
    assert report.growth_mib == 2.0


def test_inputs_change_by_a_letter_and_are_not_too_long() -> None:
    sequences = list(itertools.islice(soak.key_sequences([], random.Random(0)), 50))
    assert len({tuple(states) for states in sequences}) > 40
    for states in sequences:
        for before, after in itertools.pairwise(states):
            assert abs(len(after) - len(before)) <= 1
            assert len(after) <= soak.MAX_LETTERS + 1


def test_same_seed_same_keys() -> None:
    first, second = (
        list(itertools.islice(soak.key_sequences(["nihao"], random.Random(3)), 5)) for _ in "ab"
    )
    assert first == second
