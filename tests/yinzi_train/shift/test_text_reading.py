"""What users give: text in many forms, sets, and what is no text."""

from __future__ import annotations

from pathlib import Path

import pytest

from yinzi_train.corpus.errors import CorpusError
from yinzi_train.shift.errors import ShiftError
from yinzi_train.shift.reading import read_sample


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_folder_is_cleaned_and_cut(tmp_path: Path) -> None:
    write(tmp_path / "texts/a.txt", "<b>我要买票!</b>多少钱?\n\n我要买票!\n")
    write(tmp_path / "texts/b.md", "# 标题\n```\n代码里的字\n```\n再见")
    sample = read_sample([tmp_path / "texts"])
    assert set(sample.runs) == {"我要买票", "多少钱", "标题", "再见"}
    assert (sample.notes.n_repeated, sample.notes.n_lines) == (1, 4)


def test_traditional_text_is_counted_and_turned(tmp_path: Path) -> None:
    sample = read_sample([write(tmp_path / "a.txt", "我們去買機票\n好的\n")])
    assert sample.runs == ("我们去买机票", "好的")
    assert sample.notes.n_traditional == 1


def test_set_keeps_rows_and_pinyin(tmp_path: Path) -> None:
    rows = "a.0\t你好\tni hao\nb.0\t機票\tji piao\t我要買\n"
    sample = read_sample([write(tmp_path / "set.tsv", rows)])
    assert sample.pinyin == ("ni hao", "ji piao")
    assert sample.runs == ("你好", "机票")
    assert sample.left_contexts == ("", "我要买")
    assert sample.notes.n_traditional == 1


def test_table_of_text_is_no_set(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.tsv", "id\tbody\n1\t你好吗\n")
    with pytest.raises(CorpusError, match="no column 'text'"):
        read_sample([path])
    assert read_sample([path], text_column="body").runs == ("你好吗",)


def test_set_among_texts_counts_as_text(tmp_path: Path) -> None:
    write(tmp_path / "texts/a.txt", "早上好")
    write(tmp_path / "texts/b.tsv", "x.0\t机票\tji piao\t我要买\n")
    sample = read_sample([tmp_path / "texts"])
    assert set(sample.runs) == {"早上好", "我要买机票"}
    assert sample.pinyin == ()


def test_part_of_a_long_text_is_taken_from_all_of_it(tmp_path: Path) -> None:
    digits = "一二三四五六七八九十"
    lines = [f"第{digits[i // 100]}{digits[i // 10 % 10]}{digits[i % 10]}号" for i in range(1000)]
    path = write(tmp_path / "a.txt", "\n".join(lines))
    sample = read_sample([path], max_sentences=100)
    again = read_sample([path], max_sentences=100)
    assert sample.runs == again.runs
    assert sample.n_sentences == 100
    places = [lines.index(run) for run in sample.runs]
    assert places == sorted(places)
    assert min(places) < 100
    assert max(places) > 900


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", b"", "the text is empty"),
        ("latin.txt", b"hello\nworld\n", r"no hanzi to compare in 2 lines .*no_hanzi 2"),
        ("binary.txt", bytes(range(256)) * 20, "is no text: 20 of its first 5,120 bytes are NUL"),
        ("utf16.txt", "你好".encode("utf-16"), "UTF-16"),
        ("picture.png", b"\x89PNG", "cannot tell the kind of 'picture.png'"),
        ("set.tsv", b"a.0\t\xe4\xbd\xa0\tni\nb.0\n", r"1 column\(s\)"),
    ],
    ids=["empty", "latin", "binary", "utf-16", "picture", "damaged set"],
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_text_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Exception, match=message):
        read_sample([path])


def test_missing_path_and_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such file or folder"):
        read_sample([tmp_path / "nothing.txt"])
    (tmp_path / "folder").mkdir()
    with pytest.raises((CorpusError, ShiftError), match="nothing to read"):
        read_sample([tmp_path / "folder"])
