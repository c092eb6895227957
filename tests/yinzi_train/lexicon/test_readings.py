from __future__ import annotations

import lzma
import math
from pathlib import Path

import pytest

from yinzi.errors import LexiconError
from yinzi.pinyin import SYLLABLES
from yinzi_train.lexicon.readings import FURTHER_SHARE, Reading, ReadingTable


@pytest.fixture
def table(lexicons_folder: Path) -> ReadingTable:
    return ReadingTable(lexicons_folder)


def spelled(readings: list[Reading]) -> list[str]:
    return [
        " ".join(
            f"{SYLLABLES[syllable]}{tone}"
            for syllable, tone in zip(reading.syllables, reading.tones, strict=True)
        )
        for reading in readings
    ]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("我", ["wo3"]),
        ("行", ["xing2", "hang2"]),
        ("银行", ["yin2 hang2"]),
        ("行走", ["xing2 zou3"]),
        ("好吃", ["hao3 chi1"]),
        ("谢谢", ["xie4 xie4"]),
        ("飞机票", ["fei1 ji1 piao4"]),
        ("䶮", []),
    ],
)
def test_main_reading_comes_first(table: ReadingTable, word: str, expected: list[str]) -> None:
    assert spelled(table.readings(word)) == expected


@pytest.mark.parametrize("word", ["行", "好", "要", "西安"])
def test_shares_of_a_word_sum_to_one(table: ReadingTable, word: str) -> None:
    readings = table.readings(word)
    assert math.isclose(sum(math.exp(reading.logprob) for reading in readings), 1.0)
    assert readings == sorted(readings, key=lambda reading: -reading.logprob)


def test_shares_set_by_hand_go_before_the_table(table: ReadingTable) -> None:
    xing, hang = (math.exp(reading.logprob) for reading in table.readings("行"))
    assert math.isclose(xing / hang, 0.7 / 0.3)


def test_readings_that_differ_in_tone_only_are_one(table: ReadingTable) -> None:
    assert spelled(table.readings("好")) == ["hao3"]
    assert spelled(table.readings("要")) == ["yao4"]


def test_attested_further_reading_has_its_share(lexicons_folder: Path) -> None:
    lines = "银行: yín xíng\n".encode()
    (lexicons_folder / "phrase-pinyin_di.txt.xz").write_bytes(lzma.compress(lines))
    main, further = ReadingTable(lexicons_folder).readings("银行")
    assert spelled([main, further]) == ["yin2 hang2", "yin2 xing2"]
    assert math.isclose(math.exp(further.logprob - main.logprob), FURTHER_SHARE)


def test_readings_that_do_not_fit_are_skipped_and_counted(lexicons_folder: Path) -> None:
    lines = "银行: yín\n行走: xing zzz\n".encode()
    (lexicons_folder / "phrase-pinyin_di.txt.xz").write_bytes(lzma.compress(lines))
    table = ReadingTable(lexicons_folder)
    assert spelled(table.readings("银行") + table.readings("行走")) == ["yin2 hang2", "xing2 zou3"]
    assert table.n_skipped == 2


def test_share_by_hand_without_a_reading_is_an_error(lexicons_folder: Path) -> None:
    for name in ("pinyin-data_pinyin.txt.xz", "wanxiang_chars.dict.yaml.xz"):
        (lexicons_folder / name).write_bytes(lzma.compress(b""))
    with pytest.raises(LexiconError, match="no table reads 行 as 'hang'"):
        ReadingTable(lexicons_folder)
