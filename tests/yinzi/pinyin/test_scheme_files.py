from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from yinzi.errors import ConfigError, MissingExtra
from yinzi.pinyin.layouts import LAYOUT_NAMES, built_in_layout
from yinzi.pinyin.scheme_files import format_layout, read_layout
from yinzi.pinyin.schemes import get_scheme, to_keys

Write = Callable[[str], Path]
XIAOHE = format_layout("mine", built_in_layout("xiaohe"))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_scheme(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_scheme


def line_of(text: str, start: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), start=1) if line.startswith(start))


@pytest.mark.parametrize("name", LAYOUT_NAMES)
def test_layouts_survive_their_files(name: str, write: Write) -> None:
    path = write(format_layout(name, built_in_layout(name)))
    assert read_layout(path) == (name, built_in_layout(name))


def test_a_file_is_a_scheme(write: Write) -> None:
    text = XIAOHE.replace('ang = "h"', 'ang = [",", "h"]') + '\n[syllables]\na = ["ah", "aa"]\n'
    text = text.replace('shared = ["lo"]', 'shared = ["lo", "ah"]')
    scheme = get_scheme(write(text))
    assert scheme.name == "mine"
    assert to_keys(["zhang", "a"], scheme) == "v,ah"
    assert get_scheme(str(write(text))) is scheme


def test_the_name_may_be_left_to_the_file(write: Write) -> None:
    assert read_layout(write(XIAOHE.replace('name = "mine"\n', "")))[0] == "mine"


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('ai = "d"', 'ai = "g"', 'ai = "g"', "'bg' stands for bai and beng"),
        ('sh = "u"', 'sh = "i"', 'sh = "i"', "'ia' stands for cha and sha"),
        ('shared = ["lo"]', "shared = []", 'uo = "o"', "'lo' stands for lo and luo"),
        ('ing = "k"\n', "", "[finals]", "the final 'ing' has no key, so 'bing' cannot be typed"),
        ('ch = "i"\n', "", "[initials]", "the initial 'ch' has no key, so 'cha'"),
        ('ai = "d"', 'ai = "7"', 'ai = "7"', "the final 'ai' has '7': expected one key"),
        ('ai = "d"', 'ai = "dd"', 'ai = "dd"', "the final 'ai' has 'dd': expected one key"),
        ('ai = "d"', "ai = 4", "ai = 4", "ai is 4: expected a text"),
        ('ai = "d"', 'aii = "d"', 'aii = "d"', "unknown final 'aii'"),
        ('zh = "v"', 'zk = "v"', 'zk = "v"', "unknown initial 'zk'"),
        ('shared = ["lo"]', 'shared = ["lo", "ba"]', "shared", "'ba' is declared as shared"),
        ('shared = ["lo"]', 'shared = ["lo", "!!"]', "shared", "stands for no syllable"),
        ('["spelled", "letter"]', '["spelt"]', "zero_initial", "zero_initial has 'spelt'"),
        ('["spelled", "letter"]', "[]", "zero_initial", "zero_initial is empty"),
        ('["spelled", "letter"]', '["letter"]', "zero_initial", "the syllable 'er' has no code"),
        ("[initials]", "[beginnings]", "[beginnings]", "unknown entry 'beginnings'"),
        ('name = "mine"', "name = 3", "name", "name is 3"),
    ],
)
def test_mistakes_are_named_with_their_line(
    old: str, new: str, line: str, message: str, write: Write
) -> None:
    assert old in XIAOHE
    text = XIAOHE.replace(old, new)
    with pytest.raises(ConfigError) as caught:
        read_layout(write(text))
    assert message in str(caught.value)
    lines = re.search(r"mine\.toml' line ([0-9, ]+): ", str(caught.value))
    assert lines is not None, str(caught.value)
    assert str(line_of(text, line)) in lines[1].split(", ")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('xx = "aa"', "unknown syllable 'xx'"),
        ('ba = "b"', "the syllable 'ba' has 'b': expected two keys"),
        ('hng = "hg"', "unknown syllable 'hng'"),
        ('ba = "ma"', "'ma' stands for ba and ma"),
    ],
)
def test_mistakes_in_single_codes_are_named(table: str, message: str, write: Write) -> None:
    text = f"{XIAOHE}\n[syllables]\n{table}\n"
    with pytest.raises(ConfigError, match=message) as caught:
        read_layout(write(text))
    assert f"line {len(text.splitlines())}: " in str(caught.value)


def test_all_lines_of_a_clash_are_given(write: Write) -> None:
    text = XIAOHE.replace('ai = "d"', 'ai = "g"')
    lines = f"{line_of(text, 'ai =')}, {line_of(text, 'eng =')}"
    with pytest.raises(ConfigError, match=f"line {lines}: the code 'bg'"):
        read_layout(write(text))


def test_files_that_are_none(tmp_path: Path, write: Write) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*no\.toml.*No such file"):
        get_scheme(tmp_path / "no.toml")
    with pytest.raises(ConfigError, match=r"is not valid TOML.*line 1"):
        read_layout(write("name = \nshared = []"))
    with pytest.raises(ConfigError, match=r"initials is 'v': expected a table"):
        read_layout(write('initials = "v"'))
    path = tmp_path / "mine.toml"
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_layout(path)


def test_without_a_reader_of_toml_the_extra_is_named(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise ImportError(name)

    path = write(XIAOHE)
    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(MissingExtra, match=r"yinzi\[schemes\]"):
        read_layout(path)
