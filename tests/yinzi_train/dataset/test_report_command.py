from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer

from tests.yinzi_train.dataset.dataset_samples import SOURCES, write_dataset
from yinzi.cli.running import add_command, run_app
from yinzi.errors import ArtifactError, LexiconError
from yinzi.pinyin import parse_syllable, syllable_id
from yinzi_train.cli import report
from yinzi_train.dataset.report_lexicon import read_report_lexicon
from yinzi_train.lexicon.readings import Reading
from yinzi_train.lexicon.tables import build_tables

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command; the pictures, which take longest, are tested with the page."""
    monkeypatch.setattr("yinzi_train.dataset.report.draw_plots", lambda *_, **__: {})
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    add_command(app, report.report, examples=report.EXAMPLES)
    return lambda *arguments: run_app(app, ["report", *map(str, arguments)], name="yinzi-train")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "dataset")
    return tmp_path / "dataset"


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    """Return a folder of arrays: every hanzi of the samples, and one word of two."""
    words: dict[str, list[Reading]] = {}

    def learn(word: str, pinyin: list[str]) -> None:
        syllables = [parse_syllable(text) for text in pinyin]
        ids = tuple(syllable_id(syllable.toneless) for syllable in syllables)
        words.setdefault(word, [Reading(ids, tuple(s.tone for s in syllables), 0.0)])

    for sentences in SOURCES.values():
        for sentence in sentences:
            hanzi = [char for char in sentence.text if "一" <= char <= "鿿"]
            for char, syllable in zip(hanzi, sentence.pinyin.split(), strict=True):
                learn(char, [syllable])
    learn("银行", ["yin2", "hang2"])
    tables = build_tables(words, {})
    folder = tmp_path / "lexicon"
    folder.mkdir()
    for name, array in tables.arrays.items():
        np.save(folder / f"{name}.npy", array)
    counts = np.array([100.0 if len(word) > 1 else 1.0 for word in tables.words])
    np.save(folder / "counts.npy", counts)
    return folder


def test_command_writes_a_report_that_its_check_accepts(
    run: Run, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    assert run(dataset, "--out", out, "--lexicon", "none", "--html") == 0
    assert capsys.readouterr().out == f"{out / 'report.md'}\n"
    assert (out / "report.html").is_file()
    assert run(dataset, "--out", out, "--check") == 0
    assert "agree" in capsys.readouterr().err


def test_check_ends_with_1_and_says_why(
    run: Run, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(dataset, "--lexicon", "none") == 0
    (dataset / "README.md").write_text("nothing", encoding="utf-8")
    assert run(dataset, "--check") == 1
    assert "README.md line 1: 'nothing', but the figures give '---'" in capsys.readouterr().err


def test_lexicon_gives_coverage_and_words(run: Run, dataset: Path, lexicon: Path) -> None:
    assert run(dataset, "--lexicon", lexicon) == 0
    figures = json.loads((dataset / "report.json").read_text(encoding="utf-8"))
    readings = figures["coverage"]["readings"]
    assert readings["lexicon"] == 25
    assert readings["of_lexicon_seen"] == 25
    assert [row["syllable"] for row in readings["outside_lexicon_largest"]] == ["du", "xing"][::-1]
    assert figures["zipf"]["sampled_hanzi"] == 38
    assert figures["zipf"]["words"]["occurrences"] == 36  # 银行 (yínháng, bank) is twice one word
    page = (dataset / "report.md").read_text(encoding="utf-8")
    assert "lexicon `lexicon`: 25 of 25 (100 %)" in page


def test_folder_that_is_no_dataset_is_an_error(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--lexicon", "none") == 1
    assert "has no readable manifest.json" in capsys.readouterr().err


def test_unknown_lexicon_is_an_error() -> None:
    with pytest.raises(ArtifactError, match="no artifact 'no-such'"):
        read_report_lexicon("no-such")


def test_lexicon_without_an_array_is_an_error(lexicon: Path) -> None:
    (lexicon / "node_syllable.npy").unlink()
    with pytest.raises(LexiconError, match="node_syllable"):
        read_report_lexicon(lexicon)


def test_counts_of_another_lexicon_are_an_error(lexicon: Path) -> None:
    np.save(lexicon / "counts.npy", np.ones(3))
    with pytest.raises(LexiconError, match="counts 3 words"):
        read_report_lexicon(lexicon)
