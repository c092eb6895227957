"""Key-level evaluation with made-up converters whose every list is known."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from yinzi.converter import Candidate, Converter, LatePolicy
from yinzi.errors import ConfigError
from yinzi.evaluation import (
    EvaluationError,
    InputForm,
    KeyOptions,
    Row,
    evaluate_keys,
    evaluate_keys_files,
)
from yinzi.evaluation.keys import KeyTimes

Lists = dict[str, Sequence[tuple[str, int]]]


def make(text: str, end: int) -> Candidate:
    return Candidate(text, -1.0, 0, end, "word", ())


class FakeTyping:
    def __init__(self, lists: Lists, late: Lists) -> None:
        self.lists, self.late, self.letters = lists, late, ""

    def update(self, pinyin: str, /, *, limit: int = 100) -> list[Candidate]:
        self.letters = pinyin
        return [make(text, end) for text, end in self.lists.get(pinyin, [])][:limit]

    def late_update(self) -> list[Candidate]:
        found = self.late.get(self.letters, self.lists.get(self.letters, []))
        return [make(text, end) for text, end in found]


class FakeConverter:
    """Offer what a table says for the letters; `contexts` is what it was told."""

    def __init__(self, lists: Lists, late: Lists | None = None) -> None:
        self.lists, self.late = lists, late or {}
        self.contexts: list[str] = []

    def type_keys(
        self, *, left_context: str = "", late_policy: LatePolicy | None = None
    ) -> FakeTyping:
        self.contexts.append(left_context)
        return FakeTyping(self.lists, self.late)

    def candidates(
        self, pinyin: str, /, *, left_context: str = "", limit: int = 100
    ) -> list[Candidate]:
        self.contexts.append(left_context)
        return FakeTyping(self.lists, {}).update(pinyin, limit=limit)


def ticking(step: float = 0.001) -> Callable[[], float]:
    ticks = itertools.count()
    return lambda: next(ticks) * step


ROW = Row("a.0", "你好", "ni hao", "前")


def test_first_candidate_right_costs_one_selection() -> None:
    report = evaluate_keys(FakeConverter({"nihao": [("你好", 5)]}), [ROW], clock=ticking())
    assert (report.n_rows, report.n_hanzi) == (1, 2)
    assert report.keys_per_hanzi == 6 / 2
    assert (report.first_right, report.one_selection, report.error_rows) == (1, 1, 0)
    assert report.times.n_keys == 5
    assert report.times.p50_ms == pytest.approx(1.0)
    assert report.late_times is None


def test_longest_right_prefix_is_taken_and_pages_count() -> None:
    wrong = [("泥号", 5)] * 5
    lists: Lists = {
        "nihao": [*wrong, ("你", 2), ("你好", 4), ("尼", 2)],  # the third takes too few letters
        "hao": [("号", 3), ("好", 3)],
    }
    converter = FakeConverter(lists)
    report = evaluate_keys(converter, [ROW], KeyOptions(use_left_context=True))
    assert report.letters_per_hanzi == 5 / 2
    assert report.selections_per_hanzi == 2 / 2
    assert report.pages_per_hanzi == 1 / 2
    assert (report.first_right, report.one_selection, report.error_rows) == (0, 0, 0)
    assert converter.contexts[1:] == ["前", "前你"]


def test_what_is_not_offered_is_typed_alone_and_counted() -> None:
    lists: Lists = {"nihao": [("泥", 2)], "ni": [("泥", 2), ("你", 2)], "hao": [("毫", 3)]}
    report = evaluate_keys(FakeConverter(lists), [ROW])
    assert report.error_rows == 1
    assert report.n_unreachable == 1
    assert report.letters_per_hanzi == (5 + 2 + 3) / 2
    assert report.selections_per_hanzi == 2 / 2
    assert report.one_selection == 0


def test_churn_and_stability() -> None:
    lists: Lists = {
        "n": [("你", 1)],
        "ni": [("你", 2), ("泥", 2)],  # one place changes, 你 may still change
        "nih": [("泥", 3), ("你", 3)],  # two change
        "niha": [("你哈", 4)],  # two change
        "nihao": [("泥好", 5)],  # one changes; 你 did not stay
    }
    report = evaluate_keys(FakeConverter(lists), [ROW])
    assert report.churn == (1 + 2 + 2 + 1) / 4
    assert report.stability == 3 / 4


def test_late_results_decide_what_is_taken() -> None:
    converter = FakeConverter({"nihao": [("泥号", 5)]}, {"nihao": [("泥号", 5), ("你好", 5)]})
    report = evaluate_keys(converter, [ROW], KeyOptions(late_policy=LatePolicy()))
    assert report.is_late
    assert (report.first_right, report.one_selection, report.error_rows) == (0, 1, 0)
    assert report.late_times is not None
    assert report.late_times.n_keys == 5


def test_rows_without_a_syllable_for_each_hanzi_are_left_out() -> None:
    converter = FakeConverter({"nihao": [("你好", 5)]})
    report = evaluate_keys(converter, [ROW, Row("b", "你好吗", "ni hao")])
    assert (report.n_rows, report.n_skipped) == (1, 1)
    with pytest.raises(EvaluationError, match="none of 1 rows"):
        evaluate_keys(converter, [Row("b", "你好吗", "ni hao")])


def test_initials_are_borders_too() -> None:
    lists: Lists = {"nh": [("你", 1), ("你好", 1)], "h": [("好", 1)]}
    report = evaluate_keys(FakeConverter(lists), [ROW], KeyOptions(InputForm.INITIALS))
    assert report.selections_per_hanzi == 1
    assert report.letters_per_hanzi == 1


def test_bad_options() -> None:
    with pytest.raises(ConfigError, match="page_size"):
        KeyOptions(page_size=0)
    with pytest.raises(ConfigError, match="unsegmented"):
        KeyOptions(input_form=InputForm.SEGMENTED)


def test_percentiles_are_measured_times() -> None:
    times = KeyTimes.from_seconds([n / 1000 for n in range(1, 101)])
    assert (times.p50_ms, times.p90_ms, times.p99_ms, times.max_ms) == (50, 90, 99, 100)


def test_files_are_typed_with_the_tiny_artifact(converter: Converter, tmp_path: Path) -> None:
    path = tmp_path / "tiny.tsv"
    path.write_text("a\t我要买\two yao mai\nb\t你好\tni hao\n", encoding="utf-8")
    n_rows: list[int] = []
    done: list[int] = []
    (report,) = evaluate_keys_files(
        converter, [path], limit=1, on_start=n_rows.append, on_row=lambda: done.append(1)
    )
    assert n_rows == [1]
    assert len(done) == 1
    assert (report.name, report.first_right, report.error_rows) == ("tiny", 1, 0)
    assert json.loads(json.dumps(report.to_dict()))["times"]["n_keys"] == len("woyaomai")
    with pytest.raises(EvaluationError, match="no files"):
        evaluate_keys_files(converter, [])
