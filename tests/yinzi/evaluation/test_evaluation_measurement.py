"""A whole evaluation, with a table for a converter and a clock that we turn."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from yinzi.errors import ConfigError
from yinzi.evaluation import (
    EvaluationError,
    EvaluationOptions,
    InputForm,
    Row,
    evaluate,
    evaluate_files,
)
from yinzi.evaluation.reports import Latency

ROWS = [
    Row("a.0", "你好", "ni hao"),
    Row("a.1", "她好", "ta hao", "妈妈"),
    Row("b.0", "再见", "zai jian"),
]


@dataclass(frozen=True)
class Text:
    text: str


@dataclass
class TableConverter:
    """Gives what a table says; `calls` keeps what was asked."""

    table: dict[str, list[str]]
    calls: list[tuple[list[str], list[str] | None, int]] = field(default_factory=list)

    def convert_batch(
        self, lines: list[str], /, *, left_contexts: list[str] | None = None, n_best: int = 5
    ) -> list[list[Text]]:
        self.calls.append((lines, left_contexts, n_best))
        contexts = left_contexts or [""] * len(lines)
        found = [
            self.table.get(context + line, self.table.get(line, []))
            for line, context in zip(lines, contexts, strict=True)
        ]
        return [[Text(text) for text in texts] for texts in found]


TABLE = {"ni hao": ["你好"], "ta hao": ["他好", "她好"], "妈妈ta hao": ["她好"]}


def test_evaluate_reports_metrics_slices_and_counts() -> None:
    report = evaluate(TableConverter(TABLE), ROWS, name="tiny")
    assert report.metrics["miu_accuracy@1"].value == pytest.approx(1 / 3)
    assert report.metrics["miu_accuracy@5"].value == pytest.approx(2 / 3)
    assert report.metrics["character_accuracy"].value == pytest.approx(3 / 6)
    assert report.slices["domain:a"].metrics["miu_accuracy@1"].value == 0.5
    assert (report.n_rows, report.n_hanzi, report.n_misaligned) == (3, 6, 0)
    assert report.n_batch_differences == 0


def test_evaluate_gives_left_contexts_only_when_asked() -> None:
    converter = TableConverter(TABLE)
    options = EvaluationOptions(use_left_context=True)
    assert evaluate(converter, ROWS, options).metrics["miu_accuracy@1"].value == pytest.approx(
        2 / 3
    )
    assert (["ta hao"], ["妈妈"], 5) in converter.calls
    without = TableConverter(TABLE)
    evaluate(without, ROWS)
    assert {contexts is None for _, contexts, _ in without.calls} == {True}


def test_evaluate_types_in_the_form_asked_for() -> None:
    converter = TableConverter({"nh": ["你好"]})
    options = EvaluationOptions(input_form=InputForm.INITIALS, latency_lines=0, n_best=7)
    report = evaluate(converter, ROWS, options)
    assert converter.calls[1:] == [(["nh", "th", "zj"], None, 7)]
    assert report.metrics["miu_accuracy@1"].value == pytest.approx(1 / 3)
    assert report.latency is None


def test_evaluate_times_batches_and_lines_apart() -> None:
    ticks = itertools.count()
    converter = TableConverter(TABLE)
    options = EvaluationOptions(batch_lines=2)
    report = evaluate(converter, ROWS, options, clock=lambda: float(next(ticks)))
    assert [len(lines) for lines, _, _ in converter.calls] == [1, 2, 1, 1, 1, 1]
    assert report.lines_per_second == 3.0
    assert report.latency == Latency(3, 1000.0, 1000.0, 1000.0, 1000.0, 1000.0)


def test_evaluate_counts_lines_that_differ_alone() -> None:
    class Unsteady(TableConverter):
        def convert_batch(
            self, lines: list[str], /, *, left_contexts: list[str] | None = None, n_best: int = 5
        ) -> list[list[Text]]:
            return [[Text(str(len(lines)))] for _ in lines]

    assert evaluate(Unsteady({}), ROWS).n_batch_differences == 3


def test_evaluate_refuses_a_missing_list_and_no_rows() -> None:
    class Short(TableConverter):
        def convert_batch(
            self, lines: list[str], /, *, left_contexts: list[str] | None = None, n_best: int = 5
        ) -> list[list[Text]]:
            return []

    with pytest.raises(EvaluationError, match="0 lists of candidates for 1 lines"):
        evaluate(Short({}), ROWS)
    with pytest.raises(EvaluationError, match="no rows"):
        evaluate(TableConverter({}), [])


def test_evaluate_files_means_sets_without_weights(tmp_path: Path) -> None:
    for name, rows in (("one", ROWS[:1]), ("two", ROWS)):
        lines = ["\t".join([r.id, r.hanzi, r.pinyin, r.left_context]) for r in rows]
        (tmp_path / f"{name}.tsv").write_text("\n".join(lines), encoding="utf-8")
    paths = [tmp_path / "one.tsv", tmp_path / "two.tsv"]
    report = evaluate_files(TableConverter(TABLE), paths)
    assert [part.name for part in report.sets] == ["one", "two"]
    assert report.mean["miu_accuracy@1"] == pytest.approx((1 + 1 / 3) / 2)
    plain = json.loads(json.dumps(report.to_dict(with_rows=True)))
    assert plain["sets"][0]["rows"] == [{"id": "a.0", "rank": 0, "n_correct": 2, "n_hanzi": 2}]
    assert evaluate_files(TableConverter(TABLE), paths, limit=1).mean["miu_accuracy@1"] == 1.0
    with pytest.raises(EvaluationError, match="no files"):
        evaluate_files(TableConverter(TABLE), [])


@pytest.mark.parametrize("name", ["n_best", "batch_lines", "latency_lines", "n_resamples"])
def test_options_name_what_is_out_of_range(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is -1"):
        EvaluationOptions(**{name: -1})


def test_latency_percentiles_are_measured_times() -> None:
    latency = Latency.from_seconds([number / 1000 for number in range(1, 101)])
    found = (latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms)
    assert found == pytest.approx((50, 95, 99, 100))
