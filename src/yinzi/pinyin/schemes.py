"""Find input schemes by name or file, and type syllables with them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from yinzi.errors import ConfigError
from yinzi.pinyin.layouts import LAYOUT_NAMES, built_in_layout
from yinzi.pinyin.nine_keys import NINE_KEYS
from yinzi.pinyin.scheme import FULL_PINYIN, InputScheme
from yinzi.pinyin.scheme_files import read_layout
from yinzi.pinyin.shuangpin import Layout, ShuangpinEdges, shuangpin_scheme
from yinzi.pinyin.syllable import parse_syllable
from yinzi.pinyin.zhuyin_input import DAQIAN, ZHUYIN

__all__ = ["ALIASES", "SCHEME_NAMES", "get_scheme", "layout_of", "to_keys"]

_FIXED = {scheme.name: scheme for scheme in (FULL_PINYIN, NINE_KEYS, ZHUYIN, DAQIAN)}

SCHEME_NAMES: tuple[str, ...] = (
    FULL_PINYIN.name,
    *LAYOUT_NAMES,
    NINE_KEYS.name,
    "zhuyin",
    "daqian",
)
"""The names of all schemes that yinzi knows."""

ALIASES: dict[str, str] = {
    "flypy": "xiaohe",
    "zrm": "ziranma",
    "ms": "microsoft",
    "mspy": "microsoft",
    "zhineng": "abc",
    "zhineng-abc": "abc",
    "pinyin-jiajia": "jiajia",
    "pyjj": "jiajia",
    "unispim": "ziguang",
    "t9": "nine-keys",
    "bopomofo": "zhuyin",
    "dachen": "daqian",
}
"""Other names of schemes. Zhineng ABC is the full name of ABC: one layout, two names."""


def get_scheme(name: str | Path) -> InputScheme:
    """Return a scheme by its name, or read one from a TOML file.

    A path, a text with a slash and a text that ends in `.toml` are files. The same name always
    gives the same object; files are read again each time.

    >>> get_scheme("xiaohe").name, get_scheme("zhineng").name
    ('xiaohe', 'abc')

    Raises:
        ConfigError: there is no such scheme, or the file does not describe one.
    """
    if isinstance(name, Path) or "/" in name or "\\" in name or name.endswith(".toml"):
        return shuangpin_scheme(*read_layout(name))
    wanted = name.lower().replace("_", "-").replace(" ", "-")
    wanted = ALIASES.get(wanted, wanted)
    if wanted not in SCHEME_NAMES:
        near = get_close_matches(wanted, [*SCHEME_NAMES, *ALIASES], n=1)
        guess = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(
            f"unknown input scheme {name!r}: expected one of {', '.join(SCHEME_NAMES)}, or the "
            f"path of a TOML file{guess}"
        )
    return _make(wanted)


@cache
def _make(name: str) -> InputScheme:
    return _FIXED.get(name) or shuangpin_scheme(name, built_in_layout(name))


def layout_of(scheme: InputScheme) -> Layout | None:
    """Return the layout of a shuangpin scheme, None of others."""
    edges = (source for source in scheme.sources if isinstance(source, ShuangpinEdges))
    return next((source.layout for source in edges), None)


def to_keys(syllables: Iterable[str], scheme: InputScheme, *, separator: str = "") -> str:
    """Return the keys that type syllables, given in any notation of `parse_syllable`.

    Tones are typed where they are given and the scheme has them.

    >>> to_keys(["ni", "hao"], get_scheme("xiaohe")), to_keys(["ni3", "hao3"], get_scheme("daqian"))
    ('nihc', 'su3cl3')

    Args:
        syllables: one text a syllable.
        scheme: how they are typed.
        separator: between two syllables, such as a blank.

    Raises:
        InvalidPinyin: a text is no syllable.
        ConfigError: the scheme has no keys for a syllable.
    """
    return separator.join(scheme.write(parse_syllable(syllable)) for syllable in syllables)
