from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.yinzi.cli.conftest import Outcome
from yinzi.pinyin.layouts import built_in_layout
from yinzi.pinyin.scheme_files import read_layout
from yinzi.pinyin.schemes import ALIASES, SCHEME_NAMES

Run = Callable[..., Outcome]


def test_all_schemes_are_listed(yinzi: Run) -> None:
    status, out, _ = yinzi("schemes")
    assert status == 0
    for name in (*SCHEME_NAMES, *ALIASES):
        assert name in out


@pytest.mark.parametrize("name", [*SCHEME_NAMES, "t9"])
def test_every_scheme_can_be_shown(name: str, yinzi: Run) -> None:
    status, out, err = yinzi("schemes", name)
    assert (status, err) == (0, "")
    assert "zhong guo ren: " in out


def test_a_shuangpin_is_shown_as_a_keyboard(yinzi: Run) -> None:
    _, out, _ = yinzi("schemes", "microsoft")
    keys = [cell.strip() for line in out.splitlines() for cell in line.split("│")]
    assert {"V zh", "A", ";"} <= set(keys)
    below = dict(zip(_row(out, "A"), _row(out, "A", 1), strict=True))
    assert below[";"] == "ing"
    assert below["D"] == "iang uang"
    assert "ang oh" in out
    assert "lo: lo or luo" in out


def _row(out: str, first: str, further: int = 0) -> list[str]:
    lines = out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.lstrip().startswith(f"│{first}"))
    return [cell.strip() for cell in lines[at + further].strip().strip("│").split("│")]


def test_a_shuangpin_is_printed_as_a_file_that_can_be_used(yinzi: Run, tmp_path: Path) -> None:
    _, out, _ = yinzi("schemes", "ziguang", "--toml")
    path = tmp_path / "own.toml"
    path.write_text(out, encoding="utf-8")
    assert read_layout(path) == ("ziguang", built_in_layout("ziguang"))
    assert yinzi("schemes", str(path)).out == yinzi("schemes", "ziguang").out
    assert yinzi("convert", "--scheme", str(path), "nihq").out == "ziguang:<nihq>\n"


def test_what_has_no_file_is_refused(yinzi: Run) -> None:
    status, out, err = yinzi("schemes", "zhuyin", "--toml")
    assert (status, out) == (1, "")
    assert "'zhuyin' is no shuangpin" in err
    assert yinzi("schemes", "--toml").status == 2


def test_convert_reads_by_a_scheme(yinzi: Run) -> None:
    assert yinzi("convert", "--scheme", "t9", "64").out == "nine-keys:<64>\n"
    assert yinzi("convert", "--scheme", "pinyin", "ni").out == "<ni>\n"


@pytest.mark.parametrize("command", [("convert", "ni"), ("explain", "ni"), ("evaluate", "x.tsv")])
def test_an_unknown_scheme_ends_the_program(command: tuple[str, ...], yinzi: Run) -> None:
    status, out, err = yinzi(*command, "--scheme", "xaohe")
    assert (status, out) == (1, "")
    assert "unknown input scheme 'xaohe'" in err
    assert "did you mean xiaohe" in err
