from __future__ import annotations

import time

import pytest

import yinzi
from yinzi.artifact import resolve_artifact
from yinzi.converter import Converter
from yinzi.errors import ArtifactError, ConfigError


def texts(converter: Converter, left_context: str, n: int = 5) -> list[str]:
    return [word.text for word in converter.next_words(left_context, n=n)]


def test_words_that_follow_in_the_model(converter: Converter) -> None:
    found = converter.next_words("我要")
    assert "买" in [word.text for word in found]
    model, lexicon = converter.decoder.language_model, converter.decoder.lexicon
    first, last = converter.decoder.context_words("我要")
    for word in found:
        (number,) = converter.decoder.segmenter.segment_run(word.text).tolist()
        assert lexicon.text(number) == word.text
        assert word.logprob == pytest.approx(float(model.logprobs(first, last, number)))
        assert word.logprob > model.unigram_logprobs[number]
        assert (word.start, word.end, word.kind) == (0, 0, "word")
        assert len(word.syllables) == len(word.text)


@pytest.mark.parametrize("left_context", ["", "OK", "你好，", "你好 ", "龘", "中国银行行长"])
def test_nothing_is_suggested_where_nothing_is_known(
    converter: Converter, left_context: str
) -> None:
    found = texts(converter, left_context)
    assert found == [] or left_context == "中国银行行长"


def test_at_most_n_words_the_same_first(converter: Converter) -> None:
    assert texts(converter, "我", 2) == texts(converter, "我", 5)[:2]
    with pytest.raises(ConfigError, match="n is 0"):
        converter.next_words("我", n=0)


def test_schemes_share_the_model(converter: Converter) -> None:
    other = converter.with_scheme(converter.scheme)
    assert texts(other, "我要") == texts(converter, "我要")


@pytest.fixture(scope="module")
def base() -> Converter:
    try:
        resolve_artifact("base")
    except ArtifactError:
        pytest.skip("the artifact 'base' is not built yet")
    return yinzi.load(uses_encoder=False)


@pytest.mark.parametrize(
    ("left_context", "word"),
    [("我想", "知道"), ("谢谢", "大家"), ("人工", "服务"), ("我们", "可以"), ("北京", "时间")],
)
def test_base_suggests_sensible_words(base: Converter, left_context: str, word: str) -> None:
    assert word in texts(base, left_context, 7)


def test_base_suggests_fast(base: Converter) -> None:
    base.next_words("我")
    times = []
    for left_context in ["我想", "今天", "你好", "因为", "我喜欢", "他说"] * 3:
        started = time.process_time()
        base.next_words(left_context)
        times.append(time.process_time() - started)
    assert sorted(times)[len(times) // 2] < 0.010
