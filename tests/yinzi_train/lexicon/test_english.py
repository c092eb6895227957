from __future__ import annotations

import pytest

from yinzi_train.lexicon.english import WordCounts, count_words, word_logprobs


def test_only_words_beside_hanzi_count() -> None:
    lines = [
        "我的iPhone坏了",
        "买 iphone 吧",
        "see the iphone here",
        "看 a.com/iphone 吧",
        "用iphone15吧",
    ]
    counts = count_words([(lines, True), (["他的iPhone"], False), (["没有"], False)])
    assert set(counts) == {"iphone"}
    found = counts["iphone"]
    assert found.n_sources == 2
    # One line in 25 is held out; none of these is.
    assert (found.n_all, found.n_open) == (3, 2)


def test_word_logprobs_choose_words() -> None:
    counts = {
        "kfc": WordCounts(100, 100, 10),
        "rare": WordCounts(2, 2, 2),
        "closed": WordCounts(100, 0, 10),
        "once": WordCounts(100, 100, 1),
        "fuck": WordCounts(100, 100, 10),
        "aaa": WordCounts(100, 100, 10),
        "pk": WordCounts(9, 9, 3),
        "qq": WordCounts(900, 900, 30),
    }
    words = word_logprobs(counts, {"word": 0.01, "the": 0.05, "don't": 0.1, "kfc": 0.001})
    assert list(words) == ["kfc", "qq", "word"]
    assert words["qq"] > words["kfc"] > words["word"]
    assert list(word_logprobs(counts, {"word": 0.01}, n_words=1)) == ["qq"]


@pytest.mark.parametrize("word", ["fucking", "bitches", "porns"])
def test_offensive_words_are_left_out(word: str) -> None:
    assert not word_logprobs({word: WordCounts(100, 100, 10)}, {})
