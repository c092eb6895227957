from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinzi.errors import ConfigError
from yinzi.pinyin import (
    SYLLABLES,
    Edge,
    EdgeKind,
    GraphOptions,
    InputScheme,
    SyllableGraph,
    prefix_range,
)
from yinzi.pinyin.edges import Proposal, spelled_edges
from yinzi.pinyin.reading import Stretch

TYPED = st.text(alphabet=st.sampled_from("nihaoxgzvuNI:ǐ35\u030c'’ 我，😀\0"), max_size=14)
LETTERS = st.text(alphabet=st.sampled_from("nihaoxgzem"), max_size=9)
KEEP_ALL = GraphOptions(slack=1e6, abbreviated_slack=1e6)


def _splits(text: str, options: GraphOptions | None = None) -> set[str]:
    graph = SyllableGraph.from_text(text, options or GraphOptions())
    return {"|".join(text[edge.start : edge.end] for edge in path) for path in graph.paths()}


def _kinds(text: str) -> dict[str, tuple[str, float]]:
    edges = SyllableGraph.from_text(text).edges
    return {text[edge.start : edge.end]: (edge.kind.name, edge.logprob) for edge in edges}


@pytest.mark.parametrize(
    ("text", "splits"),
    [
        ("xian", {"xian", "xi|an"}),
        ("xi'an", {"xi'|an"}),
        ("xīan", {"xī|an"}),
        ("xiān", {"xiān", "xi|ān"}),
        ("women", {"wo|men"}),
        ("fangan", {"fang|an", "fan|gan"}),
        ("xing", {"xing"}),
        ("wymjp", {"w|y|m|j|p"}),
        ("zh", {"zh", "z|h"}),
        ("nihaom", {"ni|hao|m", "ni|ha|o|m"}),
        ("zhon", {"zhon"}),
        ("qua", {"qu|a", "qua"}),
        ("ng", {"n|g", "ng"}),
        ("lhb", {"l|h|b"}),
        ("lha", {"l|ha", "l|h|a"}),
        ("dianr", {"dian|r", "di|an|r"}),
        ("vvvv", {"v|v|v|v"}),
        ("mai3piao", {"mai3|piao", "mai3|pi|ao", "mai3|pi|a|o"}),
        ("iPhone ni", {"iPhone |ni"}),
        ("我 们，ni", {"我 们，|ni"}),
    ],
)
def test_paths_are_the_segmentations(text: str, splits: set[str]) -> None:
    assert _splits(text) == splits


@pytest.mark.parametrize(
    ("text", "part", "kind", "logprob"),
    [
        ("zhongg", "zhong", "FULL", 0.0),
        ("wmen", "w", "INITIAL", -4.0),
        ("wom", "m", "INITIAL", -2.0),
        ("wom，", "m", "INITIAL", -2.0),
        ("zhonni", "zhon", "INCOMPLETE", -5.0),
        ("wozhon", "zhon", "INCOMPLETE", -2.0),
        ("lìu", "lìu", "FULL", -5.0),
        ("iphone", "i", "LITERAL", -30.0),
        ("ni😀", "😀", "LITERAL", 0.0),
        ("n2", "n2", "FULL", 0.0),
        ("ǹg", "ǹg", "FULL", 0.0),
        ("ng", "ng", "FULL", -6.0),
    ],
)
def test_edges_have_kind_and_penalty(text: str, part: str, kind: str, logprob: float) -> None:
    assert _kinds(text)[part] == (kind, logprob)


@pytest.mark.parametrize(
    ("text", "tones"),
    [("mai3piao", {3, 0}), ("hao0", {5, 0}), ("nǐ", {3}), ("zhō", {1}), ("ni", {0})],
)
def test_edges_carry_typed_tones(text: str, tones: set[int]) -> None:
    assert {edge.tone for edge in SyllableGraph.from_text(text).edges} == tones


@pytest.mark.parametrize(
    ("text", "prefix"), [("z", "z"), ("zhon", "zhon"), ("n", "n"), ("jva", "jua")]
)
def test_edges_of_a_prefix_hold_its_range(text: str, prefix: str) -> None:
    edge = SyllableGraph.from_text(text).incoming(len(text))[0]
    assert (edge.syllable_lo, edge.syllable_hi) == prefix_range(prefix)


def test_edges_of_clean_full_pinyin_are_full() -> None:
    for syllable in SYLLABLES:
        if set(syllable) & set("aeiouvê"):
            edges = SyllableGraph.from_text("ni" + syllable + "hao").edges
            assert {edge.kind for edge in edges} == {EdgeKind.FULL}


@pytest.mark.parametrize(
    ("text", "can_be_er"), [("dianr", True), ("r", True), ("na r", True), ("rm", False)]
)
def test_r_after_a_syllable_can_be_er(text: str, can_be_er: bool) -> None:
    er = SYLLABLES.index("er")
    edges = SyllableGraph.from_text(text).edges
    assert any(edge.syllable_lo == er for edge in edges) is can_be_er


def test_interjections_are_reached_without_tone() -> None:
    for syllable in ("m", "n", "ng", "hm", "hng", "ê"):
        index = SYLLABLES.index(syllable)
        edges = SyllableGraph.from_text(syllable).outgoing(0)
        assert any(
            edge.end == len(syllable) and edge.syllable_lo <= index < edge.syllable_hi
            for edge in edges
        )


@given(st.one_of(TYPED, st.text(max_size=12)))
def test_paths_rejoin_to_any_text(text: str) -> None:
    graph = SyllableGraph.from_text(text)
    paths = list(islice(graph.paths(), 200))
    assert paths
    for path in paths:
        assert "".join(text[edge.start : edge.end] for edge in path) == text[graph.start :]


@given(TYPED)
def test_every_edge_is_sound_and_on_a_path(text: str) -> None:
    graph = SyllableGraph.from_text(text)
    keys = [(edge.end, edge.start, edge.syllable_lo) for edge in graph.edges]
    assert keys == sorted(keys)
    reached = {graph.start}
    for edge in graph.edges:
        assert edge.start < edge.end
        assert edge.logprob <= 0
        assert edge.start in reached
        assert edge.end == graph.n or graph.outgoing(edge.end)
        reached.add(edge.end)
        if edge.kind is EdgeKind.LITERAL:
            assert (edge.syllable_lo, edge.syllable_hi) == (-1, -1)
        else:
            assert 0 <= edge.syllable_lo < edge.syllable_hi <= len(SYLLABLES)


def _cost(path: tuple[Edge, ...], options: GraphOptions) -> float:
    """Return what a path counts for pruning; the slow twin of the passes in the graph."""
    digraphs = sum(edge.kind is EdgeKind.INITIAL and edge.end - edge.start == 2 for edge in path)
    return sum(edge.logprob for edge in path) + digraphs * options.initial_logprob


@given(LETTERS, st.sampled_from([(0.0, 1.0), (3.0, 9.0), (8.5, 2.0)]))
def test_pruning_keeps_exactly_the_edges_within_the_slack(
    letters: str, slacks: tuple[float, float]
) -> None:
    options = GraphOptions(slack=slacks[0], abbreviated_slack=slacks[1])
    paths = list(SyllableGraph.from_text(letters, KEEP_ALL).paths())
    costs = [_cost(path, options) for path in paths]
    best_logprob = max(sum(edge.logprob for edge in path) for path in paths)
    slack = slacks[best_logprob < options.tail_logprob]
    expected = {
        edge
        for path, cost in zip(paths, costs, strict=True)
        if cost >= max(costs) - slack - 1e-6
        for edge in path
    }
    assert set(SyllableGraph.from_text(letters, options).edges) == expected


@given(LETTERS)
def test_unpruned_paths_are_all_ways_to_cut_the_letters(letters: str) -> None:
    def cuts(rest: str) -> Iterator[tuple[str, ...]]:
        if not rest:
            yield ()
        for end in range(1, len(rest) + 1):
            low, high = prefix_range(rest[:end])
            if low < high or rest[:end] in ("i", "u", "v"):
                yield from ((rest[:end], *more) for more in cuts(rest[end:]))

    # hn starts hng only: no incomplete syllable
    expected = {"|".join(cut) for cut in cuts(letters) if "hn" not in cut}
    assert _splits(letters, KEEP_ALL) == expected


@pytest.mark.parametrize("text", ["", "'''", " \n"])
def test_graph_without_letters_has_one_empty_path(text: str) -> None:
    graph = SyllableGraph.from_text(text)
    assert (graph.edges, list(graph.paths()), graph.start) == ((), [()], len(text))
    assert [array.size for array in graph.arrays()] == [0] * 7


@given(TYPED)
def test_arrays_hold_the_edges(text: str) -> None:
    graph = SyllableGraph.from_text(text)
    arrays = graph.arrays()
    assert arrays is graph.arrays()
    for name in ("start", "end", "syllable_lo", "syllable_hi", "tone", "kind"):
        assert getattr(arrays, name).tolist() == [getattr(edge, name) for edge in graph.edges]
    assert arrays.logprob == pytest.approx([edge.logprob for edge in graph.edges])
    assert [array.dtype for array in arrays] == list(
        map(np.dtype, ("i4", "i4", "i2", "i2", "f4", "i1", "i1"))
    )


def test_arrays_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        SyllableGraph.from_text("ni").arrays().start[0] = 1


@given(TYPED)
def test_incoming_and_outgoing_hold_every_edge_once(text: str) -> None:
    graph = SyllableGraph.from_text(text)
    positions = range(graph.n + 1)
    assert [edge for end in positions for edge in graph.incoming(end)] == list(graph.edges)
    assert {edge for start in positions for edge in graph.outgoing(start)} == set(graph.edges)


def test_paths_are_lazy() -> None:
    paths = SyllableGraph.from_text("xian" * 500).paths()
    assert len(list(islice(paths, 10))) == 10


def test_sources_add_up() -> None:
    def swapped(stretch: Stretch, options: GraphOptions) -> list[Proposal]:
        first = stretch.letters.find("zhogn")
        index = SYLLABLES.index("zhong")
        found = Proposal(first, first + 5, index, index + 1, EdgeKind.FULL, -1.0, 0)
        return [found] if first >= 0 else []

    graph = SyllableGraph.from_text(
        "nizhogn", scheme=InputScheme("swapped", (spelled_edges, swapped))
    )
    assert [edge.logprob for edge in graph.incoming(7)] == [-1.0]


def test_graph_passes_letters_that_no_source_reads() -> None:
    graph = SyllableGraph.from_text("ni3hao", scheme=InputScheme("nothing", ()))
    assert [graph.text[edge.start : edge.end] for edge in graph.edges] == ["n", "i3", *"hao"]
    assert {edge.kind for edge in graph.edges} == {EdgeKind.LITERAL}


@pytest.mark.parametrize(
    ("field", "value"),
    [("slack", -1.0), ("initial_logprob", 0.5), ("tail_logprob", float("nan"))],
)
def test_graph_options_refuse_bad_values(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=field):
        GraphOptions(**{field: value})


@pytest.mark.parametrize(
    "text",
    [
        "n" * 10_000,
        "v" * 10_000,
        "xian" * 2_500,
        "zhuang" * 1_700,
        "hao3" * 2_500,
        "nǐhǎo" * 2_000,
        "NI" * 5_000,
        "NX" * 5_000,
        "lu:" * 3_300,
        "'" * 10_000,
        "ni'" * 3_300,
        "我'" * 5_000,
        "😀 " * 5_000,
        "a" + "\u0301" * 10_000,
        "\u0301" * 10_000,
    ],
    ids=lambda text: ascii(text[:4]),
)
def test_long_text_takes_bounded_time(text: str) -> None:
    start = time.perf_counter()
    graph = SyllableGraph.from_text(text)
    graph.arrays()
    path = next(graph.paths())
    assert time.perf_counter() - start < 3.0  # about 0.1 s where nothing else runs
    assert "".join(text[edge.start : edge.end] for edge in path) == text[graph.start :]
