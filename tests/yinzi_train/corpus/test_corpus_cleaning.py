"""Cleaning blocks: what they change, what they drop and why."""

from __future__ import annotations

import opencc
import pytest
from datatrove.data import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from yinzi.errors import ConfigError
from yinzi.text import miu_spans
from yinzi_train.corpus.cleaning import clean_lines, cleaning_blocks
from yinzi_train.corpus.dropped import DroppedRows
from yinzi_train.corpus.markup import MarkupStripper, UrlRemover
from yinzi_train.corpus.normalization import (
    CharacterNormalizer,
    PunctuationNormalizer,
    RepeatShortener,
    ScriptConverter,
)
from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.corpus.personal_data import PersonalDataMasker
from yinzi_train.corpus.quality import (
    BoilerplateFilter,
    LanguageFilter,
    LengthFilter,
    MojibakeFilter,
    RepetitionFilter,
    count_hanzi,
)
from yinzi_train.corpus.sentences import split_clauses, split_sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<div class='a'>我要<br/>买票</div>", "我要 买票"),
        ("<!-- 注释 -->正文<script>var a = 1;</script>", "正文"),
        ("他说&ldquo;好&rdquo;&amp;&#39;行&#39;", "他说“好”&'行'"),
        ("![图片](a.png)见[这里](https://a.cn 'x')", "图片见这里"),
        ("[[西安|西安市]]和[[北京]]{{cite|x}}", "西安市和北京"),
        ("[url=http://a.cn]点我[/url][b]重[/b]", "点我重"),
        ("**重要** 和 `代码` 和 ~~删除~~", "重要 和 代码 和 删除"),
        ("### 标题 ##", "标题"),
        ("> - 引用", "引用"),
        ("| 一 | 二 |", "一   二"),
        ("| --- | :-: |", ""),
        ("=====", ""),
        ("a<b 且 c>d", "a<b 且 c>d"),
        ("#话题#今天很好", "#话题#今天很好"),
        ("3*4*5=60", "3*4*5=60"),
        ("<请不要>", "<请不要>"),
        ("f(x)[1](2)", "f(x)[1](2)"),
    ],
)
def test_markup_is_stripped_and_the_rest_stays(text: str, expected: str) -> None:
    assert MarkupStripper().format(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("看https://a.cn/b?c=1&d=2#e。好", "看。好"),
        ("官网（www.a.com/b）很好", "官网很好"),
        ("去 t.cn/AbC 看", "去 看"),
        ("百度baidu.com首页", "百度 首页"),
        ("ASP.NET 和 Node.js 和 1113.HK", "ASP.NET 和 Node.js 和 1113.HK"),
        ("版本3.5和e.g.等", "版本3.5和e.g.等"),
    ],
)
def test_urls_are_removed(text: str, expected: str) -> None:
    assert UrlRemover().format(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("找我13812345678", "找我<phone>"),
        ("+86 138-1234-5678吧", "<phone>吧"),
        ("(010)62345678转", "<phone>转"),
        ("0535-6611669你", "<phone>你"),
        ("li.lei+a@mail.example.com.cn好", "<email>好"),
        ("身份证号：11010519491231002x。", "身份证号：<id>。"),
        ("老身份证110105491231002", "老身份证<id>"),
        ("卡号6222021234567894", "卡号<card>"),
        ("卡号4111 1111 1111 1111", "卡号<card>"),
        ("卡号6222021234567890", "卡号6222021234567890"),  # Luhn digit is wrong
        ("订单12345678901234567890", "订单12345678901234567890"),
        ("身份证110105194912310021", "身份证110105194912310021"),  # check digit is wrong
        ("身份证110105194913310021", "身份证110105194913310021"),  # no such month
        ("圆周率3.14159265358979", "圆周率3.14159265358979"),
        ("2023-10-12 13:30:45", "2023-10-12 13:30:45"),
        ("共13812345678901元", "共13812345678901元"),
        ("12345678", "12345678"),
    ],
)
def test_personal_data_is_masked_only_if_it_can_be(text: str, expected: str) -> None:
    assert PersonalDataMasker().format(text) == expected


def test_placeholders_end_a_run_of_hanzi() -> None:
    (text,) = clean_lines(["电话１３８１２３４５６７８请打"])
    assert text == "电话<phone>请打"
    assert miu_spans(text) == [(0, 2), (9, 11)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("你好,世界.", "你好，世界。"),
        ("真的?!太好了!!!!!!", "真的？！太好了！！！"),
        ("他说:好;行", "他说：好；行"),
        ("好...的。。。", "好……的……"),
        ("大约(3个)吧", "大约（3个）吧"),
        ("f(x)=2,g(y)=3", "f(x)=2,g(y)=3"),
        ("3.5元,10:30到,1,000个", "3.5元，10:30到，1,000个"),
        ("用Python,然后", "用Python，然后"),
        ("他--她", "他——她"),
        ("，，，好、、的", "，好、的"),
        ("OK!", "OK!"),
    ],
)
def test_punctuation_beside_hanzi_is_full_width(text: str, expected: str) -> None:
    assert PunctuationNormalizer().format(text) == expected


def test_characters_are_normalised() -> None:
    normalizer = CharacterNormalizer()
    assert normalizer.format("\ufeff Ａ１\u3000n\u030ci\u200b\x07\t好 ") == "A1 ňi 好"
    assert normalizer.format("豈") == "豈"  # compatibility ideograph


def test_repeats_are_shortened_but_not_numbers() -> None:
    assert RepeatShortener(4).format("哈哈哈哈哈哈 100000000 啊啊") == "哈哈哈哈 100000000 啊啊"


def test_script_conversion_leaves_simplified_text_alone() -> None:
    converter = ScriptConverter("t2s")
    for text in ("刘乾、徵羽、打坏了、慰藉、瞭望、著名", "我们去买票"):
        assert converter.format(text) is text
    traditional = "我們後來於台北買機票，乾杯"
    assert converter.format(traditional) == opencc.OpenCC("t2s").convert(traditional)
    assert ScriptConverter("s2t").format("干杯，头发") == "乾杯，頭髮"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("好。走！吗？", ["好。", "走！", "吗？"]),
        ("“你去吗？”他问。", ["“你去吗？”", "他问。"]),
        ("“好！”，他说。", ["“好！”，他说。"]),
        ("真的？！好", ["真的？！", "好"]),
        ("我……我不去", ["我……我不去"]),
        ("没有句号", ["没有句号"]),
    ],
)
def test_sentences_are_split(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@given(st.text(alphabet="一二，；。 ”a", max_size=80), st.integers(4, 20))
def test_split_clauses_loses_nothing_but_blanks(text: str, max_chars: int) -> None:
    pieces = split_clauses(text, max_chars)
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("我要买票", ""),
        ("OK", "no_hanzi"),
        ("好!", "too_short"),
        ("好" * 300, "too_long"),
    ],
)
def test_length(text: str, reason: str) -> None:
    assert LengthFilter().drop_reason(text) == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("用 Python 和 C++ 写的代码", ""),
        ("これは日本語です我", "language"),
        ("나는 학교에 간다 学校", "language"),
        ("The quick brown fox 你好", "language"),
        ("电话<phone>", ""),
        ("2019年3月5日12:30", ""),
    ],
)
def test_language(text: str, reason: str) -> None:
    assert LanguageFilter().drop_reason(text) == reason


@pytest.mark.parametrize(
    ("text", "is_garbled"),
    [
        ("锟斤拷锟斤拷", True),
        ("你好\ufffd世界", True),
        ("我要买票去西安".encode().decode("cp1252", "ignore"), True),
        ("我要买票去西安".encode().decode("latin-1"), True),
        ("今天天气很好，我们去吃饭。".encode().decode("gb18030", "ignore"), True),
        ("法语的“é”、“à”和“ç”", False),
        ("ångström 是单位", False),
        ("鄂尔多斯的浜河", False),
    ],
)
def test_mojibake(text: str, is_garbled: bool) -> None:
    assert MojibakeFilter().drop_reason(text) == ("mojibake" if is_garbled else "")


@pytest.mark.parametrize(
    ("text", "is_boilerplate"),
    [
        ("版权所有 © 2020 某公司", True),
        ("未经授权不得转载", True),
        ("责任编辑：李玥", True),
        ("上一篇：某某", True),
        ("点击查看全文>>", True),
        ("欢迎关注我们的公众号", True),
        ("他关注了一个公众号。", False),
        ("请扫描二维码支付", False),
        ("下一篇文章再见！", False),
    ],
)
def test_boilerplate(text: str, is_boilerplate: bool) -> None:
    assert BoilerplateFilter().drop_reason(text) == ("boilerplate" if is_boilerplate else "")


def test_repetition_but_not_poems() -> None:
    assert RepetitionFilter().drop_reason("不错" * 20) == "repetition"
    assert RepetitionFilter().drop_reason("寻寻觅觅，冷冷清清，凄凄惨惨戚戚。") == ""
    assert RepetitionFilter().drop_reason("的" * 8) == ""


def test_filters_keep_the_contract_of_datatrove() -> None:
    filter_ = LengthFilter()
    assert filter_.filter(Document(text="我要", id="1")) is True
    assert filter_.filter(Document(text="OK", id="1")) == (False, "no_hanzi")


def test_dropped_rows_are_counted_and_sampled_alike_in_any_order() -> None:
    one, two = DroppedRows(sample_rows=3), DroppedRows(sample_rows=3)
    for at in range(50):
        one.add_text(f"a:{at}", "x", "no_hanzi")
        two.add_text(f"a:{49 - at}", "x", "no_hanzi")
    assert one.counts == {"no_hanzi": 50}
    assert one.samples() == two.samples()
    assert len(one.samples()["no_hanzi"]) == 3


def test_clean_lines_gives_clean_sentences_and_reasons() -> None:
    dropped = DroppedRows()
    lines = [
        "<p>１．我們去買票!好嗎?</p>",
        "hello world",
        "锟斤拷",
        "访问https://a.cn/b，邮箱a@b.com",
    ]
    assert list(clean_lines(lines, CorpusOptions(), dropped)) == [
        "1.我们去买票！",
        "好吗？",
        "访问，邮箱<email>",
    ]
    assert dropped.counts == {"no_hanzi": 1, "mojibake": 1}


def test_options_switch_blocks_off() -> None:
    options = CorpusOptions(
        remove_markup=False,
        remove_urls=False,
        mask_personal_data=False,
        normalize_punctuation=False,
        script="off",
        split_sentences=False,
        drop_boilerplate=False,
    )
    line = "<b>版權所有</b>,a@b.com!打13812345678?"
    assert list(clean_lines([line], options)) == [line]
    assert len(cleaning_blocks(options, DroppedRows())) < len(
        cleaning_blocks(CorpusOptions(), DroppedRows())
    )


@settings(max_examples=150, deadline=None)
@given(
    st.text(
        alphabet=st.one_of(
            st.sampled_from("我要买票。，！？,.!?…—-()（）<>[]*`#&;: \t'\"“”://@wcom138\n"),
            st.characters(),
        ),
        max_size=60,
    )
)
def test_hostile_text_never_fails_and_keeps_hanzi_in_order(text: str) -> None:
    options = CorpusOptions(script="off", remove_markup=False)
    for row in clean_lines([text], options):
        assert count_hanzi(row) >= options.min_hanzi
        assert row == row.strip()
    list(clean_lines([text]))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("script", "x"),
        ("encoding", "klingon"),
        ("encoding", "utf-16"),
        ("near_threshold", 1.5),
        ("near_ngram", 4),
        ("min_hanzi", 0),
    ],
)
def test_options_name_the_key_that_is_wrong(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=key):
        CorpusOptions(**{key: value})  # type: ignore[arg-type]
