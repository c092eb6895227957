"""Make the input schemes that `yinzi type` switches between: one place for all it knows of them."""

from __future__ import annotations

import importlib
import string
from dataclasses import replace
from types import ModuleType
from typing import Final

from yinzi.errors import ConfigError
from yinzi.pinyin import FULL_PINYIN, EdgeKind, InputScheme, SyllableGraph
from yinzi.session import SessionSettings

__all__ = ["ACCENTS", "accent_names", "make_scheme", "scheme_names", "settings_for"]

ACCENTS: Final[dict[str, tuple[str, ...]]] = {
    "exact": (),
    "southern": ("z-zh", "c-ch", "s-sh", "an-ang", "en-eng", "in-ing"),
    "all": ("z-zh", "c-ch", "s-sh", "n-l", "f-h", "r-l", "an-ang", "en-eng", "in-ing"),
}
"""Sounds that count as one, by the name of an accent."""

_OTHER_KEYBOARDS: Final = {"nine-keys", "zhuyin", "daqian"}
"""Schemes that begin with other keys than letters, and leave none to choose with."""


def make_scheme(name: str, accent: str) -> InputScheme:
    """Return an input scheme that reads an accent's sounds as one.

    >>> make_scheme("pinyin", "exact").name
    'pinyin'

    Raises:
        ConfigError: this version has no such scheme, or reads no accents.
    """
    schemes, fuzzy = _module("schemes"), _module("fuzzy")
    if name == FULL_PINYIN.name:
        scheme = FULL_PINYIN
    elif schemes is None:
        raise ConfigError(f"unknown scheme {name!r}: this version has {FULL_PINYIN.name!r} only")
    else:
        scheme = schemes.get_scheme(name)
    switches = ACCENTS.get(accent)
    if switches is None:
        raise ConfigError(f"unknown accent {accent!r}: expected one of {', '.join(ACCENTS)}")
    if not switches:
        return scheme
    if fuzzy is None:
        raise ConfigError(f"accent {accent!r}: this version reads sounds exactly only")
    found: InputScheme = fuzzy.with_fuzzy(scheme, switches)
    return found


def scheme_names() -> tuple[str, ...]:
    """Return the schemes of this version that are typed with letters, full pinyin first."""
    schemes = _module("schemes")
    names = (FULL_PINYIN.name,) if schemes is None else schemes.SCHEME_NAMES
    return tuple(name for name in names if name not in _OTHER_KEYBOARDS)


def accent_names() -> tuple[str, ...]:
    """Return the accents of this version, the exact one first."""
    return ("exact",) if _module("fuzzy") is None else tuple(ACCENTS)


def settings_for(scheme: InputScheme, settings: SessionSettings) -> SessionSettings:
    """Return settings in which the semicolon is a letter if the scheme spells with it."""
    usual = SessionSettings()
    if not _spells_with(scheme, ";"):
        return replace(settings, joining_keys=usual.joining_keys, second_keys=usual.second_keys)
    return replace(settings, joining_keys=usual.joining_keys + ";", second_keys=())


def _spells_with(scheme: InputScheme, character: str) -> bool:
    """Tell whether a letter and the character together are a syllable."""
    graphs = (
        SyllableGraph.from_text(letter + character, scheme=scheme)
        for letter in string.ascii_lowercase
    )
    return any(
        edge.end == 2 and edge.kind is not EdgeKind.LITERAL
        for graph in graphs
        for edge in graph.edges
    )


def _module(name: str) -> ModuleType | None:
    """Import a module of yinzi.pinyin that this version may lack."""
    full_name = f"yinzi.pinyin.{name}"
    try:
        return importlib.import_module(full_name)
    except ModuleNotFoundError as error:
        if error.name != full_name:
            raise
        return None
