"""Comparisons with fake engines: figures, forms of input, and engines that break the contract."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compare
from benchmarks.engines import BenchmarkError, Engine, run_engine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="starts processes the POSIX way")


def run_compare(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    path = tmp_path / "result.json"
    assert compare.main([*arguments, "--json", str(path), "--without-yinzi"]) == 0
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def test_compare_scores_pairs_and_measures(
    tmp_path: Path, fake: str, tiny_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engines = ["--engine", f"good={fake} stats", "--engine", f"poor={fake} one"]
    result = run_compare(tmp_path, str(tiny_set), *engines, "--repeat", "2", "--baseline", "poor")
    segmented = result["modes"]["segmented"]
    good = segmented["sets"]["tiny"]["engines"]["good"]
    poor = segmented["sets"]["tiny"]["engines"]["poor"]
    assert good["metrics"]["miu_accuracy@1"]["value"] == pytest.approx(1 / 3, abs=1e-5)
    assert good["metrics"]["miu_accuracy@5"]["value"] == pytest.approx(2 / 3, abs=1e-5)
    assert good["metrics"]["character_accuracy"]["value"] == pytest.approx(3 / 5)
    assert good["against_baseline"]["n_better"] == good["against_baseline"]["n_worse"] == 0
    assert "against_baseline" not in poor
    assert good["lines_per_second"]["stated"] == 1234.0
    assert good["peak_rss_bytes"] == 2048 * 1024
    assert segmented["start"]["good"]["stated_load_seconds"] == 0.5
    assert poor["lines_per_second"]["stated"] is None
    assert 2**20 < poor["peak_rss_bytes"] < 2**26
    assert (good["n_rounds"], good["n_unsteady_lines"], good["n_unsteady_first"]) == (2, 0, 0)
    assert segmented["mean"]["poor"]["ratio_to_baseline"]["peak_rss_bytes"] == 1.0
    assert result["machine"]["threads"] == 1
    table = capsys.readouterr().out
    assert "| tiny | 3 | good | 0.333 [0.000, 1.000] | 0.667" in table
    assert "- poor gives one candidate at most: its MIU@5 is its MIU@1." in table


def test_compare_feeds_each_mode_in_the_form_that_suits_the_engine(
    tmp_path: Path, fake: str, tiny_set: Path
) -> None:
    spaced = f"spaced={fake} stats {{joined:--joined}}"
    joined = f"joined={fake} stats"
    modes = ["--mode", "unsegmented", "--mode", "initials", "--joined-initials", "joined"]
    arguments = ["--engine", spaced, "--engine", joined, *modes, "--repeat", "1"]
    modes_found = run_compare(tmp_path, str(tiny_set), *arguments)["modes"]
    assert list(modes_found) == ["unsegmented", "initials"]
    assert modes_found["initials"]["input"] == {"spaced": "spaced", "joined": "joined"}
    initials = modes_found["initials"]["sets"]["tiny"]["engines"]
    assert initials["spaced"]["metrics"]["miu_accuracy@5"]["value"] == pytest.approx(
        2 / 3, abs=1e-5
    )
    assert initials["joined"]["metrics"]["miu_accuracy@5"]["value"] == 0.0
    assert initials["spaced"]["n_without_candidate"] == 0
    assert modes_found["unsegmented"]["input"] == {"spaced": "joined", "joined": "joined"}


def test_compare_counts_lines_that_change_between_rounds(
    tmp_path: Path, fake: str, tiny_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marker = tmp_path / "marker"
    arguments = ["--engine", f"fickle={fake} fickle {marker}", "--repeat", "2"]
    result = run_compare(tmp_path, str(tiny_set), *arguments)
    part = result["modes"]["segmented"]["sets"]["tiny"]["engines"]["fickle"]
    assert (part["n_unsteady_lines"], part["n_unsteady_first"]) == (2, 0)
    assert "other candidates in another round for 2 row(s) of tiny" in capsys.readouterr().out


def test_compare_takes_time_per_key_from_engines_that_type(
    tmp_path: Path, fake: str, tiny_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engines = ["--engine", f"typing={fake} ok {{keys:--keystrokes}}", "--engine", f"not={fake} ok"]
    result = run_compare(tmp_path, str(tiny_set), *engines, "--repeat", "1", "--keys", "2")
    assert result["keys"]["typing"]["p99_ms"] == 4
    assert result["keys"]["not"] is None
    assert "| typing | 10 | 1.00 | 1.00 | – | 4.00 | 5.00 | 1.00 |" in capsys.readouterr().out


def test_recorded_commands_do_not_show_where_the_peers_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERS", "/somewhere/peers/")
    engine = Engine.parse("a=python3 /somewhere/peers/run.py a")
    assert engine.shown_command == "python3 $PEERS/run.py a"


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("crash", "engine 'bad' ended with exit code 7; its last words:\n  one\n  no dictionary"),
        ("hang", r"engine 'bad' was not done after 1 s \(1 of 3 lines written\)"),
        ("fewer", "engine 'bad' wrote 2 lines for 3 input lines"),
        ("bytes", "engine 'bad': byte 0 of its output is not UTF-8"),
    ],
)
def test_a_broken_engine_is_named(fake: str, mode: str, message: str) -> None:
    engine = Engine("bad", f"{fake} {mode}")
    with pytest.raises(BenchmarkError, match=message):
        run_engine(engine, ["ni hao", "a", "b"], timeout_seconds=1)


def test_an_engine_that_does_not_exist_is_named() -> None:
    with pytest.raises(BenchmarkError, match="'bad' cannot be started: 'no-such-program-1'"):
        run_engine(Engine("bad", "no-such-program-1 --x"), ["a"])


def test_a_failure_ends_the_run_with_1(
    fake: str, tiny_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tiny_set), "--without-yinzi", "--engine", f"bad={fake} crash"]
    assert compare.main(arguments) == 1
    assert capsys.readouterr().err.startswith("error: engine 'bad' ended with exit code 7")
    assert compare.main(["none.tsv", "--without-yinzi", "--engine", f"ok={fake} ok"]) == 1
    assert "error: cannot read 'none.tsv'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "libime"], "'libime' is not NAME=COMMAND"),
        (["--engine", "a=run {fast:--x}"], "{fast:…}"),
        (["--engine", "a=x", "--engine", "a=y"], "the same name"),
        (["--engine", "a=x", "--baseline", "b"], "no engine is named 'b'; there are yinzi, a"),
        (["--engine", "a=x", "--repeat", "0"], "--repeat must be at least 1"),
        (["--without-yinzi"], "needs at least one --engine"),
    ],
)
def test_wrong_usage_ends_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        compare.main(["set.tsv", *arguments])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
