from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.yinzi.decoding.reading_oracle import reading_matches
from tests.yinzi.tiny_lines import typed_lines
from yinzi.converter import Candidate, Converter
from yinzi.decoding.lines import LONG_INPUT
from yinzi.errors import ConfigError

LINES = typed_lines(300)
TEXTS = st.text(alphabet=st.sampled_from("xianzhgouylv5' !我Kǚ\n\0"), max_size=12)


def assert_sound(typed: str, candidates: list[Candidate]) -> None:
    """Check what holds for all candidates of a line: reading, span, order, no text twice."""
    for candidate in candidates:
        assert reading_matches(typed, candidate), candidate
        assert candidate.end == len(typed) or candidate.kind == "word"
    texts = [candidate.text for candidate in candidates]
    assert len(set(texts)) == len(texts)
    kinds = [candidate.kind for candidate in candidates]
    assert kinds == sorted(kinds), "sentences before words"
    sentences = [c.logprob for c in candidates if c.kind == "sentence"]
    assert sentences == sorted(sentences, reverse=True)
    words = [(-c.end, -c.logprob) for c in candidates if c.kind == "word"]
    assert words == sorted(words)


def test_every_prefix_of_150_lines_equals_from_scratch(converter: Converter) -> None:
    for line, left_context in zip(LINES[:150], itertools.cycle(["", "我要", "A"]), strict=False):
        typing = converter.type_keys(left_context=left_context)
        for end in range(len(line) + 1):
            candidates = typing.update(line[:end])
            assert candidates == converter.candidates(line[:end], left_context=left_context)
            assert_sound(line[:end], candidates)
        sentences = [candidate for candidate in candidates if candidate.kind == "sentence"]
        assert sentences == converter.convert(line, left_context=left_context)


def test_deleting_letter_by_letter_equals_from_scratch(converter: Converter) -> None:
    for line in LINES[:60]:
        typing = converter.type_keys()
        for end in (*range(1, len(line) + 1), *range(len(line) - 1, -1, -1)):
            candidates = typing.update(line[:end])
        assert candidates == []
        assert typing.update(line) == converter.candidates(line)


@given(st.lists(TEXTS, min_size=2, max_size=5))
@settings(max_examples=80, deadline=None)
def test_pasting_any_text_over_another_equals_from_scratch(
    converter: Converter, texts: list[str]
) -> None:
    typing = converter.type_keys(left_context="我")
    for text in texts:
        assert typing.update(text) == converter.candidates(text, left_context="我")


EDITS = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.integers(0, 4),
        st.sampled_from(["", "a", "n", "5", " ", "票", "xian", "\n"]),
    ),
    min_size=1,
    max_size=8,
)


@given(st.sampled_from(LINES), EDITS)
@settings(max_examples=80, deadline=None)
def test_editing_in_the_middle_equals_from_scratch(
    converter: Converter, line: str, edits: list[tuple[int, int, str]]
) -> None:
    typing = converter.type_keys()
    assert typing.update(line) == converter.candidates(line)
    for at, n_deleted, inserted in edits:
        line = line[:at] + inserted + line[at + n_deleted :]
        candidates = typing.update(line)
        assert candidates == converter.candidates(line)
        assert_sound(line, candidates)


def test_growing_past_the_long_input_and_back_equals_from_scratch(converter: Converter) -> None:
    line = "woyaomaijipiao" * 40
    typing = converter.type_keys()
    ends = [*range(LONG_INPUT - 2, LONG_INPUT + 3), LONG_INPUT - 1, LONG_INPUT + 9, 3]
    for end in ends:
        assert typing.update(line[:end]) == converter.candidates(line[:end])


@given(st.lists(st.one_of(st.sampled_from(LINES), TEXTS), max_size=12), st.booleans())
@settings(max_examples=60, deadline=None)
def test_batch_equals_one_by_one(
    converter: Converter, lines: list[str], has_contexts: bool
) -> None:
    contexts = [["我", "", "银行 ", "先买"][index % 4] for index in range(len(lines))]
    batch = converter.convert_batch(lines, left_contexts=contexts if has_contexts else None)
    for line, context, candidates in zip(lines, contexts, batch, strict=True):
        left_context = context if has_contexts else ""
        assert candidates == converter.convert(line, left_context=left_context)


def test_batch_of_300_lines_equals_one_by_one(converter: Converter) -> None:
    lines = [*LINES, "woyaomaijipiao" * 40, "", "xian" * 100, "xian" * 99]
    batch = converter.convert_batch(lines, n_best=20)
    for line, candidates in zip(lines, batch, strict=True):
        assert candidates == converter.convert(line, n_best=20)
        assert_sound(line, candidates)


def test_candidates_are_sentences_then_longer_words_first(converter: Converter) -> None:
    candidates = converter.candidates("fanganxian", n_best=2)
    assert [candidate.kind for candidate in candidates[:3]] == ["sentence", "sentence", "word"]
    assert [candidate.end for candidate in candidates[:2]] == [10, 10]
    words = {candidate.text: candidate.end for candidate in candidates[2:]}
    assert words["方案"] == words["反感"] == 6
    assert words["方"] == 4
    assert words["饭"] == 3
    assert [(c.text, c.start, c.end) for c in candidates if c.text == "方案"] == [("方案", 0, 6)]


def test_word_spans_start_behind_leading_blanks_and_hold_tones_and_borders(
    converter: Converter,
) -> None:
    words = {
        candidate.text: (candidate.start, candidate.end, candidate.syllables)
        for candidate in converter.candidates("  ni3' hao3 yi")
        if candidate.kind == "word"
    }
    assert words["你好"] == (2, 12, ("ni", "hao"))
    assert words["你"] == (2, 7, ("ni",))


def test_no_words_are_offered_before_a_literal(converter: Converter) -> None:
    assert all(c.kind == "sentence" for c in converter.candidates("5 ge"))


def test_limit_counts_sentences_too(converter: Converter) -> None:
    assert len(converter.candidates("xian", limit=100)) > 6
    candidates = converter.candidates("xian", n_best=5, limit=6)
    assert len(candidates) == 6
    assert [candidate.kind for candidate in candidates].count("sentence") == 5
    assert len(converter.candidates("xian", n_best=5, limit=3)) == 3


@pytest.mark.parametrize(("n_best", "limit"), [(0, 5), (5, 0), (-1, 1)])
def test_update_refuses_counts_below_one(converter: Converter, n_best: int, limit: int) -> None:
    with pytest.raises(ConfigError, match="expected at least 1"):
        converter.type_keys().update("ni", n_best=n_best, limit=limit)
