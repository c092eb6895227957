from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from yinzi.errors import LexiconError
from yinzi_train.lexicon.build import collect_words
from yinzi_train.lexicon.sources import (
    HANZI_SOURCES,
    READING_SOURCES,
    WORD_SOURCES,
    Entry,
    read_source,
)

ALL = {**HANZI_SOURCES, **READING_SOURCES, **WORD_SOURCES}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jieba_dict.txt.xz", Entry("机票", frequency=80.0)),
        ("cedict_ts.u8.xz", Entry("飞机")),
        ("phrase-pinyin_pinyin.txt.xz", Entry("行走", "xíng zǒu")),
        ("thuocl_food.txt.xz", Entry("吃饭", frequency=120.0)),
        ("thuocl_food.txt.xz", Entry("饭票")),
        ("wanxiang_chengyu.txt.xz", Entry("谢天谢地吗")),
        ("areacity_level3.csv.xz", Entry("西安市")),
        ("idiom_pinyin_explained.csv.xz", Entry("明天再见")),
    ],
    ids=["jieba", "cedict", "phrase", "thuocl", "no frequency", "rime words", "area", "idiom"],
)
def test_word_source_gives_words(lexicons_folder: Path, name: str, expected: Entry) -> None:
    assert expected in list(read_source(lexicons_folder, name, WORD_SOURCES[name]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pinyin-data_pinyin.txt.xz", Entry("要", "yāo")),
        ("wanxiang_chars.dict.yaml.xz", Entry("好", "hào", 700.0)),
    ],
    ids=["pinyin-data", "rime"],
)
def test_hanzi_source_gives_readings(lexicons_folder: Path, name: str, expected: Entry) -> None:
    assert expected in list(read_source(lexicons_folder, name, HANZI_SOURCES[name]))


def test_readings_of_words_keep_tones_and_weights(lexicons_folder: Path) -> None:
    name = "wanxiang_place.dict.yaml.xz"
    entries = list(read_source(lexicons_folder, name, READING_SOURCES[name]))
    assert entries == [Entry("西安", "xī ān", 99.0)]


def test_only_words_of_one_to_eight_hanzi_are_kept(lexicons_folder: Path) -> None:
    lines = "我 1 r\nA股 1 n\n要3 1 n\n我我我我我我我我 1 n\n我我我我我我我我我 1 n\n 1 x\n"
    (lexicons_folder / "jieba_dict.txt.xz").write_bytes(lzma.compress(lines.encode()))
    entries = read_source(lexicons_folder, "jieba_dict.txt.xz", ALL["jieba_dict.txt.xz"])
    assert [entry.word for entry in entries] == ["我", "我我我我我我我我"]


def test_windows_line_ends_and_byte_order_mark_are_accepted(lexicons_folder: Path) -> None:
    data = "\ufeff我 1 r\r\n要 2 v\r\n".encode()
    (lexicons_folder / "jieba_dict.txt.xz").write_bytes(lzma.compress(data))
    entries = read_source(lexicons_folder, "jieba_dict.txt.xz", ALL["jieba_dict.txt.xz"])
    assert list(entries) == [Entry("我", frequency=1.0), Entry("要", frequency=2.0)]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("jieba_dict.txt.xz", None, "no lexicon source 'jieba_dict.txt.xz'"),
        ("jieba_dict.txt.xz", b"not packed", "cannot read jieba_dict.txt.xz"),
        ("jieba_dict.txt.xz", lzma.compress(b"\xe6\x88\x91 1 r\n")[:-9], "cannot read jieba"),
        ("jieba_dict.txt.xz", lzma.compress("我 1 r\n".encode("gbk")), "cannot read jieba"),
        ("jieba_dict.txt.xz", lzma.compress("我 many r\n".encode()), "not in the expected format"),
        ("areacity_level3.csv.xz", lzma.compress(b"id,title\n1,2\n"), "not in the expected format"),
    ],
    ids=["missing", "not packed", "truncated", "not UTF-8", "no number", "no column"],
)
def test_bad_source_is_named(
    lexicons_folder: Path, name: str, data: bytes | None, message: str
) -> None:
    path = lexicons_folder / name
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(LexiconError, match=message):
        list(read_source(lexicons_folder, name, ALL[name]))


def test_collect_words_joins_all_lists(lexicons_folder: Path) -> None:
    words, general, by_source = collect_words(lexicons_folder)
    assert words["我"] == 900.0
    assert words["飞机"] == words["吃饭"] == words["张"] == 0.0
    assert "张" in general
    assert "A股" not in words
    assert by_source["jieba_dict.txt.xz"] == 6
    assert by_source["thuocl_animal.txt.xz"] == 0
