from __future__ import annotations

import pytest

from yinzi.converter import Converter
from yinzi.errors import ConfigError
from yinzi.pinyin import FULL_PINYIN


def _texts(converter: Converter, pinyin: str) -> list[str]:
    return [candidate.text for candidate in converter.convert(pinyin)]


def test_a_slip_does_not_spoil_the_word(converter: Converter) -> None:
    (meant, *_) = _texts(converter, "woyaomaipiao")
    assert _texts(converter, "woyaomiapiao")[:1] != [meant]
    assert _texts(converter.forgiving(), "woyaomiapiao")[0] == meant


def test_candidates_name_the_syllables_that_are_meant(converter: Converter) -> None:
    best = converter.forgiving().convert("woyaomiapiao")[0]
    assert best.syllables == ("wo", "yao", "mai", "piao")
    assert (best.start, best.end) == (0, len("woyaomiapiao"))


def test_the_slip_is_among_the_penalties(converter: Converter) -> None:
    best = converter.forgiving().explain("woyaomiapiao").candidates[0]
    assert best.features["penalties"] < -1


def test_typing_letter_by_letter_gives_the_same(converter: Converter) -> None:
    forgiving = converter.forgiving(fuzzy=("n-l",))
    typing = forgiving.type_keys()
    line = "woyaomiapiao"
    for n_letters in range(1, len(line) + 1):
        typed = typing.update(line[:n_letters])
        assert [one.text for one in typed if one.kind == "sentence"] == _texts(
            forgiving, line[:n_letters]
        )


def test_an_accent_is_understood(converter: Converter) -> None:
    (meant, *_) = _texts(converter, "ni hao")
    assert _texts(converter.forgiving(fuzzy=("n-l",), corrects=False), "li hao")[0] == meant


def test_the_converter_itself_stays(converter: Converter) -> None:
    converter.forgiving()
    assert converter.scheme is FULL_PINYIN
    assert converter.forgiving(corrects=False).scheme is FULL_PINYIN


def test_unknown_switches_are_refused(converter: Converter) -> None:
    with pytest.raises(ConfigError, match="unknown fuzzy switch"):
        converter.forgiving(fuzzy=("northern",))
