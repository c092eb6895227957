from __future__ import annotations

import pytest

from yinzi.errors import ConfigError
from yinzi.pinyin import FULL_PINYIN, SYLLABLES, EdgeKind, SyllableGraph
from yinzi.pinyin.fuzzy import (
    FUZZY_PROFILES,
    FUZZY_SWITCHES,
    FuzzyPinyin,
    read_switches,
    with_fuzzy,
)


def _read(text: str, *switches: str) -> dict[str, float]:
    """Return the merged readings of a text that is one syllable, with their penalties."""
    graph = SyllableGraph.from_text(text, scheme=with_fuzzy(FULL_PINYIN, switches))
    return {
        SYLLABLES[edge.syllable_lo]: edge.logprob
        for edge in graph.edges
        if edge.kind is EdgeKind.FUZZY and edge.end - edge.start == len(text)
    }


@pytest.mark.parametrize(
    ("text", "switches", "meant"),
    [
        ("si", ["s-sh"], {"shi"}),
        ("shi", ["s-sh"], {"si"}),
        ("zang", ["z-zh", "an-ang"], {"zan", "zhang", "zhan"}),
        ("nan", ["n-l"], {"lan"}),
        ("huang", ["f-h"], {"fang"}),
        ("fei", ["f-h"], {"hei", "hui"}),
        ("yin", ["in-ing"], {"ying"}),
        ("lian", ["ian-iang"], {"liang"}),
        ("lian", ["an-ang"], set()),
        ("zei", ["z-zh"], {"zhei"}),
        ("fo", ["s-sh"], set()),
    ],
)
def test_switches_add_what_is_merged(text: str, switches: list[str], meant: set[str]) -> None:
    read = _read(text, *switches)
    assert set(read) == {one for one in meant if one in SYLLABLES}
    assert all(logprob < 0 for logprob in read.values())


def test_directions_have_their_own_penalties() -> None:
    assert _read("si", "s-sh")["shi"] > _read("shi", "s-sh")["si"]


def test_two_changes_cost_as_much_as_both() -> None:
    read = _read("zang", "z-zh", "an-ang")
    assert read["zhan"] == pytest.approx(read["zhang"] + read["zan"])


def test_initials_and_incomplete_syllables_are_ranges() -> None:
    scheme = with_fuzzy(FULL_PINYIN, ("n-l", "z-zh"))

    def ranges(text: str) -> set[tuple[str, str]]:
        edges = SyllableGraph.from_text(text, scheme=scheme).edges
        fuzzy = [edge for edge in edges if edge.kind is EdgeKind.FUZZY and edge.end == len(text)]
        return {(SYLLABLES[edge.syllable_lo], SYLLABLES[edge.syllable_hi - 1]) for edge in fuzzy}

    assert ("la", "lve") in ranges("n")
    assert ranges("z") == set()  # what z can be holds zh already
    assert ("zong", "zou") in ranges("zho")


def test_readings_as_spelled_stay() -> None:
    plain = SyllableGraph.from_text("zhongguo")
    graph = SyllableGraph.from_text("zhongguo", scheme=with_fuzzy(FULL_PINYIN, FUZZY_SWITCHES))
    assert set(plain.edges) <= set(graph.edges)


def test_many_merged_syllables_are_not_pruned() -> None:
    scheme = with_fuzzy(FULL_PINYIN, ("s-sh",))
    graph = SyllableGraph.from_text("shishishishi", scheme=scheme)
    assert sum(edge.kind is EdgeKind.FUZZY for edge in graph.edges) == 4


def test_profiles_name_known_switches() -> None:
    for switches in FUZZY_PROFILES.values():
        assert set(switches) <= set(FUZZY_SWITCHES)
    assert FUZZY_PROFILES["none"] == ()
    assert read_switches("none,n-l") == ("n-l",)


def test_no_switch_is_the_plain_scheme() -> None:
    assert with_fuzzy(FULL_PINYIN, ()) is FULL_PINYIN


@pytest.mark.parametrize("name", ["zh-z", "north"])
def test_unknown_switch_names_those_known(name: str) -> None:
    with pytest.raises(ConfigError, match=r"z-zh.*sichuan"):
        read_switches(name)
    with pytest.raises(ConfigError, match="unknown fuzzy switch"):
        FuzzyPinyin(FULL_PINYIN.sources, (name,))
