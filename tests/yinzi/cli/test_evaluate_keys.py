from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import yinzi as package
from tests.yinzi.cli.conftest import Outcome
from yinzi.cli import loading

Yinzi = Callable[..., Outcome]


@pytest.fixture
def tiny(yinzi: Yinzi, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Yinzi:
    def load(artifact: str, *, no_encoder: bool = False) -> object:
        return package.load(tiny_folder, uses_encoder=not no_encoder)

    monkeypatch.setattr(loading, "load_converter", load)
    return yinzi


@pytest.fixture
def rows(tmp_path: Path) -> str:
    path = tmp_path / "rows.tsv"
    path.write_text("a\t我要买\two yao mai\nb\t你好\tni\nc\t你好\tni hao\n", encoding="utf-8")
    return str(path)


def test_keys_prints_markdown(tiny: Yinzi, rows: str) -> None:
    status, out, err = tiny("evaluate", "--keys", rows)
    assert status == 0
    assert "unsegmented input, without left context" in out
    header = next(line for line in out.splitlines() if "keys/hanzi" in line)
    assert header.startswith("| set")
    assert "|---" in out
    assert "| processor" in out
    assert "1 rows left out" in err


def test_keys_prints_json(tiny: Yinzi, rows: str) -> None:
    arguments = ["--late", "--json", "--limit", "1", "--input-form", "initials"]
    status, out, _ = tiny("evaluate", "--keys", rows, *arguments)
    assert status == 0
    (report,) = json.loads(out)["sets"]
    assert (report["name"], report["input_form"], report["is_late"]) == ("rows", "initials", True)
    assert report["n_rows"] == 1
    assert report["late_times"]["n_keys"] == 3


@pytest.mark.parametrize(
    "arguments", [["--late"], ["--keys", "--slices"], ["--keys", "--against", "no-encoder"]]
)
def test_options_that_clash_are_wrong_usage(tiny: Yinzi, rows: str, arguments: list[str]) -> None:
    assert tiny("evaluate", rows, *arguments)[0] == 2


def test_blanks_cannot_be_typed_as_keys(tiny: Yinzi, rows: str) -> None:
    status, _, err = tiny("evaluate", "--keys", "--input-form", "segmented", rows)
    assert status == 1
    assert "unsegmented" in err


def test_convert_writes_forms(tiny: Yinzi) -> None:
    status, out, _ = tiny("convert", "--punctuation", "chinese", "--english", "nihao,iphone!")
    assert (status, out.strip()) == (0, "你好，iphone！")


def test_convert_writes_traditional(tiny: Yinzi) -> None:
    pytest.importorskip("opencc")
    for option in (["--traditional"], ["--script", "hongkong"]):
        assert tiny("convert", *option, "woyaomaijipiao").out.strip() == "我要買機票"


def test_traditional_and_another_script_clash(tiny: Yinzi) -> None:
    assert tiny("convert", "--traditional", "--script", "taiwan", "ni")[0] == 2
