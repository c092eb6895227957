from __future__ import annotations

import pytest

from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES, EdgeKind, InputScheme, SyllableGraph, parse_syllable
from yinzi.pinyin.layouts import LAYOUT_NAMES, built_in_layout
from yinzi.pinyin.prefix_cover import prefix_cover
from yinzi.pinyin.schemes import get_scheme, layout_of, to_keys
from yinzi.pinyin.shuangpin import WITHOUT_CODE, Layout, ShuangpinEdges

SENTENCE = ("shuang", "pin", "er", "yue", "lv", "an", "cheng", "ou", "xing", "wei")
TYPED = {
    "xiaohe": "ulpberytlvanigouxkww",
    "ziranma": "udpnerytlvanigouxywz",
    "microsoft": "udpnorytlyojigobx;wz",
    "sogou": "udpnorytlyojigobx;wz",
    "abc": "vtpcorymlvojegobxywq",
    "jiajia": "ihpleqyxlvafutopxqww",
    "ziguang": "igpyojynlvoratozx;wk",
}


def readings(text: str, scheme: InputScheme) -> list[list[tuple[str, str, int]]]:
    """Return each path: the letters, what they can be (a star: a beginning), the tone."""
    return [
        [
            (
                text[edge.start : edge.end],
                ""
                if edge.syllable_lo < 0
                else SYLLABLES[edge.syllable_lo] + "*" * (edge.kind is not EdgeKind.FULL),
                edge.tone,
            )
            for edge in path
        ]
        for path in SyllableGraph.from_text(text, scheme=scheme).paths()
    ]


def names(text: str, name: str = "xiaohe") -> list[list[str]]:
    return [[read for _, read, _ in path] for path in readings(text, get_scheme(name))]


@pytest.mark.parametrize("name", LAYOUT_NAMES)
def test_every_syllable_comes_back_from_its_keys(name: str) -> None:
    scheme = get_scheme(name)
    layout = built_in_layout(name)
    for syllable in set(SYLLABLES) - WITHOUT_CODE:
        keys = scheme.write(parse_syllable(syllable))
        found = [path[0] for path in names(keys, name) if len(path) == 1]
        expected = {"lo", "luo"} if keys in layout.shared else {syllable}
        assert set(found) == expected, keys


@pytest.mark.parametrize("name", LAYOUT_NAMES)
def test_all_syllables_in_a_row_are_read_in_pairs(name: str) -> None:
    syllables = [s for s in SYLLABLES if s not in WITHOUT_CODE | {"lo", "luo"}]
    keys = to_keys(syllables, get_scheme(name))
    assert len(keys) == 2 * len(syllables)
    assert names(keys, name) == [syllables]


@pytest.mark.parametrize(("name", "keys"), TYPED.items())
def test_layouts_are_those_of_the_input_methods(name: str, keys: str) -> None:
    assert to_keys(SENTENCE, get_scheme(name)) == keys
    assert names(keys, name) == [list(SENTENCE)]


@pytest.mark.parametrize(
    ("name", "keys", "syllables"),
    [
        ("xiaohe", "jvajah", ["ju", "an", "ang"]),
        ("microsoft", "jyntnv", ["ju", "nve", "nve"]),
        ("jiajia", "osas", ["ai", "ai"]),
        ("ziranma", "olai", ["ai", "ai"]),
    ],
)
def test_other_usual_ways_to_type_are_read(name: str, keys: str, syllables: list[str]) -> None:
    assert names(keys, name) == [syllables]


@pytest.mark.parametrize("syllable", sorted(WITHOUT_CODE))
def test_syllables_without_code_are_refused_by_name(syllable: str) -> None:
    with pytest.raises(ConfigError, match=f"'{syllable}' has no code"):
        to_keys([syllable], get_scheme("xiaohe"))


def test_last_key_without_its_pair_starts_a_syllable() -> None:
    assert names("nihcv") == [["ni", "hao", "zha*"]]
    edge = SyllableGraph.from_text("nihcv", scheme=get_scheme("xiaohe")).edges[-1]
    assert (edge.kind, edge.logprob) == (EdgeKind.INITIAL, -2.0)
    assert SYLLABLES[edge.syllable_hi - 1] == "zhuo"


def test_z_alone_is_never_zh() -> None:
    starts = [path[0] for path in names("z")]
    assert starts == ["za*", "ze*", "zi*", "zong*", "zu*"]
    edges = SyllableGraph.from_text("z", scheme=get_scheme("xiaohe")).edges
    covered = {s for edge in edges for s in SYLLABLES[edge.syllable_lo : edge.syllable_hi]}
    assert not any(s.startswith("zh") for s in covered)


def test_m_alone_holds_the_interjection() -> None:
    (edge,) = SyllableGraph.from_text("m", scheme=get_scheme("sogou")).edges
    assert "m" in SYLLABLES[edge.syllable_lo : edge.syllable_hi]


def test_keys_that_make_no_pairs_are_initials() -> None:
    """w r m: neither wr nor rm is a code, so three syllables are abbreviated."""
    found = names("wrm")
    assert ["wa*", "ran*", "m*"] in found


def test_borders_and_tones_end_syllables() -> None:
    scheme = get_scheme("xiaohe")
    assert readings("ni3hc3", scheme) == [[("ni3", "ni", 3), ("hc3", "hao", 3)]]
    assert readings(" n'hc ", scheme) == [[("n'", "n*", 0), ("hc ", "hao", 0)]]


@pytest.mark.parametrize(
    ("text", "literals"),
    [
        ("nihc100", ["100"]),
        ("nihc3.5", ["3.5"]),
        ("n3", ["3"]),
        ("niHC", ["niHC"]),
        ("iPhone", ["iPhone"]),
        ("nihc，你hc", ["，你"]),
        ("ni;hc", [";"]),
        ("nihc;", [";"]),
    ],
)
def test_what_is_no_key_passes_through(text: str, literals: list[str]) -> None:
    for name in ("xiaohe", "microsoft"):
        edges = SyllableGraph.from_text(text, scheme=get_scheme(name)).edges
        found = [text[e.start : e.end] for e in edges if e.kind is EdgeKind.LITERAL]
        assert found == literals, name


def test_semicolon_is_a_final_where_the_layout_has_it() -> None:
    assert names("x;u;", "microsoft")[0][0] == "xing"
    assert readings("x;2", get_scheme("sogou")) == [[("x;2", "xing", 2)]]
    assert readings("x;", get_scheme("xiaohe"))[0][-1] == (";", "", 0)


def test_upper_case_may_start_a_word() -> None:
    assert names("Nihc") == [["ni", "hao"]]


def test_layouts_that_are_equal_are_equal_sources() -> None:
    layout = layout_of(get_scheme("microsoft"))
    assert layout is not None
    turned = Layout(
        layout.initials[::-1],
        tuple(sorted(layout.finals, key=lambda pair: pair[0], reverse=True)),
        layout.zero_initial,
        layout.syllables,
        layout.shared,
    )
    assert turned == layout
    assert hash(ShuangpinEdges(turned)) == hash(ShuangpinEdges(layout))


def test_prefix_cover_holds_these_and_no_others() -> None:
    wanted = {i for i, s in enumerate(SYLLABLES) if s.endswith("an") or s.startswith("x")}
    covered = [i for low, high in prefix_cover(wanted) for i in range(low, high)]
    assert sorted(covered) == sorted(wanted)
    assert len(covered) == len(set(covered))
    assert prefix_cover(()) == ()
