"""Sets are read as they are, and what is wrong in them is named with its line."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from yinzi.errors import YinziError
from yinzi.evaluation import EvaluationError, InputForm, Row, read_rows
from yinzi.evaluation.inputs import typed_input
from yinzi.pinyin.schemes import get_scheme


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "set.tsv"
    path.write_bytes(data)
    return path


def test_read_rows_takes_context_bom_blank_lines_and_windows_ends(tmp_path: Path) -> None:
    data = "\ufeffa.0\t你好\tni  hao\r\n\r\nb.0\t再见\tzai jian\t好，\r\n"
    assert read_rows(write(tmp_path, data.encode())) == [
        Row("a.0", "你好", "ni hao"),
        Row("b.0", "再见", "zai jian", "好，"),
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "has no rows", id="empty"),
        pytest.param(b"\n\r\n", "has no rows", id="blank lines only"),
        pytest.param(b"a\tb\n", "line 1: 2 column", id="too few columns"),
        pytest.param("a\t好\thao\n\na\t好\thao\t\t\n".encode(), "line 3: 5 column", id="too many"),
        pytest.param("a\t好\thao\nb\t好\t \n".encode(), "line 2: the pinyin", id="no pinyin"),
        pytest.param(b"a\t\tb\n", "line 1: the hanzi", id="no hanzi"),
        pytest.param(b"a\t\xb5\xba\thao\n", "line 1: byte 0xb5 at offset 2", id="not UTF-8"),
    ],
)
def test_read_rows_names_what_is_wrong(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        read_rows(write(tmp_path, data))


def test_read_rows_says_that_a_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(YinziError, match="No such file"):
        read_rows(tmp_path / "none.tsv")


def test_read_rows_counts_rows_without_one_syllable_per_hanzi(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, "a\t你好\tni\nb\t好\thao\nc\t好\thao le\n".encode())
    with caplog.at_level(logging.WARNING):
        rows = read_rows(path)
    assert [row.is_aligned for row in rows] == [False, True, False]
    assert len(caplog.records) == 1
    assert "2 of 3 rows" in caplog.text
    assert "lines 1, 3" in caplog.text


@pytest.mark.parametrize(
    ("id_", "domain"),
    [
        ("news.17", "news"),
        ("lit-classic.3", "lit-classic"),
        ("tatoeba5541.0", "tatoeba"),
        ("hsk5-0507.0", "hsk5"),
        ("123", "123"),
        ("plain", "plain"),
    ],
)
def test_domain_is_the_prefix_of_the_id(id_: str, domain: str) -> None:
    assert Row(id_, "好", "hao").domain == domain


@pytest.mark.parametrize(
    ("form", "letters"),
    [
        (InputForm.SEGMENTED, "zhong guo lv er"),
        (InputForm.UNSEGMENTED, "zhongguolver"),
        (InputForm.INITIALS, "zgle"),
    ],
)
def test_typed_input_follows_the_form(form: InputForm, letters: str) -> None:
    assert typed_input(Row("0", "中国绿儿", "zhong guo lv er"), form) == letters


@pytest.mark.parametrize(
    ("name", "form", "keys"),
    [
        ("xiaohe", InputForm.SEGMENTED, "vs go lv er"),
        ("xiaohe", InputForm.UNSEGMENTED, "vsgolver"),
        ("xiaohe", InputForm.INITIALS, "vgle"),
        ("nine-keys", InputForm.UNSEGMENTED, "94664486" + "58" + "37"),
    ],
)
def test_typed_input_can_be_keys_of_a_scheme(name: str, form: InputForm, keys: str) -> None:
    row = Row("0", "中国绿儿", "zhong guo lv r")
    assert typed_input(row, form, scheme=get_scheme(name)) == keys


def test_a_row_that_a_scheme_cannot_type_is_named() -> None:
    with pytest.raises(EvaluationError, match=r"row 'a\.1' cannot be typed.*'hng' has no code"):
        typed_input(Row("a.1", "哼", "hng"), InputForm.SEGMENTED, scheme=get_scheme("abc"))


def test_mixed_input_depends_on_seed_and_row_only() -> None:
    row = Row("7", "我要去中国学习", "wo yao qu zhong guo xue xi")
    typed = {seed: typed_input(row, InputForm.MIXED, seed=seed) for seed in range(20)}
    assert typed == {seed: typed_input(row, InputForm.MIXED, seed=seed) for seed in range(20)}
    assert len(set(typed.values())) > 5
    assert all(letters.startswith("w") and " " not in letters for letters in typed.values())


def test_incomplete_input_lacks_the_end_of_the_last_syllable() -> None:
    rows = [Row(f"a.{number}", "装", "zhuang") for number in range(60)]
    typed = [typed_input(row, InputForm.INCOMPLETE) for row in rows]
    assert set(typed) == {"z", "zh", "zhu", "zhua", "zhuan"}
    assert typed == [typed_input(row, InputForm.INCOMPLETE) for row in rows]
    assert typed_input(Row("a", "我饿", "wo e"), InputForm.INCOMPLETE) == "woe"


def test_mixed_input_cuts_about_half_of_the_syllables() -> None:
    rows = [Row(str(number), "中" * 10, " ".join(["zhong"] * 10)) for number in range(100)]
    n_letters = sum(len(typed_input(row, InputForm.MIXED)) for row in rows)
    assert 0.4 < (n_letters / 1000 - 1) / 4 < 0.6
