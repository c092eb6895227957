from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.yinzi.decoding.test_fusion import make_scorer
from yinzi.converter import Candidate, Converter, LatePolicy
from yinzi.errors import ConfigError

SHOWN = [Candidate(text, -float(i), 0, 4, "sentence", ()) for i, text in enumerate("甲乙丙丁戊")]


def texts(candidates: list[Candidate]) -> str:
    return "".join(candidate.text for candidate in candidates)


def late(text: str) -> Candidate:
    return Candidate(text, -0.5, 0, 4, "sentence", ())


@pytest.mark.parametrize(
    ("slot", "text", "expected"),
    [
        pytest.param(1, "新", "甲新乙丙丁戊", id="new_goes_second"),
        pytest.param(0, "新", "新甲乙丙丁戊", id="new_goes_first_if_allowed"),
        pytest.param(1, "丁", "甲丁乙丙戊", id="known_is_lifted"),
        pytest.param(1, "乙", "甲乙丙丁戊", id="second_stays"),
        pytest.param(1, "甲", "甲乙丙丁戊", id="first_stays"),
        pytest.param(9, "新", "甲乙丙丁戊新", id="slot_behind_the_end"),
    ],
)
def test_one_candidate_is_added_or_lifted(slot: int, text: str, expected: str) -> None:
    assert texts(LatePolicy(slot=slot).merge(SHOWN, late(text), limit=100)) == expected


def test_full_list_loses_its_last_candidate() -> None:
    assert texts(LatePolicy().merge(SHOWN, late("新"), limit=5)) == "甲新乙丙丁"


@given(
    st.integers(0, 6), st.permutations("甲乙丙丁戊"), st.sampled_from("甲丙戊新"), st.integers(1, 9)
)
def test_the_order_of_all_others_never_changes(
    slot: int, order: list[str], text: str, limit: int
) -> None:
    shown = [late(one) for one in order][:limit]
    merged = LatePolicy(slot=slot).merge(shown, late(text), limit=limit)
    others = [one for one in texts(merged) if one != text]
    assert others == [one for one in texts(shown) if one != text][: len(others)]
    assert len(merged) <= limit
    fixed = min(slot, len(shown))
    assert texts(merged)[:fixed] == texts(shown)[:fixed]


def test_slot_below_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"late_policy\.slot is -1"):
        LatePolicy(slot=-1)


@pytest.fixture
def fused(converter: Converter) -> Converter:
    return Converter(converter.artifact, scorer=make_scorer(scale=8.0))


@pytest.mark.parametrize("typed", ["shishi", "fangan", "xian", "wymjp"])
def test_late_update_keeps_what_is_shown(
    converter: Converter, fused: Converter, typed: str
) -> None:
    typing = fused.type_keys(late_policy=LatePolicy())
    for end in range(1, len(typed) + 1):
        at_once = typing.update(typed[:end])
        assert at_once == converter.candidates(typed[:end])
        best = fused.convert(typed[:end])[0].text
        brought = typing.late_update()
        assert brought[0] == at_once[0]
        assert best in [candidate.text for candidate in brought[:2]]
        rest = [one.text for one in brought if one.text != best]
        assert rest == [one.text for one in at_once if one.text != best][: len(rest)]
        assert typing.late_update() == brought


def test_nothing_moves_once_the_highlight_has(fused: Converter) -> None:
    typing = fused.type_keys(late_policy=LatePolicy())
    at_once = typing.update("shishi")
    assert typing.late_update(has_moved=True) == at_once
    assert typing.late_update() != at_once


def test_late_update_without_a_policy_or_before_any_letter_changes_nothing(
    fused: Converter,
) -> None:
    typing = fused.type_keys()
    assert typing.late_update() == []
    at_once = typing.update("shishi")
    assert at_once[0].text == fused.convert("shishi")[0].text
    assert typing.late_update() == at_once


def test_late_update_without_a_model_changes_nothing(converter: Converter) -> None:
    typing = converter.type_keys(late_policy=LatePolicy())
    at_once = typing.update("shishi")
    assert typing.late_update() == at_once
