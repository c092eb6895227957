from __future__ import annotations

from pathlib import Path

import pytest

from yinzi.errors import ConfigError, InvalidPinyin
from yinzi.pinyin import FULL_PINYIN
from yinzi.pinyin.layouts import LAYOUT_NAMES
from yinzi.pinyin.schemes import ALIASES, SCHEME_NAMES, get_scheme, layout_of, to_keys


def test_names_are_those_of_the_schemes() -> None:
    assert [get_scheme(name).name for name in SCHEME_NAMES] == list(SCHEME_NAMES)
    assert get_scheme("pinyin") is FULL_PINYIN
    assert len({get_scheme(name) for name in SCHEME_NAMES}) == len(SCHEME_NAMES)


def test_other_names_lead_to_schemes() -> None:
    assert set(ALIASES.values()) <= set(SCHEME_NAMES)
    assert not set(ALIASES) & set(SCHEME_NAMES)
    assert get_scheme("Zhineng_ABC") is get_scheme("zhineng") is get_scheme("abc")
    assert get_scheme("Pinyin Jiajia") is get_scheme("jiajia")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("xiaohee", "unknown input scheme 'xiaohee'.*did you mean xiaohe"),
        ("", "expected one of pinyin, xiaohe"),
        ("qqqqq", "path of a TOML file$"),
        ("nowhere/xiaohe", "cannot read the scheme file 'nowhere/xiaohe'"),
        ("xiaohe.toml", "cannot read the scheme file 'xiaohe.toml'"),
    ],
)
def test_unknown_schemes_are_named(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        get_scheme(name)


def test_a_path_is_a_file_whatever_its_name() -> None:
    with pytest.raises(ConfigError, match="cannot read the scheme file 'xiaohe'"):
        get_scheme(Path("xiaohe"))


def test_only_shuangpin_has_a_layout() -> None:
    assert {name for name in SCHEME_NAMES if layout_of(get_scheme(name))} == set(LAYOUT_NAMES)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("pinyin", "lv4 ren"),
        ("xiaohe", "lv4 rf"),
        ("microsoft", "ly4 rf"),
        ("nine-keys", "58 736"),
        ("zhuyin", "ㄌㄩˋ ㄖㄣ"),
        ("daqian", "xm4 bp"),
    ],
)
def test_syllables_are_typed_with_their_tones_where_there_are_tones(name: str, keys: str) -> None:
    assert to_keys(["lǜ", "ren"], get_scheme(name), separator=" ") == keys


def test_no_syllable_no_keys() -> None:
    assert to_keys([], get_scheme("xiaohe")) == ""
    with pytest.raises(InvalidPinyin, match="'xq'"):
        to_keys(["xq"], get_scheme("xiaohe"))
