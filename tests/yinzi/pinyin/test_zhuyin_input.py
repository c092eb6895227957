from __future__ import annotations

import pytest

from yinzi.pinyin import SYLLABLES, EdgeKind, InputScheme, SyllableGraph, parse_syllable
from yinzi.pinyin.inventory import INTERJECTIONS
from yinzi.pinyin.zhuyin_input import DAQIAN, ZHUYIN


def paths(text: str, scheme: InputScheme = ZHUYIN) -> list[list[str]]:
    graph = SyllableGraph.from_text(text, scheme=scheme)
    return [
        [
            text[edge.start : edge.end]
            if edge.kind is EdgeKind.LITERAL
            else f"{SYLLABLES[edge.syllable_lo]}{edge.tone or ''}"
            + "*" * (edge.kind is EdgeKind.INITIAL)
            for edge in path
        ]
        for path in graph.paths()
    ]


@pytest.mark.parametrize("scheme", [ZHUYIN, DAQIAN], ids=lambda scheme: scheme.name)
@pytest.mark.parametrize("tone", [0, 1, 2, 3, 4, 5])
def test_every_syllable_comes_back(scheme: InputScheme, tone: int) -> None:
    """With another syllable before it, so that a blank is known to be a tone."""
    for syllable in set(SYLLABLES) - (set() if tone else INTERJECTIONS):
        typed = scheme.write(parse_syllable(f"{syllable}{tone or ''}"))
        before = scheme.write(parse_syllable("ma4"))
        expected = ["ma4", f"{syllable}{tone or ''}"]
        assert expected in paths(before + typed, scheme), typed


@pytest.mark.parametrize(
    ("text", "scheme", "expected"),
    [
        ("ㄋㄧˇㄏㄠˇ", ZHUYIN, ["ni3", "hao3"]),
        ("ㄋㄧㄏㄠ", ZHUYIN, ["ni", "hao"]),
        ("ㄋㄧ ㄏㄠ", ZHUYIN, ["ni", "hao"]),
        ("ㄊㄚ ㄏㄠˇ", ZHUYIN, ["ta1", "hao3"]),
        ("ㄊㄚˉㄏㄠ", ZHUYIN, ["ta1", "hao"]),
        ("ㄊㄚ\u3000ㄏㄠˇ", ZHUYIN, ["ta1", "hao3"]),
        ("ㄊㄚ'ㄏㄠˇ", ZHUYIN, ["ta", "hao3"]),
        ("ㄏㄠˇ˙ㄉㄜ", ZHUYIN, ["hao3", "de5"]),
        ("ㄏㄠˇㄉㄜ˙", ZHUYIN, ["hao3", "de5"]),
        ("˙ㄉㄜ ㄊㄚ", ZHUYIN, ["de5", "ta"]),
        ("su3cl3", DAQIAN, ["ni3", "hao3"]),
        ("su3 cl3", DAQIAN, ["ni3", "hao3"]),
        ("w8 cp3", DAQIAN, ["ta1", "hen3"]),
        ("w8cp", DAQIAN, ["ta", "hen"]),
        ("2k7", DAQIAN, ["de5"]),
        ("u,4", DAQIAN, ["ye4"]),
        ("2u0-", DAQIAN, ["dian", "er"]),
        ("ㄋㄧˇ", DAQIAN, ["ni3"]),
    ],
)
def test_lines_are_read(text: str, scheme: InputScheme, expected: list[str]) -> None:
    assert expected in paths(text, scheme)


def test_neutral_sign_between_symbols_belongs_to_those_before() -> None:
    assert ["ma5", "ni"] in paths("ㄇㄚ˙ㄋㄧ")


def test_symbols_without_borders_have_every_split() -> None:
    found = paths("ㄒㄧㄢ")
    assert ["xian"] in found
    assert ["xi", "an"] in found


def test_initials_alone_stand_for_syllables() -> None:
    assert paths("ㄋㄏ") == [["n*", "ha*"]]
    (first, second) = SyllableGraph.from_text("ㄋㄏ", scheme=ZHUYIN).edges
    assert SYLLABLES[first.syllable_hi - 1] == "nve"
    assert (first.logprob, second.logprob) == (-4.0, -2.0)
    assert ["zhi"] in paths("ㄓ")


def test_interjections_need_a_tone_to_be_free_of_charge() -> None:
    graph = SyllableGraph.from_text("ㄏㄇ", scheme=ZHUYIN)
    assert min(edge.logprob for edge in graph.edges if edge.end == 2) <= -4
    assert paths("ㄇˊ") == [["m2"]]


@pytest.mark.parametrize(
    ("text", "scheme", "literals"),
    [
        ("ㄋㄧˇ，hao", ZHUYIN, ["，hao"]),
        ("ˇㄋㄧ", ZHUYIN, ["ˇ"]),
        ("ㄋㄧˇˇ", ZHUYIN, ["ˇ"]),
        ("3su", DAQIAN, ["3"]),
        ("su3，你", DAQIAN, ["，你"]),
        ("SU3", DAQIAN, ["SU3"]),
    ],
)
def test_the_rest_passes_through(text: str, scheme: InputScheme, literals: list[str]) -> None:
    edges = SyllableGraph.from_text(text, scheme=scheme).edges
    assert [text[e.start : e.end] for e in edges if e.kind is EdgeKind.LITERAL] == literals
