from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from yinzi.errors import UserLexiconError
from yinzi.user import UserLexicon
from yinzi.user.formats import WordListFormat, export_words, import_words, parse_words

TABLE = ["a", "hao", "ni", "shi", "jie"]


def make_scel(groups: list[tuple[list[int], list[str]]], *, n_words: int | None = None) -> bytes:
    data = bytearray(0x1540)
    data[:12] = b"\x40\x15\x00\x00\x44\x43\x53\x01\x01\x00\x00\x00"
    count = sum(len(words) for _, words in groups) if n_words is None else n_words
    struct.pack_into("<II", data, 0x120, len(groups), count)
    data += struct.pack("<HH", len(TABLE), 0)
    for number, syllable in enumerate(TABLE):
        letters = syllable.encode("utf-16-le")
        data += struct.pack("<HH", number, len(letters)) + letters
    for ids, words in groups:
        data += struct.pack(f"<HH{len(ids)}H", len(words), 2 * len(ids), *ids)
        for word in words:
            text = word.encode("utf-16-le")
            data += struct.pack("<H", len(text)) + text + struct.pack("<H", 10) + bytes(10)
    return bytes(data)


SCEL = make_scel([([2, 1], ["你好", "拟好"]), ([3, 4], ["世界"]), ([len(TABLE) + 25, 2], ["Z你"])])


@pytest.fixture
def user(tmp_path: Path) -> Iterator[UserLexicon]:
    lexicon = UserLexicon(tmp_path / "user.sqlite3")
    yield lexicon
    lexicon.close()


def stored(user: UserLexicon) -> dict[str, str]:
    return {word.text: " ".join(word.syllables) for word in user.words()}


RIME = """# a comment
---
name: test
version: "1"
sort: by_weight
columns:
  - code
  - text
  - weight
...

ni hao\t你好\t100
shi jie\t世界
nü er\t女儿\t10%
chang hao\t长好\t0%
ka la O K\t卡拉OK\t5
"""


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.dict.yaml", RIME, {"你好": "ni hao", "世界": "shi jie", "女儿": "nv er"}),
        ("a.dict.yaml", "---\nname: a\n...\n你好\tni hao\t3\n", {"你好": "ni hao"}),
        ("a.dict.yaml", "---\ncolumns: [text, code]\n...\n你好\tni hao\n", {"你好": "ni hao"}),
        ("a.tsv", "# words\n你好\tnǐ hǎo\t7\r\n\n世界\tshi4jie4\n", {"你好": "ni hao"}),
        ("a.tsv", "\ufeff你好\tni hao\n", {"你好": "ni hao"}),
        ("a.txt", "你好 ni'hao 12\n世界 shi'jie\n", {"你好": "ni hao", "世界": "shi jie"}),
        ("a.txt", "你好 ni'hao -0.53\n", {"你好": "ni hao"}),
        ("a.txt", "你好\n再见\n", {"你好": "ni hao"}),
    ],
)
def test_text_lists_are_read(
    user: UserLexicon, tmp_path: Path, name: str, content: str, expected: dict[str, str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())
    import_words(user, path, read=lambda text: ["ni", "hao"] if text == "你好" else None)
    assert stored(user) == expected


def test_what_is_left_out_is_told(user: UserLexicon, tmp_path: Path) -> None:
    path = tmp_path / "a.dict.yaml"
    path.write_text(RIME, encoding="utf-8")
    report = import_words(user, path)
    assert (report.n_words, report.n_new) == (5, 3)
    assert report.n_dropped == {"reading not used": 1, "not only hanzi": 1}
    assert report.first_dropped["not only hanzi"] == "line 16: 卡拉OK"


def test_frequent_words_weigh_more(user: UserLexicon, tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("你好\tni hao\t1000\n世界\tshi jie\t10\n再见\tzai jian\t0\n", encoding="utf-8")
    import_words(user, path)
    weights = {word.text: word.weight for word in user.words()}
    assert weights["你好"] == 2.0
    assert weights["再见"] < weights["世界"] < weights["你好"]


def test_scel_is_read(user: UserLexicon, tmp_path: Path) -> None:
    path = tmp_path / "words.scel"
    path.write_bytes(SCEL + "DELTBL".encode("utf-16-le") + b"\x00\x00")
    report = import_words(user, path)
    assert stored(user) == {"你好": "ni hao", "拟好": "ni hao", "世界": "shi jie"}
    assert report.n_dropped == {"not only hanzi": 1}


def test_scel_letters_follow_the_table(tmp_path: Path) -> None:
    path = tmp_path / "words.scel"
    path.write_bytes(SCEL)
    assert [word.syllables for word in parse_words(path)][-1] == ("z", "ni")


@pytest.mark.parametrize("cut", [4, 0x122, 0x1541, 0x1550, len(SCEL) - 30, len(SCEL) - 1])
def test_a_scel_that_is_cut_off_is_told(user: UserLexicon, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "words.scel"
    path.write_bytes(SCEL[:cut])
    with pytest.raises(UserLexiconError, match=r"cut off|is no .scel"):
        import_words(user, path)
    assert user.words() == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.scel", b"", "is no .scel file: it begins with nothing"),
        ("a.scel", b"PK\x03\x04 a zip", "begins with 50 4b 03 04"),
        ("a.scel", make_scel([([2, 1], ["你好"])], n_words=7), "says that it has 7"),
        ("a.tsv", "你好\tni hao\n再见\tzai jian\tx\n".encode(), "line 2: 'x'"),
        ("a.tsv", "你好\tni hao\t1\t2\n".encode(), "line 1: 4 columns"),
        ("a.tsv", "你好\tni hao\n".encode("gb18030"), "line 1: byte 0 is no UTF-8"),
        ("a.tsv", "你好\tni hao\t-3\n".encode(), "line 1: '-3'"),
        ("a.tsv", "你好\twqvb\n再见\tcfmq\n".encode(), "2 of 2 words are no pinyin"),
        ("a.txt", "你好 ni'hao x\n".encode(), "line 1: 'x'"),
        ("a.yaml", "你好\tni hao\n".encode(), "the first is missing"),
        ("a.yaml", b"---\nname: a\n", "the second is missing"),
        ("a.yaml", b"---\ncolumns:\n  - word\n...\n", "line 3: unknown column 'word'"),
        ("a.yaml", b"---\ncolumns: [code]\n...\n", "no column 'text'"),
        ("a.yaml", "---\nname: a\n...\n你好\tni hao\tmany\n".encode(), "line 4: 'many'"),
        ("a.yaml", "---\nname: a\n...\n你\tni\t1\ts\tx\n".encode(), "line 4: 5 columns"),
    ],
)
def test_bad_lists_are_told_and_nothing_is_stored(
    user: UserLexicon, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserLexiconError, match=message):
        import_words(user, path)
    assert user.words() == []


def test_a_line_of_libpinyin_with_four_parts_is_told(user: UserLexicon, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("你好 ni'hao 1\n你好 ni hao 1\n", encoding="utf-8")
    with pytest.raises(UserLexiconError, match="line 2: 4 parts"):
        import_words(user, path)


def test_a_missing_list_is_told(user: UserLexicon, tmp_path: Path) -> None:
    with pytest.raises(UserLexiconError, match="No such file"):
        import_words(user, tmp_path / "none.tsv")


@pytest.mark.parametrize("form", [WordListFormat.TSV, WordListFormat.RIME])
def test_what_is_exported_can_be_imported(
    user: UserLexicon, tmp_path: Path, form: WordListFormat
) -> None:
    user.add("你好", ["ni", "hao"])
    user.add("女儿", ["nv", "er"])
    user.forget("世界", ["shi", "jie"])
    path = tmp_path / ("out.tsv" if form is WordListFormat.TSV else "out.dict.yaml")
    export_words(user.words(), path, form)
    other = UserLexicon(tmp_path / "other.sqlite3")
    import_words(other, path)
    assert stored(other) == {"你好": "ni hao", "女儿": "nv er"}
    other.close()


def test_export_of_a_format_that_is_only_read_is_told(user: UserLexicon, tmp_path: Path) -> None:
    with pytest.raises(UserLexiconError, match="'tsv' or 'rime'"):
        export_words([], tmp_path / "a.scel", WordListFormat.SCEL)
