from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from benchmarks import finetuning
from benchmarks.domain_sets import sentence_rows, spread, write_rows
from yinzi.evaluation import Row, read_rows
from yinzi.pinyin import syllable_id


def accuracy(held_out: float, general: tuple[float, float], right: str, **ways: Any) -> Any:
    def sets(shift: float) -> dict[str, dict[str, float]]:
        values = {"held-out": held_out, "hsk": general[0], "tatoeba": general[1]}
        return {
            name: dict.fromkeys(
                ("miu_accuracy@1", "miu_accuracy@5", "character_accuracy"), value - shift
            )
            for name, value in values.items()
        }

    return {"fused": sets(0.0), "alone": sets(0.1), "right": right, **ways}


BEFORE = accuracy(0.5, (0.8, 0.6), "1100")
FIGURES = [
    {"domain": "law", "method": finetuning.BASE, "after": BEFORE, "n_unseen": 7},
    {
        "domain": "law",
        "method": "lora",
        "n_trained": 90_000,
        "minutes": 2.04,
        "processor_minutes": 1.5,
        "before": BEFORE,
        "after": accuracy(0.75, (0.7, 0.5), "1011"),
    },
]


def test_table_tells_what_is_gained_and_lost() -> None:
    lines = finetuning.to_markdown(FIGURES).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    base, lora = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:])
    assert base[5:] == ["50.0", "", "50.0", "50.00", "70.0", "40.0", "60.0"]
    assert lora[2:5] == ["0.09 M", "2.0", "1.5"]
    assert lora[5:7] == ["75.0 (+25.0)", "2/1"]
    assert lora[9:] == ["60.0 (-10.0)", "65.0 (+25.0)", "50.0 (-10.0)"]


def test_encoder_in_an_artifact_is_not_measured_alone() -> None:
    after = accuracy(0.75, (0.7, 0.5), "1011", alone={})
    line = finetuning.to_markdown([{**FIGURES[1], "method": "adapt", "after": after}])
    assert line.endswith("| 60.0 (-10.0) |  |  |")


def test_sentences_become_rows_with_what_stands_before(tmp_path: Path) -> None:
    pinyin = "ni hao wo yao mai piao zhang ta men dou"
    sentence = {
        "text": "你好，我要买票\t3 张他们都",
        "syllables": [syllable_id(one) for one in pinyin.split()],
    }
    unread = {"text": "他们都", "syllables": [syllable_id("ta"), -1, syllable_id("dou")]}
    rows = sentence_rows([sentence, unread], name="law")
    assert rows == [
        Row("law0.1", "我要买票", "wo yao mai piao", "你好，"),
        Row("law0.2", "张他们都", "zhang ta men dou", "你好，我要买票 3"),
    ]
    write_rows(tmp_path / "a" / "set.tsv", rows)
    assert read_rows(tmp_path / "a" / "set.tsv") == rows
    assert [row.id for row in spread([*rows, *rows], 2)] == ["law0.1", "law0.1"]
    assert len(spread(rows, 0)) == 2


def made_from(tmp_path: Path, **changes: Any) -> argparse.Namespace:
    for name in ("data", "model"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "manifest.json").write_text("{}", encoding="utf-8")
    dev = tmp_path / "hsk.tsv"
    dev.write_text("a.0\t你好\tni hao\n", encoding="utf-8")
    known = {
        "data": tmp_path / "data",
        "model": tmp_path / "model",
        "dev": [dev],
        "out": tmp_path / "out",
        **{"sentences": 2000, "epochs": 3.0, "rows": 250},
    }
    return argparse.Namespace(**{**known, **changes})


def test_runs_made_otherwise_are_not_mixed(tmp_path: Path) -> None:
    finetuning._claim(made_from(tmp_path))
    finetuning._claim(made_from(tmp_path))
    with pytest.raises(SystemExit, match="runs of other sentences, epochs"):
        finetuning._claim(made_from(tmp_path, sentences=500, epochs=1.0))


def test_run_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    for figures in FIGURES:
        folder = tmp_path / figures["method"].replace(" ", "-")
        folder.mkdir()
        (folder / "figures.json").write_text(
            json.dumps({key: value for key, value in figures.items() if key != "before"}),
            encoding="utf-8",
        )
    nowhere = tmp_path / "nowhere"
    bench = finetuning.Bench(
        "law", tmp_path, nowhere, 7, nowhere, nowhere, [], argparse.Namespace(model=nowhere)
    )
    assert [bench.measured(figures["method"]) for figures in FIGURES] == FIGURES
