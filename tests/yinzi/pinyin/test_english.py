from __future__ import annotations

import pytest

from yinzi.errors import ConfigError
from yinzi.pinyin import FULL_PINYIN, EdgeKind, GraphOptions, InputScheme, SyllableGraph
from yinzi.pinyin.edges import Proposal, spelled_edges
from yinzi.pinyin.english import MIXED_PINYIN, EnglishOptions, english_words, with_english
from yinzi.pinyin.reading import Stretch, read_mixed_spans, read_spans


def literals(text: str) -> set[str]:
    graph = SyllableGraph.from_text(text, scheme=MIXED_PINYIN)
    return {graph.text[e.start : e.end] for e in graph.edges if e.kind is EdgeKind.LITERAL}


def shown(text: str) -> list[str]:
    """Show literals in brackets, stretches by their letters, tone and capitals."""
    result = []
    for positions, stretch in read_mixed_spans(text)[1]:
        if stretch is None:
            result.append(f"[{text[positions[0] : positions[-1]]}]")
        else:
            capitals = "".join(f"^{at}" for at in stretch.capitals)
            result.append(f"{stretch.letters}{stretch.final_tone or ''}{capitals}")
    return result


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("wodeiphonehuaile", "iphone"),
        ("womenqukfcba", "kfc"),
        ("faemailgeiwo", "email"),
        ("zhegebugzenmexiu", "bug"),
        ("wo yong python xie", "python "),
        ("hello", "hello"),
    ],
)
def test_words_of_the_list_are_literal_edges(text: str, word: str) -> None:
    assert word in literals(text)


@pytest.mark.parametrize("text", ["women", "he", "nine", "man", "like", "woaitamen", "long"])
def test_letters_that_are_all_pinyin_stay_as_they_are(text: str) -> None:
    mixed, plain = (SyllableGraph.from_text(text, scheme=s) for s in (MIXED_PINYIN, FULL_PINYIN))
    assert mixed.edges == plain.edges


def test_an_abbreviation_among_initials_costs_more_than_among_syllables() -> None:
    source = MIXED_PINYIN.sources[0]
    spelled, abbreviated = (
        next(edge.logprob for edge in source(Stretch(letters), GraphOptions()) if _is_kfc(edge, at))
        for letters, at in (("qukfcba", 2), ("qkfcb", 1))
    )
    assert abbreviated == pytest.approx(spelled + EnglishOptions().abbreviated_logprob)


def _is_kfc(edge: Proposal, first: int) -> bool:
    return edge.kind is EdgeKind.LITERAL and (edge.first, edge.last) == (first, first + 3)


def test_tone_marks_leave_no_english() -> None:
    assert not literals("iphōnehuàile") & {"iphōne"}


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("wodeiPhonehuaile", ["wodeiphonehuaile^5"]),
        ("womenquKFC", ["womenqukfc^7^8^9"]),
        ("NIHAO", ["nihao"]),
        ("Nihao", ["nihao"]),
        ("naïVe", ["na", "[ï]", "ve"]),
        ("mai3zhangpiao", ["mai3", "zhangpiao"]),
        ("wo3yao4mai3", ["wo3", "yao4", "mai3"]),
        ("wo3 yao4 mai", ["wo3", "yao4", "mai"]),
        ("ng2 hao", ["ng2", "hao"]),
        ("mai100kuai", ["mai", "[100]", "kuai"]),
        ("", []),
    ],
)
def test_mixed_reading(text: str, spans: list[str]) -> None:
    assert shown(text) == spans


def test_only_some_digits_leave_them_open() -> None:
    open_text, toned_text = "mai3piao", "mai3piao4"
    (_, spans), (_, toned) = read_mixed_spans(open_text), read_mixed_spans(toned_text)
    assert spans[0].stretch == Stretch("mai3")
    assert spans[0].positions == (0, 1, 2, 3, 4)
    assert toned == read_spans(toned_text)[1]


def test_an_open_digit_is_a_tone_or_a_number() -> None:
    graph = SyllableGraph.from_text("mai3 zhang", scheme=MIXED_PINYIN)
    found = {(e.start, e.end, e.tone, e.kind) for e in graph.edges if e.end <= 5}
    assert (0, 5, 3, EdgeKind.FULL) in found
    assert (0, 3, 0, EdgeKind.FULL) in found
    assert (3, 5, 0, EdgeKind.LITERAL) in found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("woaiChinaKFC", {"China", "KFC"}), ("quMcDonald", {"McDonald"}), ("HTTP", {"HTTP"})],
)
def test_capitals_make_names(text: str, wanted: set[str]) -> None:
    assert wanted <= literals(text)


@pytest.mark.parametrize("text", ["iphone3gs", "KFCmai3piao", "xIaNg3", "McDOnald5", "a5Bc", "v3V"])
def test_every_path_rejoins_to_the_text(text: str) -> None:
    graph = SyllableGraph.from_text(text, scheme=MIXED_PINYIN)
    paths = list(graph.paths())
    assert paths
    for path in paths:
        assert "".join(text[edge.start : edge.end] for edge in path) == text


def test_with_english_keeps_the_sources_and_another_way_to_cut() -> None:
    def read(text: str) -> tuple[int, list[object]]:
        return len(text), []

    scheme = with_english(InputScheme("other", (spelled_edges,), read))  # type: ignore[arg-type]
    assert scheme.read is read
    assert scheme.name == "other+english"
    assert scheme.sources == with_english(FULL_PINYIN).sources


@pytest.mark.parametrize(
    ("name", "value"), [("switch_logprob", 0.5), ("word_weight", -1.0), ("tone_logprob", -1e999)]
)
def test_bad_options_are_named(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        EnglishOptions(**{name: value})


def test_the_list_is_clean() -> None:
    words = english_words()
    assert 10_000 <= len(words) <= 20_000
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)
    assert all(-20 < logprob < 0 for logprob in words.values())
    assert min(map(len, words)) == 2
