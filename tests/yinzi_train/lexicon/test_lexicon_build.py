from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest

from yinzi.errors import ConfigError, LexiconError
from yinzi.lexicon import Lexicon
from yinzi.pinyin import SYLLABLES
from yinzi_train.lexicon.build import LexiconOptions, LexiconReport, build_lexicon
from yinzi_train.lexicon.frequencies import count_words, estimate_frequencies, word_logprobs
from yinzi_train.lexicon.readings import Reading
from yinzi_train.lexicon.tables import LexiconTables, build_tables

OPTIONS = LexiconOptions(min_unlisted_count=2)


def build(
    data_path: Path, options: LexiconOptions = OPTIONS
) -> tuple[LexiconTables, np.ndarray, LexiconReport]:
    texts = sorted((data_path / "corpora").glob("*.xz"))
    return build_lexicon(data_path / "lexicons", texts, options=options, n_workers=1)


def test_built_lexicon_reads_back(data_path: Path) -> None:
    tables, counts, report = build(data_path)
    lexicon = Lexicon(tables.arrays)
    assert lexicon.n_words == report.n_words == len(tables.words) == len(counts)
    assert lexicon.texts(np.arange(lexicon.n_words)) == tables.words
    bank = tables.words.index("银行")
    assert [(SYLLABLES[s], tone) for s, tone in lexicon.main_reading(bank)] == [
        ("yin", 2),
        ("hang", 2),
    ]


def test_counts_are_those_of_the_text(data_path: Path) -> None:
    tables, counts, report = build(data_path)
    by_word = dict(zip(tables.words, counts.tolist(), strict=True))
    assert by_word["银行"] == 6 + 2
    assert by_word["饭票"] == 0
    assert report.n_seen == sum(count > 0 for count in by_word.values())


def test_rare_hanzi_outside_general_use_need_to_be_seen(data_path: Path) -> None:
    hanzi = "U+4DAE: yǎn  # 䶮\nU+4E63: xǐ  # 乣\n"
    lexicons = data_path / "lexicons"
    for name, lines in (
        ("pinyin-data_overwrite.txt.xz", hanzi),
        ("jieba_dict.txt.xz", "\n䶮 1 n\n乣 1 n\n"),
    ):
        old = lzma.decompress((lexicons / name).read_bytes()).decode()
        (lexicons / name).write_bytes(lzma.compress((old + lines).encode()))
    text = data_path / "corpora" / "chat__talk.txt.xz"
    text.write_bytes(lzma.compress("䶮\n䶮！\n乣".encode()))
    words = build(data_path)[0].words
    assert "䶮" in words
    assert "乣" not in words


def test_max_words_keeps_the_frequent_ones(data_path: Path) -> None:
    tables, counts, _ = build(data_path, LexiconOptions(max_words=10))
    everything, all_counts, _ = build(data_path)
    assert len(tables.words) == 10
    assert set(tables.words) < set(everything.words)
    assert sorted(counts.tolist()) == sorted(all_counts.tolist())[-10:]


def test_workers_and_order_of_files_do_not_change_frequencies(data_path: Path) -> None:
    texts = sorted((data_path / "corpora").glob("*.xz"))
    words, published = ["我", "要", "机票", "你好", "买"], np.array([5.0, 1.0, 0.0, 0.0, 2.0])
    one, two = (
        estimate_frequencies(words, published, paths, n_rounds=2, n_workers=n)
        for paths, n in ((texts, 1), (texts[::-1], 2))
    )
    assert one.tolist() == two.tolist()
    by_file = count_words(words, word_logprobs(published), texts, n_workers=2)
    assert set(by_file) == set(texts)


@pytest.mark.parametrize(
    "values", [{"n_rounds": 0}, {"n_rounds": 6}, {"max_words": 0}, {"max_words": 3_000_000}]
)
def test_options_out_of_range_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        LexiconOptions(**values)


def test_word_without_reading_has_no_place() -> None:
    reading = Reading((0,), (1,), 0.0)
    with pytest.raises(LexiconError, match="'要'"):
        build_tables({"我": [reading], "要": []}, {})
