from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import yinzi
from benchmarks.incremental_check import check_lines, main
from tests.yinzi.tiny_lexicon import TINY
from yinzi.converter import Candidate, Converter, Typing

ROWS = "a.0\t我要买机票\two yao mai ji piao\na.1\t西安\txi an\t我是\na.2\t方案\tfang an\n"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.tsv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def test_check_finds_no_difference(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(rows), "--lines", "9", "--artifact", str(TINY)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("3 lines, 24 prefixes, ")
    assert [line.rsplit(" ", 1)[1] for line in out[1:]] == ["0", "0", "0"]


def test_check_tells_differences(
    rows: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Typing.update

    def update_wrongly(self: Typing, pinyin: str, **options: int) -> list[Candidate]:
        found = update(self, pinyin, **options)
        return [replace(found[0], syllables=("wo",)), *found[1:]] if len(pinyin) > 8 else found

    converter = yinzi.load(TINY)
    monkeypatch.setattr(Typing, "update", update_wrongly)
    monkeypatch.setattr(Converter, "candidates", lambda self, pinyin, **options: [])
    report = check_lines(converter, ["fanganxian"], [""])
    assert report.n_incremental_differences == 10
    assert report.n_reading_differences == 2
    assert report.n_batch_differences == 0
    assert len(report.shown) == 5
    assert main([str(rows), "--artifact", str(TINY)]) == 1
    assert "differs" in capsys.readouterr().out
