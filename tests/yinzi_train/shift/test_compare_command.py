"""The command: tables, JSON, pages, and wrong usage."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from tests.yinzi_train.dataset.dataset_samples import write_dataset
from yinzi.cli.running import add_command, run_app
from yinzi_train.cli import compare

Run = Callable[..., int]


@pytest.fixture
def run(base_artifact: Path) -> Run:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    add_command(app, compare.compare, examples=compare.EXAMPLES)
    return lambda *arguments: run_app(app, ["compare", *map(str, arguments)], name="yinzi-train")


def test_tables_for_people(run: Run, near_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(near_path) == 0
    out = capsys.readouterr().out
    assert out.startswith("near: ")
    assert re.search(r"^characters +\d+\.\d% +\d+\.\d% to \d+\.\d%$", out, re.MULTILINE)
    assert "perplexity per hanzi" in out


def test_json_and_a_page_with_pictures(
    run: Run, far_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(far_path, "--json", "--out", out, "--html") == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((out / "compare.json").read_text(encoding="utf-8"))
    assert found["verdict"] == "far"
    assert (out / "position.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "compare.html").read_text(encoding="utf-8").count("data:image/png") == 2
    assert "## Expected accuracy" in (out / "compare.md").read_text(encoding="utf-8")


def test_words_are_compared_with_those_of_a_dataset(
    run: Run, near_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dataset(tmp_path / "dataset")
    assert run(near_path, "--data", tmp_path / "dataset", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {name for name, _ in found["domains"]} == {"chat", "news"}
    values = [value for _, value in found["domains"]]
    assert values == sorted(values)


@pytest.mark.slow
def test_measured_accuracy_stands_beside_the_expected_one(
    run: Run, near_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(near_path, "--measure", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measured"]["character_accuracy"]["value"] > 0.8
    assert found["labels"]["rows"] == 10


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--html"], (2, "--out")),
        (["--artifact", "no-such"], (1, "no artifact 'no-such'")),
        (["--reference", "nothing.json"], (1, "cannot read the figures")),
        (["--data", "nowhere"], (1, "nowhere")),
        (["--fit", "fit.json"], (1, r"column")),
    ],
    ids=["html", "artifact", "reference", "data", "fit"],
)
def test_wrong_usage_says_what_to_do(
    run: Run,
    near_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: tuple[int, str],
) -> None:
    status, message = told
    assert run(near_path, *arguments) == status
    assert message in capsys.readouterr().err


def test_artifact_without_a_part_is_refused(
    run: Run,
    near_path: Path,
    tmp_path: Path,
    base_artifact: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "lexicon").symlink_to(base_artifact / "lexicon")
    manifest = json.loads((base_artifact / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"] = {
        name: entry for name, entry in manifest["files"].items() if name.startswith("lexicon/")
    }
    (broken / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert run(near_path, "--artifact", broken) == 1
    assert "no section 'language_model'" in capsys.readouterr().err
