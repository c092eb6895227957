from __future__ import annotations

import sys

import pytest

from yinzi.converter import Candidate, Converter, LatePolicy, OutputForm, output
from yinzi.converter.output import number_variants
from yinzi.converter.punctuation import chinese_punctuation
from yinzi.errors import ConfigError, MissingExtra


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("你好,世界!", "你好，世界！"),
        ("你好, 世界", "你好，世界"),
        ('他说:"你好."', "他说：“你好。”"),
        ("'引'和\"a\"", "‘引’和“a”"),
        ("(你好)", "（你好）"),
        ("价格3.14元,时间12:30.", "价格3.14元，时间12:30。"),
        ("写给a.b@c.com,好吗?", "写给a.b@c.com，好吗？"),
        ("看https://a.com/b?x=1,2 好!", "看https://a.com/b?x=1,2 好！"),
        ("打开main.py;好", "打开main.py；好"),
        ("我用iPhone.", "我用iPhone。"),
        ("don't,你好", "don't，你好"),
        ("等等...", "等等……"),
        ("好--的", "好——的"),
        ("Hello, world!", "Hello, world!"),
        ("说Hello, world吧", "说Hello, world吧"),
        ("", ""),
    ],
)
def test_chinese_punctuation(text: str, changed: str) -> None:
    assert chinese_punctuation(text) == changed


@pytest.mark.parametrize(
    ("text", "left_context", "changed"),
    [
        (",", "你好", "，"),
        (",", "hello", ","),
        ('你好"', '他说"', "你好”"),
        ('你好"', "他说“", "你好”"),
        ('"你好', "他说“你”", "“你好"),
    ],
)
def test_punctuation_after_a_text(text: str, left_context: str, changed: str) -> None:
    assert chinese_punctuation(text, left_context=left_context) == changed


@pytest.mark.parametrize(
    ("text", "variants"),
    [
        ("2026年11月3日", ["二〇二六年十一月三日"]),
        ("123", ["一百二十三", "一二三", "壹佰贰拾叁"]),
        ("5", ["五", "伍"]),
        ("买100块", ["买一百块"]),
        ("007号", ["〇〇七号"]),
        ("12:30", []),
        ("3.5元", []),
        ("你好", []),
        ("1" * 30, []),
    ],
)
def test_number_variants(text: str, variants: list[str]) -> None:
    assert number_variants(text) == variants


def test_number_variants_come_behind_the_sentences(converter: Converter) -> None:
    plain = converter.candidates("100 mai piao", n_best=2)
    shown = converter.with_output(OutputForm()).candidates("100 mai piao", n_best=2)
    assert [one.text for one in shown[:2]] == [one.text for one in plain[:2]]
    assert shown[2].text == "一百" + plain[0].text.removeprefix("100")
    assert [one for one in shown if one in plain] == plain


def test_limit_holds_with_variants(converter: Converter) -> None:
    assert len(converter.with_output(OutputForm()).candidates("100 mai piao", limit=2)) == 2


def test_traditional_output_and_context(converter: Converter) -> None:
    pytest.importorskip("opencc")
    traditional = converter.with_output(OutputForm("traditional"))
    assert traditional.convert("woyaomaijipiao")[0].text == "我要買機票"
    assert traditional.output is not None
    assert traditional.output.read_context("我要買") == "我要买"
    typed = traditional.type_keys(left_context="我要買").update("jipiao")
    plain = converter.type_keys(left_context="我要买").update("jipiao")
    assert typed[0].logprob == plain[0].logprob
    assert typed[0].text == "機票"


def test_scripts_differ(converter: Converter) -> None:
    pytest.importorskip("opencc")
    written = {
        script: OutputForm(script).write(["里面", "台湾\n"]) for script in ("taiwan", "hongkong")
    }
    assert written == {"taiwan": ["裡面", "臺灣\n"], "hongkong": ["裏面", "台灣\n"]}


def test_texts_that_become_equal_are_shown_once() -> None:
    candidates = [Candidate(text, -1.0, 0, 2, "sentence", ("ni",)) for text in ("好,", "好，")]
    shown = OutputForm(punctuation="chinese").apply(candidates)
    assert [one.text for one in shown] == ["好，"]


def test_late_results_have_the_form_too(converter: Converter) -> None:
    typing = converter.with_output(OutputForm(punctuation="chinese")).type_keys(
        late_policy=LatePolicy()
    )
    assert typing.update("nihao!")[0].text == "你好！"
    assert typing.late_update()[0].text == "你好！"


def test_output_can_be_taken_off(converter: Converter) -> None:
    formed = converter.with_output(OutputForm(punctuation="chinese"))
    assert formed.convert("nihao!")[0].text == "你好！"
    assert formed.with_output(None).convert("nihao!")[0].text == "你好!"
    assert converter.convert("nihao!")[0].text == "你好!"


@pytest.mark.parametrize("form", [{"script": "klingon"}, {"punctuation": "none"}])
def test_unknown_names_are_refused(form: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="expected one of"):
        OutputForm(**form)  # type: ignore[arg-type]


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    output._opencc.cache_clear()
    monkeypatch.setitem(sys.modules, "opencc", None)
    with pytest.raises(MissingExtra, match=r"yinzi\[traditional\]"):
        OutputForm("taiwan")
