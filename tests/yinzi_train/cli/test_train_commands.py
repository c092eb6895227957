from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import yinzi
from yinzi_train.cli.main import main


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def yinzi_train(capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the program in this process."""

    def run(*arguments: str | Path) -> Outcome:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert isinstance(end.value.code, int)
        return Outcome(end.value.code, out, err)

    return run


@pytest.fixture
def build_arguments(config_path: Path, places: list[str | Path]) -> list[str | Path]:
    return ["build", config_path, *places]


@pytest.fixture
def places(tmp_path: Path, data_path: Path) -> list[str | Path]:
    return ["--data", data_path, "--out", tmp_path / "out"]


def test_build_prints_the_folder_of_an_artifact_that_converts(
    yinzi_train: Run, config_path: Path, places: list[str | Path], tmp_path: Path
) -> None:
    ended = yinzi_train("build", config_path, *places, "--workers", "2", "--created", "2025-01-31")
    assert ended.status == 0
    folder = tmp_path / "out" / "artifacts" / "tiny"
    assert ended.out == f"{folder}\n"
    lines = ended.err.splitlines()
    stages = ["lexicon", "count", "language-model", "artifact"]
    assert [line.split(": done")[0] for line in lines if ": done in" in line] == stages
    assert yinzi.load(folder).convert("woyaomaijipiao")[0].text == "我要买机票"
    again = yinzi_train("build", config_path, *places)
    assert [line.split(":")[1] for line in again.err.splitlines()] == [" kept"] * 4


def test_stages_are_commands_of_their_own(
    yinzi_train: Run, config_path: Path, places: list[str | Path], tmp_path: Path
) -> None:
    for name in ("lexicon", "count", "language-model"):
        ended = yinzi_train(name, config_path, *places)
        assert (ended.status, ended.out) == (0, "")
    ended = yinzi_train("language-model", config_path, *places, "--set", "weights.chat=3")
    assert "language-model: done" in ended.err
    shelf = tmp_path / "shelf"
    arguments = [*places, "--artifacts", shelf, "--set", "weights.chat=3"]
    ended = yinzi_train("artifact", config_path, *arguments)
    assert ended.out == f"{shelf / 'tiny'}\n"


def test_measure_and_model_card(
    yinzi_train: Run, config_path: Path, places: list[str | Path], tmp_path: Path
) -> None:
    folder = Path(yinzi_train("build", config_path, *places).out.strip())
    rows = tmp_path / "trip.tsv"
    rows.write_text("a.0\t去西安\tqu xi an\t\n", encoding="utf-8")
    ended = yinzi_train("measure", folder, rows, "--input-form", "segmented", "--limit", "5")
    assert ended.status == 0
    assert "trip" in ended.out
    card = yinzi_train("model-card", folder)
    assert card.out.startswith("# Model card: tiny 1\n")
    assert "| trip | 1 | 1.000" in card.out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--set", "weights.chta=2"], 1, "unknown key 'weights.chta'"),
        (["--set", "language_model.min_count=[1, 1, 1]"], 1, "must not ship"),
        (["--set", "chat"], 1, "expected section.key=value"),
        (["--workers", "0"], 2, "--workers"),
        (["--created", "yesterday"], 2, "is no date"),
    ],
)
def test_wrong_usage_says_what_is_wrong(
    yinzi_train: Run,
    build_arguments: list[str | Path],
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    ended = yinzi_train(*build_arguments, *arguments)
    assert ended.status == status
    assert message in " ".join(ended.err.replace("│", " ").split())
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_missing_data_folder_says_what_is_wanted(
    yinzi_train: Run, config_path: Path, tmp_path: Path
) -> None:
    ended = yinzi_train("build", config_path, "--data", tmp_path / "none", "--out", tmp_path)
    assert ended.status == 1
    assert "cannot read corpora/MANIFEST.tsv" in ended.err


def test_missing_artifact_has_no_card(yinzi_train: Run, tmp_path: Path) -> None:
    ended = yinzi_train("model-card", tmp_path / "none")
    assert ended.status == 1
    assert "no artifact folder" in ended.err
