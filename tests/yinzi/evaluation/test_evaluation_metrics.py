"""Metrics, intervals and slices against hand-made cases and slow readable twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinzi.evaluation import EvaluationError, Row, compare_outcomes
from yinzi.evaluation.bootstrap import estimate_metrics
from yinzi.evaluation.outcomes import Outcomes, score
from yinzi.evaluation.slices import slice_rows

TEXTS = st.text(alphabet="甲乙丙", min_size=1, max_size=4)


def rows_of(*hanzi: str) -> list[Row]:
    return [Row(f"d.{i}", text, " ".join("a" for _ in text)) for i, text in enumerate(hanzi)]


def outcomes_of(ranks: list[int]) -> Outcomes:
    hits = np.array(ranks, dtype=np.int32)
    n_hanzi = np.full(len(ranks), 4, dtype=np.int32)
    return Outcomes(tuple(map(str, range(len(ranks)))), hits, np.where(hits == 0, 4, 2), n_hanzi)


@pytest.mark.parametrize(
    ("candidates", "rank", "n_correct"),
    [
        pytest.param(["你好吗", "尼好吗"], 0, 3, id="first"),
        pytest.param(["尼好吗", "你好吗"], 1, 2, id="second"),
        pytest.param(["尼好吗"] * 4 + ["你好吗"], 4, 2, id="fifth, duplicates take places"),
        pytest.param(["你好"], -1, 2, id="too short"),
        pytest.param(["你好吗啊"], -1, 3, id="too long"),
        pytest.param(["好吗"], -1, 0, id="shifted"),
        pytest.param([], -1, 0, id="no candidate"),
    ],
)
def test_score_places_and_counts(candidates: list[str], rank: int, n_correct: int) -> None:
    outcomes = score(rows_of("你好吗"), [candidates])
    assert (outcomes.ranks[0], outcomes.n_correct[0], outcomes.n_hanzi[0]) == (rank, n_correct, 3)


def test_metrics_weigh_rows_for_miu_and_hanzi_for_character_accuracy() -> None:
    candidates = [["你好"], ["再间", "再见"], ["x", "x", "x", "x", "x", "我们走吧"]]
    outcomes = score(rows_of("你好", "再见", "我们走吧"), candidates)
    assert outcomes.metrics() == {
        "miu_accuracy@1": pytest.approx(1 / 3),
        "miu_accuracy@5": pytest.approx(2 / 3),
        "character_accuracy": pytest.approx(3 / 8),
    }


@given(st.lists(st.tuples(TEXTS, st.lists(TEXTS, max_size=7)), min_size=1, max_size=8))
def test_metrics_equal_their_definitions(cases: list[tuple[str, list[str]]]) -> None:
    metrics = score(rows_of(*(r for r, _ in cases)), [c for _, c in cases]).metrics()
    n_right = sum(
        i < len(texts[0]) and texts[0][i] == hanzi
        for reference, texts in cases
        if texts
        for i, hanzi in enumerate(reference)
    )
    assert metrics["miu_accuracy@1"] == pytest.approx(
        sum(r in c[:1] for r, c in cases) / len(cases)
    )
    assert metrics["miu_accuracy@5"] == pytest.approx(
        sum(r in c[:5] for r, c in cases) / len(cases)
    )
    assert metrics["character_accuracy"] == pytest.approx(n_right / sum(len(r) for r, _ in cases))


def test_score_refuses_another_number_of_lists() -> None:
    with pytest.raises(EvaluationError, match="0 candidate lists for 1 rows"):
        score(rows_of("好"), [])


def test_interval_is_seeded_and_close_to_theory() -> None:
    outcomes = outcomes_of([0] * 300 + [-1] * 100)
    estimate = estimate_metrics(outcomes, n_resamples=2000, seed=3)["miu_accuracy@1"]
    assert estimate == estimate_metrics(outcomes, n_resamples=2000, seed=3)["miu_accuracy@1"]
    half_width = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert estimate.value == 0.75
    assert estimate.low == pytest.approx(0.75 - half_width, abs=0.01)
    assert estimate.high == pytest.approx(0.75 + half_width, abs=0.01)


def test_interval_does_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = outcomes_of([0, 1, -1, 0, 7])
    whole = estimate_metrics(outcomes)
    monkeypatch.setattr("yinzi.evaluation.bootstrap._MAX_CELLS", 7)
    assert estimate_metrics(outcomes) == whole


def test_interval_of_certain_rows_is_a_point() -> None:
    estimate = estimate_metrics(outcomes_of([0] * 5))["miu_accuracy@1"]
    assert (estimate.low, estimate.value, estimate.high) == (1.0, 1.0, 1.0)


def test_metrics_need_rows() -> None:
    with pytest.raises(EvaluationError, match="no rows"):
        estimate_metrics(score([], []))


def test_compare_counts_better_and_worse_and_pairs_the_interval() -> None:
    here, there = outcomes_of([0, 0, 0, 1, -1] * 40), outcomes_of([0, 0, 1, 0, -1] * 40)
    paired = compare_outcomes(here, there)
    assert (paired.n_better, paired.n_worse, paired.p_value) == (40, 40, 1.0)
    assert paired.differences["miu_accuracy@1"].value == 0.0
    assert (
        paired.differences["miu_accuracy@5"].low == 0.0 == paired.differences["miu_accuracy@5"].high
    )


def test_compare_gives_the_exact_sign_test() -> None:
    paired = compare_outcomes(outcomes_of([0] * 8), outcomes_of([1] * 7 + [0]))
    assert (paired.n_better, paired.n_worse) == (7, 0)
    assert paired.p_value == pytest.approx(2 / 2**7)
    assert paired.to_dict()["differences"]["miu_accuracy@1"]["value"] == 0.875  # type: ignore[index]


def test_compare_refuses_other_rows() -> None:
    with pytest.raises(EvaluationError, match="not of the same rows"):
        compare_outcomes(outcomes_of([0, 0]), outcomes_of([0]))


def test_slices_cover_each_kind_and_drop_single_rows() -> None:
    rows = [
        Row("a.0", "银行", "yin hang", "去"),
        Row("a.1", "你好吗我", "ni hao ma wo"),
        Row("b.0", "甲" * 10, " ".join(["jia"] * 10), "在"),
        Row("b.1", "甲" * 9, " ".join(["jia"] * 9)),
    ]
    slices = {name: indices.tolist() for name, indices in slice_rows(rows, polyphones="甲").items()}
    assert slices == {
        "domain:a": [0, 1],
        "domain:b": [2, 3],
        "left_context:no": [1, 3],
        "left_context:yes": [0, 2],
        "length:4-9": [1, 3],
        "polyphone:no": [0, 1],
        "polyphone:yes": [2, 3],
    }
