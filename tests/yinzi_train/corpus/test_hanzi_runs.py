from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinzi.errors import ConfigError
from yinzi.text import miu_spans
from yinzi_train.corpus.hanzi_runs import Fold, HanziRuns, read_hanzi_runs, read_text_blocks

TEXT = "我要买机票，3张。\r\n去 西安\n\nhello 世界\n最后"


def runs_of(runs: HanziRuns) -> list[str]:
    return [
        "".join(map(chr, runs.codes[start : start + length]))
        for start, length in zip(runs.starts, runs.lengths, strict=True)
    ]


@given(st.text("我要买〇a ，\n𠀀々", max_size=30))
def test_runs_are_those_of_the_runtime(text: str) -> None:
    assert runs_of(HanziRuns.from_text(text)) == [text[a:b] for a, b in miu_spans(text)]


@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
@pytest.mark.parametrize("name", ["plain.txt", "packed.txt.xz"])
def test_blocks_join_to_the_text(tmp_path: Path, name: str, block_bytes: int) -> None:
    data = TEXT.encode()
    path = tmp_path / name
    path.write_bytes(lzma.compress(data) if name.endswith(".xz") else data)
    assert "".join(read_text_blocks(path, block_bytes=block_bytes)) == TEXT
    runs = [run for part in read_hanzi_runs(path, block_bytes=block_bytes) for run in runs_of(part)]
    assert runs == ["我要买机票", "张", "去", "西安", "世界", "最后"]


def test_empty_file_has_no_blocks(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.touch()
    assert list(read_text_blocks(path)) == []


def test_text_that_is_not_utf8_is_named_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "chat__gbk.txt"
    path.write_bytes("好\n".encode() * 3 + "机票".encode("gbk"))
    with pytest.raises(ConfigError, match=r"'chat__gbk.txt' is not UTF-8 at byte 12 \(0xbb\)"):
        list(read_text_blocks(path, block_bytes=4))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("missing.txt", None),
        ("cut.txt.xz", lzma.compress(TEXT.encode())[:-8]),
        ("plain.txt.xz", TEXT.encode()),
    ],
    ids=["missing", "truncated", "not packed"],
)
def test_unreadable_text_is_named(tmp_path: Path, name: str, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError, match=f"cannot read text '{name}'"):
        list(read_text_blocks(tmp_path / name))


FOLDS = [Fold(0, 2), Fold(1, 2), Fold(0, 3), Fold(2, 3), Fold(6, 7), Fold(90, 100)]


def without_lines(text: str, fold: Fold) -> str:
    lines = text.split("\n")
    return "\n".join(line for number, line in enumerate(lines) if number % fold.count != fold.index)


@pytest.mark.parametrize("fold", FOLDS, ids=str)
@pytest.mark.parametrize("block_bytes", [1, 7, 40, 1 << 20])
@pytest.mark.parametrize("name", ["plain.txt", "packed.txt.xz"])
def test_left_out_lines_are_as_if_deleted(
    tmp_path: Path, name: str, block_bytes: int, fold: Fold
) -> None:
    path = tmp_path / name
    data = TEXT.encode()
    path.write_bytes(lzma.compress(data) if name.endswith(".xz") else data)
    blocks = read_hanzi_runs(path, left_out=fold, block_bytes=block_bytes)
    runs = [run for part in blocks for run in runs_of(part)]
    assert runs == runs_of(HanziRuns.from_text(without_lines(TEXT, fold)))


@given(
    st.lists(st.text("我要买a，\n\r\u2028", max_size=8), max_size=8),
    st.integers(2, 5).flatmap(lambda n: st.builds(Fold, st.integers(0, n - 1), st.just(n))),
)
def test_lines_are_counted_on_from_block_to_block(blocks: list[str], fold: Fold) -> None:
    blocks = [f"{block}\n" for block in blocks]
    line, found = 0, []
    for block in blocks:
        runs, line = HanziRuns.from_text(block).without(fold, first_line=line)
        found += runs_of(runs)
    text = "".join(blocks)
    assert line == text.count("\n")
    assert found == runs_of(HanziRuns.from_text(without_lines(text, fold)))


def test_folds_share_out_all_lines() -> None:
    lines = np.arange(100)
    held = [Fold(index, 7).holds(lines) for index in range(7)]
    assert np.sum(held, axis=0).tolist() == [1] * 100
    assert np.flatnonzero(held[2]).tolist() == list(range(2, 100, 7))


@pytest.mark.parametrize(("index", "count"), [(5, 5), (-1, 3), (0, 1), (0, 0), (1, -2)])
def test_folds_that_cannot_be_are_refused(index: int, count: int) -> None:
    with pytest.raises(ConfigError, match=f"fold {index} of {count}: expected at least 2 folds"):
        Fold(index, count)
