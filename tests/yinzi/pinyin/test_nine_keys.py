from __future__ import annotations

import pytest

from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES, EdgeKind, SyllableGraph, parse_syllable
from yinzi.pinyin.inventory import INTERJECTIONS
from yinzi.pinyin.nine_keys import LETTERS_OF_DIGITS, NINE_KEYS


def full(text: str) -> set[tuple[str, str]]:
    """Return the stretches that can be full syllables, with the syllables."""
    edges = SyllableGraph.from_text(text, scheme=NINE_KEYS).edges
    return {
        (text[edge.start : edge.end], SYLLABLES[edge.syllable_lo])
        for edge in edges
        if edge.kind is EdgeKind.FULL
    }


def literals(text: str) -> list[str]:
    edges = SyllableGraph.from_text(text, scheme=NINE_KEYS).edges
    return [text[edge.start : edge.end] for edge in edges if edge.kind is EdgeKind.LITERAL]


def test_digits_are_every_syllable_that_they_spell() -> None:
    digit_of = {letter: digit for digit, all_ in LETTERS_OF_DIGITS.items() for letter in all_}
    by_digits: dict[str, set[str]] = {}
    for syllable in set(SYLLABLES) - INTERJECTIONS - {"ê"}:
        digits = "".join(digit_of[letter] for letter in syllable)
        assert NINE_KEYS.write(parse_syllable(syllable)) == digits
        by_digits.setdefault(digits, set()).add(syllable)
    for digits, syllables in by_digits.items():
        assert {read for typed, read in full(digits) if typed == digits} == syllables
    assert {"zhong", "xiong"} <= by_digits["94664"]


def test_edges_of_one_stretch_differ() -> None:
    edges = SyllableGraph.from_text("9466448664", scheme=NINE_KEYS).edges
    assert len({(e.start, e.end, e.syllable_lo, e.syllable_hi) for e in edges}) == len(edges)


def test_digits_are_no_tones() -> None:
    edges = SyllableGraph.from_text("6442643", scheme=NINE_KEYS).edges
    assert {edge.tone for edge in edges} == {0}
    assert NINE_KEYS.write(parse_syllable("ma3")) == "62"


@pytest.mark.parametrize("border", ["1", "'", " ", "11", "1 "])
def test_borders_cut(border: str) -> None:
    found = full(f"94{border}26")
    assert (f"94{border}", "xi") in found
    assert not any(read == "xian" for _, read in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64426", []),
        ("100", ["100"]),
        ("64 10", ["10"]),
        ("64，1", ["，1"]),
        ("0", ["0"]),
        ("641", []),
    ],
)
def test_other_digits_pass_through(text: str, expected: list[str]) -> None:
    assert literals(text) == expected


def test_input_that_goes_on_ends_in_a_beginning() -> None:
    edges = SyllableGraph.from_text("644269", scheme=NINE_KEYS).incoming(6)
    alone = [edge for edge in edges if edge.start == 5]
    assert [SYLLABLES[edge.syllable_lo][0] for edge in alone] == ["w", "x", "y", "z"]
    assert {edge.logprob for edge in alone} == {-2.0}


def test_initials_alone_are_read() -> None:
    """9 7 for wo (x, y, z too) and ren: seven is p, q, r or s."""
    edges = SyllableGraph.from_text("97", scheme=NINE_KEYS).edges
    assert {SYLLABLES[edge.syllable_lo][0] for edge in edges if edge.end == 2} == set("pqrs")


def test_long_lines_stay_small() -> None:
    graph = SyllableGraph.from_text("9466448664" * 100, scheme=NINE_KEYS)
    assert len(graph.edges) < 10 * graph.n


def test_e_with_circumflex_is_refused() -> None:
    with pytest.raises(ConfigError, match="type ei"):
        NINE_KEYS.write(parse_syllable("ê"))
