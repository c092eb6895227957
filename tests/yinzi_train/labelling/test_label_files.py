from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from yinzi.errors import ConfigError
from yinzi_train.labelling import Labeller, label_file
from yinzi_train.labelling.files import LabelCounts


def test_lines_get_their_reading(tmp_path: Path, labeller: Labeller) -> None:
    source = tmp_path / "in.txt"
    source.write_bytes("我们来\r\n\n这条路最长，OK\n我".encode())
    seen: list[int] = []
    counts = label_file(source, tmp_path / "out.tsv", labeller, on_lines=seen.append)
    assert (tmp_path / "out.tsv").read_text(encoding="utf-8") == (
        "我们来\two3 men5 lai2\n\t\n这条路最长，OK\tzhe4 tiao2 lu4 zui4 chang2?\n我\two3\n"
    )
    assert counts == LabelCounts(n_lines=4, n_hanzi=9, n_doubtful=1)
    assert sum(seen) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.tsv"]


def test_column_of_a_compressed_table_is_labelled(tmp_path: Path, labeller: Labeller) -> None:
    source = tmp_path / "in.tsv.xz"
    source.write_bytes(lzma.compress("1\t我们\n2\t来\n".encode()))
    label_file(source, tmp_path / "out.tsv", labeller, column=2, marks=True)
    text = (tmp_path / "out.tsv").read_text(encoding="utf-8")
    assert text == "1\t我们\twǒ men\n2\t来\tlái\n"


@pytest.mark.parametrize(
    ("content", "column", "reason"),
    [
        ("1\t我\n2\n".encode(), 2, "line 2 has 1 columns, column 2"),
        ("我\n".encode(), 0, "column 0"),
        (b"\xce\xd2\n", None, "not UTF-8 at byte 0"),
    ],
    ids=["short-line", "column-zero", "gb18030"],
)
def test_bad_input_leaves_no_output(
    tmp_path: Path, labeller: Labeller, content: bytes, column: int | None, reason: str
) -> None:
    source = tmp_path / "in.tsv"
    source.write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        label_file(source, tmp_path / "out.tsv", labeller, column=column)
    assert [path.name for path in tmp_path.iterdir()] == ["in.tsv"]


def test_empty_file_gives_an_empty_file(tmp_path: Path, labeller: Labeller) -> None:
    (tmp_path / "in.txt").write_bytes(b"")
    counts = label_file(tmp_path / "in.txt", tmp_path / "out.tsv", labeller)
    assert counts == LabelCounts(0, 0, 0)
    assert (tmp_path / "out.tsv").read_bytes() == b""
