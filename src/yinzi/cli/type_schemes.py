"""Make the input schemes that `yinzi type` switches between: one place for all it knows of them."""

from __future__ import annotations

import string
from dataclasses import replace
from typing import Final

from yinzi.converter import Converter
from yinzi.pinyin import FULL_PINYIN, EdgeKind, InputScheme, SyllableGraph
from yinzi.pinyin.fuzzy import FUZZY_PROFILES, read_switches
from yinzi.pinyin.schemes import SCHEME_NAMES, get_scheme
from yinzi.session import SessionSettings

__all__ = ["EXACT", "accent_names", "scheme_names", "settings_for", "typed_as"]

EXACT: Final = "exact"
"""The accent that tells all sounds apart."""

_OTHER_KEYBOARDS: Final = {"nine-keys", "zhuyin", "daqian"}
"""Schemes that begin with other keys than letters, and leave none to choose with."""


def typed_as(converter: Converter, scheme_name: str, accent: str) -> Converter:
    """Return a converter that reads keys by a scheme, and an accent's sounds as one.

    In full pinyin, typing errors are corrected and English words are read, too.

    Args:
        converter: what converts.
        scheme_name: a name of `yinzi.pinyin.schemes`, or a file.
        accent: profiles and switches of `yinzi.pinyin.fuzzy`, or `EXACT`.

    Raises:
        ConfigError: there is no such scheme or accent.
    """
    scheme = get_scheme(scheme_name)
    switches = () if accent == EXACT else read_switches(accent)
    is_spelled = scheme is FULL_PINYIN
    return converter.with_scheme(scheme).forgiving(
        fuzzy=switches, corrects=is_spelled, english=is_spelled
    )


def scheme_names() -> tuple[str, ...]:
    """Return the schemes that are typed with letters, full pinyin first."""
    return tuple(name for name in SCHEME_NAMES if name not in _OTHER_KEYBOARDS)


def accent_names() -> tuple[str, ...]:
    """Return the accents that there are profiles of, the exact one first."""
    return (EXACT, *(name for name, switches in FUZZY_PROFILES.items() if switches))


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
