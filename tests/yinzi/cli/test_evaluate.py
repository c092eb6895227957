from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from yinzi.cli.evaluate import Form
from yinzi.evaluation import InputForm

Yinzi = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def sets(tmp_path: Path) -> list[str]:
    """Return two sets; the fake converter gets the first row of the first right."""
    first, second = tmp_path / "first.tsv", tmp_path / "second.tsv"
    first.write_text("a.0\t<ni>\tni\t\na.1\t好\thao\t你\n", encoding="utf-8")
    second.write_text("b.0\t好\thao\t\n", encoding="utf-8")
    return [str(first), str(second)]


def test_forms_are_those_of_the_evaluation() -> None:
    assert [form.value for form in Form] == [form.value for form in InputForm]


def test_evaluate_prints_a_table(yinzi: Yinzi, sets: list[str]) -> None:
    status, out, err = yinzi("evaluate", *sets)
    assert status == 0
    assert "segmented input, without left context" in out
    assert "first" in out
    assert "0.500 (" in out
    assert "mean" in out
    assert "first: 1 rows have not one syllable for each hanzi" in err


def test_evaluate_prints_slices(yinzi: Yinzi, sets: list[str]) -> None:
    _, out, _ = yinzi("evaluate", "--slices", *sets)
    assert "slices of first" in out
    assert "slices of second" in out


def test_evaluate_prints_json(yinzi: Yinzi, sets: list[str]) -> None:
    arguments = ["--json", "--input-form", "initials", "--limit", "1", "--with-left-context"]
    status, out, _ = yinzi("evaluate", *arguments, sets[0])
    assert status == 0
    (report,) = json.loads(out)["sets"]
    assert report["name"] == "first"
    assert report["n_rows"] == 1
    assert report["input_form"] == "initials"
    assert report["use_left_context"] is True


def test_evaluate_types_rows_with_a_scheme(yinzi: Yinzi, tmp_path: Path) -> None:
    path = tmp_path / "set.tsv"
    path.write_text("a.0\txiaohe:<ni hc>\tni hao\t\n", encoding="utf-8")
    _, out, _ = yinzi("evaluate", "--json", "--scheme", "xiaohe", str(path))
    (report,) = json.loads(out)["sets"]
    assert report["metrics"]["miu_accuracy@1"]["value"] == 1.0
    assert report["scheme"] == "xiaohe"
    assert "segmented input, xiaohe" in yinzi("evaluate", "--scheme", "xiaohe", str(path))[1]


def test_evaluate_needs_a_file(yinzi: Yinzi) -> None:
    assert yinzi("evaluate")[0] == 2


def test_evaluate_against_itself_without_left_context(yinzi: Yinzi, sets: list[str]) -> None:
    status, out, _ = yinzi("evaluate", sets[0], "--against", "no-left-context", "--json")
    assert status == 0
    found = json.loads(out)
    whole = next(part for part in found if not part["slice"])
    assert (whole["n_rows"], whole["n_better"], whole["n_worse"]) == (2, 0, 0)
    assert whole["p_value"] == 1.0
    assert any(part["slice"] == "domain:a" for part in found)


def test_evaluate_against_prints_a_table(yinzi: Yinzi, sets: list[str]) -> None:
    status, out, _ = yinzi("evaluate", *sets, "--against", "no-encoder")
    assert status == 0
    assert "against no-encoder" in out
    assert "better" in out
