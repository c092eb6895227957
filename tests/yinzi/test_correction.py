from __future__ import annotations

import pytest

from yinzi.converter import Change, Converter
from yinzi.errors import ConfigError


def test_a_wrong_homophone_is_replaced(converter: Converter) -> None:
    found = converter.correct("我要买鸡票", change_logprob=-2.0)
    assert found.text == "我要买机票"
    (change,) = found.changes
    assert (change.start, change.end) == (3, 4)
    assert (change.original, change.replacement) == ("鸡", "机")
    assert change.margin > 0


def test_spans_count_the_characters_of_the_whole_text(converter: Converter) -> None:
    text = "OK，泥好！ 我要去西按。"
    found = converter.correct(text, change_logprob=-1.0)
    assert len(found.text) == len(text)
    for change in found.changes:
        assert text[change.start : change.end] == change.original
        assert found.text[change.start : change.end] == change.replacement
    changed = [at for at, (a, b) in enumerate(zip(text, found.text, strict=True)) if a != b]
    assert changed == [at for one in found.changes for at in range(one.start, one.end)]
    assert 3 in changed


def test_a_high_cost_changes_nothing(converter: Converter) -> None:
    assert converter.correct("我要买鸡票", change_logprob=-1000.0).changes == ()


def test_a_cost_of_nothing_gives_the_likeliest_text(converter: Converter) -> None:
    free = converter.correct("我要买鸡票", change_logprob=0.0).text
    assert free == converter.convert("wo yao mai ji piao", n_best=1)[0].text


@pytest.mark.parametrize("text", ["", " ", "abc 123", "。！？", "㐀𠀀", "\n", "々〇"])
def test_what_is_no_hanzi_or_not_known_stays(converter: Converter, text: str) -> None:
    found = converter.correct(text, change_logprob=0.0)
    assert (found.text, found.changes) == (text, ())


def test_good_text_stays(converter: Converter) -> None:
    text = "你好，我要买机票。"
    assert converter.correct(text).text == text


def test_alternatives_are_other_texts_and_hold_the_original(converter: Converter) -> None:
    found = converter.correct("我要买鸡票", change_logprob=-2.0, n_best=4)
    assert "我要买鸡票" in found.alternatives
    assert len(found.alternatives) == 3
    assert len({found.text, *found.alternatives}) == 4
    assert converter.correct("我要买鸡票").alternatives == ()


def test_pronouns_are_not_changed_into_each_other() -> None:
    import yinzi

    converter = yinzi.load("base")
    for pronoun in "他她它":
        found = converter.correct(f"{pronoun}是我的妈妈", change_logprob=0.0)
        assert found.text[0] == pronoun


def test_real_errors_are_found_with_the_default_cost() -> None:
    import yinzi

    converter = yinzi.load("base")
    found = converter.correct("今天天汽很好，我们去公圆玩吧。")
    assert found.text == "今天天气很好，我们去公园玩吧。"
    assert [(one.start, one.original) for one in found.changes] == [(3, "汽"), (11, "圆")]
    assert isinstance(found.changes[0], Change)


@pytest.mark.parametrize(("cost", "n_best"), [(0.1, 1), (float("nan"), 1), (-1.0, 0)])
def test_wrong_numbers_are_refused(converter: Converter, cost: float, n_best: int) -> None:
    with pytest.raises(ConfigError, match="expected"):
        converter.correct("你好", change_logprob=cost, n_best=n_best)
