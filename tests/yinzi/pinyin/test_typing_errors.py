from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from yinzi.errors import ConfigError
from yinzi.pinyin import FULL_PINYIN, SYLLABLES, EdgeKind, SyllableGraph, syllable_id
from yinzi.pinyin.error_model import ErrorModel, corrections, extra_letter_logprob
from yinzi.pinyin.fuzzy import with_fuzzy
from yinzi.pinyin.syllable_model import SyllableModel
from yinzi.pinyin.typing_errors import CorrectionOptions, with_typing_errors

KNOWN = ["ni hao", "wo men", "zhong guo", "wo yao mai ji piao", "men mai"]


@pytest.fixture(scope="module")
def syllables() -> Callable[[], SyllableModel]:
    """Return what gives a model that has heard a few phrases only."""
    pairs = np.full((len(SYLLABLES), len(SYLLABLES)), 1e-3)
    first = np.full(len(SYLLABLES), 1e-3)
    for phrase in KNOWN:
        ids = [syllable_id(syllable) for syllable in phrase.split()]
        first[ids[0]] += 100
        for one, two in pairwise(ids):
            pairs[one, two] += 100
    model = SyllableModel(pairs, first)
    return lambda: model


def _can_be_read(graph: SyllableGraph, phrase: str) -> bool:
    ends = {graph.start}
    for syllable in map(syllable_id, phrase.split()):
        ends = {
            edge.end
            for end in ends
            for edge in graph.outgoing(end)
            if edge.syllable_lo <= syllable < edge.syllable_hi and edge.logprob > -20
        }
    return graph.n in ends


def _typos(graph: SyllableGraph) -> dict[tuple[str, str], float]:
    return {
        (graph.text[edge.start : edge.end], SYLLABLES[edge.syllable_lo]): edge.logprob
        for edge in graph.edges
        if edge.kind is EdgeKind.TYPO
    }


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("zhogn", "zhong"),
        ("zhng", "zhong"),
        ("zjong", "zhong"),
        ("zhoong", "zhong"),
        ("zhxong", "zhong"),
        ("iao", "jiao"),
    ],
    ids=["swap", "omission", "neighbour", "double", "stray", "first letter left out"],
)
def test_each_kind_of_slip_is_found(typed: str, meant: str) -> None:
    found = dict(corrections(typed, ErrorModel()))
    assert found[syllable_id(meant)] < 0


def test_what_is_no_slip_is_not_found() -> None:
    model = ErrorModel()
    assert syllable_id("zhong") not in dict(corrections("zhong", model))
    assert syllable_id("ni") not in dict(corrections("pa", model))
    assert syllable_id("ni") not in dict(corrections("xni", model))  # a matter of the border


def test_nearer_keys_are_hit_more_often() -> None:
    model = ErrorModel()
    beside = extra_letter_logprob(model, "s", "a", "o")
    assert extra_letter_logprob(model, "a", "a", "o") > beside
    assert beside > extra_letter_logprob(model, "m", "a", "o")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("nihoa", "ni hao"),
        ("nuhao", "ni hao"),
        ("nihap", "ni hao"),
        ("niihao", "ni hao"),
        ("nixhao", "ni hao"),
        ("xnihao", "ni hao"),
        ("nhiao", "ni hao"),
        ("zhonguo", "zhong guo"),
        ("woyaomiajipiao", "wo yao mai ji piao"),
        ("miao", "mai"),
    ],
)
def test_the_meant_syllables_are_in_the_graph(
    syllables: Callable[[], SyllableModel], typed: str, meant: str
) -> None:
    scheme = with_typing_errors(FULL_PINYIN, syllables, CorrectionOptions(margin=20))
    if typed == "miao":  # one full syllable is left as it is
        assert not _typos(SyllableGraph.from_text(typed, scheme=scheme))
    else:
        assert _can_be_read(SyllableGraph.from_text(typed, scheme=scheme), meant)


def test_the_reading_as_typed_does_not_change(syllables: Callable[[], SyllableModel]) -> None:
    scheme = with_typing_errors(FULL_PINYIN, syllables)
    for text in ("nihao", "nhiao", "woyaomai", "wymjp", "ni3hao", "zhong guo", "xian，abc"):
        plain = SyllableGraph.from_text(text)
        assert set(plain.edges) <= set(SyllableGraph.from_text(text, scheme=scheme).edges)


@pytest.mark.parametrize("text", ["nho", "zhong", "nuha3", "nǐhoa", "ni hao", ""])
def test_short_toned_and_whole_syllables_are_left_alone(
    syllables: Callable[[], SyllableModel], text: str
) -> None:
    scheme = with_typing_errors(FULL_PINYIN, syllables, CorrectionOptions(margin=50))
    assert not _typos(SyllableGraph.from_text(text, scheme=scheme))


def test_a_slip_costs_less_where_the_letters_cannot_be_read(
    syllables: Callable[[], SyllableModel],
) -> None:
    scheme = with_typing_errors(FULL_PINYIN, syllables, CorrectionOptions(margin=30))
    broken = _typos(SyllableGraph.from_text("hapwomen", scheme=scheme))["hap", "hao"]
    whole = _typos(SyllableGraph.from_text("haiwomen", scheme=scheme))["hai", "hao"]
    options = CorrectionOptions()
    difference = options.rescue_logprob - options.real_word_logprob
    assert broken - whole == pytest.approx(difference)


def test_half_a_swap_cannot_be_had_alone(syllables: Callable[[], SyllableModel]) -> None:
    scheme = with_typing_errors(FULL_PINYIN, syllables, CorrectionOptions(margin=30))
    graph = SyllableGraph.from_text("nhiao", scheme=scheme)
    (cheap,) = [edge for edge in graph.edges if edge.kind is EdgeKind.TYPO and edge.logprob > -0.1]
    before = [edge.kind for edge in graph.edges if edge.end == cheap.start]
    assert EdgeKind.FULL not in before
    assert EdgeKind.TYPO in before


def test_who_abbreviates_is_not_corrected(syllables: Callable[[], SyllableModel]) -> None:
    options = CorrectionOptions(margin=100)
    scheme = with_typing_errors(FULL_PINYIN, syllables, options)
    assert not _typos(SyllableGraph.from_text("wymjp", scheme=scheme))
    assert _typos(SyllableGraph.from_text("womennhao", scheme=scheme))


def test_corrections_are_few(syllables: Callable[[], SyllableModel]) -> None:
    options = CorrectionOptions(max_edges=3, margin=100)
    scheme = with_typing_errors(FULL_PINYIN, syllables, options)
    assert len(_typos(SyllableGraph.from_text("womennhiao", scheme=scheme))) <= 6


def test_time_is_linear_in_letters(syllables: Callable[[], SyllableModel]) -> None:
    scheme = with_typing_errors(FULL_PINYIN, syllables)
    started = time.process_time()
    SyllableGraph.from_text("woyaomiajipiao" * 100, scheme=scheme)
    assert time.process_time() - started < 2


def test_what_was_chosen_stays_while_a_line_grows(syllables: Callable[[], SyllableModel]) -> None:
    scheme = with_typing_errors(FULL_PINYIN, syllables)
    line = "womnezhongguonihaowoyaomiajipiaozhonggouwomen"
    far = 30  # letters behind which a choice is settled
    before: set[tuple[int, int, int, float]] = set()
    for length in range(20, len(line) + 1):
        graph = SyllableGraph.from_text(line[:length], scheme=scheme)
        errors = {
            (edge.start, edge.end, edge.syllable_lo, edge.logprob)
            for edge in graph.edges
            if edge.kind is EdgeKind.TYPO
        }
        settled = {edge for edge in errors if edge[0] < length - far}
        assert {edge for edge in before if edge[0] < length - far} == settled
        before = errors
    assert before


def test_slips_far_apart_in_a_long_line_are_all_corrected(
    syllables: Callable[[], SyllableModel],
) -> None:
    scheme = with_typing_errors(FULL_PINYIN, syllables)
    graph = SyllableGraph.from_text("womnenihaozhognguonihaowoyaomiajipiao", scheme=scheme)
    assert _can_be_read(graph, "wo men ni hao zhong guo ni hao wo yao mai ji piao")


def test_merged_and_mistyped_readings_live_together(syllables: Callable[[], SyllableModel]) -> None:
    scheme = with_typing_errors(with_fuzzy(FULL_PINYIN, ("n-l",)), syllables)
    graph = SyllableGraph.from_text("lihoa", scheme=scheme)
    assert _can_be_read(graph, "ni hao")


@pytest.mark.parametrize(
    "options",
    [{"rescue_logprob": -1.0}, {"real_word_logprob": 1.0}, {"margin": float("nan")}],
)
def test_bad_options_are_named(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        CorrectionOptions(**options)  # type: ignore[arg-type]


def test_bad_error_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="key_error"):
        ErrorModel(key_error=0)


def test_syllable_model_wants_the_inventory() -> None:
    with pytest.raises(ConfigError, match="shapes"):
        SyllableModel(np.ones((2, 2)), np.ones(2))
