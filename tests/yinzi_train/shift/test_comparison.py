"""Whole comparisons: what is near and what is far, warnings, advice, and the figures that ship."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.yinzi_train.dataset.dataset_samples import write_dataset
from yinzi.converter import Converter
from yinzi.evaluation import Row
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.shift.accuracy import LabelledRows, label_sample
from yinzi_train.shift.comparison import Comparison, compare, with_measured
from yinzi_train.shift.dataset_samples import domain_samples, mixed_sample
from yinzi_train.shift.errors import ShiftError
from yinzi_train.shift.measures import MEASURES
from yinzi_train.shift.profile import (
    TextProfile,
    WordDistribution,
    count_dataset,
    load_profile,
    save_profile,
)
from yinzi_train.shift.reading import read_sample
from yinzi_train.shift.reference import (
    Reference,
    expected_without,
    fit_reference,
    load_reference,
    save_reference,
)
from yinzi_train.shift.regression import spearman
from yinzi_train.shift.sample import Sample


@pytest.fixture
def near(
    near_path: Path, converter: Converter, reference: Reference, distribution: WordDistribution
) -> Comparison:
    sample = read_sample([near_path])
    return compare(sample, converter, reference=reference, distribution=distribution)


@pytest.fixture
def far(
    far_path: Path, converter: Converter, reference: Reference, distribution: WordDistribution
) -> Comparison:
    sample = read_sample([far_path])
    return compare(sample, converter, reference=reference, distribution=distribution)


def test_far_text_is_told_from_a_near_one(near: Comparison, far: Comparison) -> None:
    assert (near.verdict, far.verdict) == ("near", "far")
    for name in ("perplexity_hanzi", "homophone_hanzi", "unseen_pairs", "word_divergence"):
        assert near.value(name) < far.value(name)
    for target, expected in near.expected.items():
        assert expected.value > far.expected[target].high
    assert "poetry" in far.nearest
    assert "poetry" not in near.nearest


def test_short_and_traditional_text_is_warned_of(near: Comparison, far: Comparison) -> None:
    assert "hanzi in 7 sentences: all figures are rough" in near.warnings[0]
    assert any("lines are in traditional hanzi" in warning for warning in far.warnings)
    assert any("--traditional" in advice for advice in far.suggestions)
    assert not any("--traditional" in advice for advice in near.suggestions)


def test_fewer_sentences_give_a_wider_interval(
    near_path: Path, converter: Converter, reference: Reference, distribution: WordDistribution
) -> None:
    widths = []
    for n in (1, 6):
        sample = read_sample([near_path]).take_sentences(np.arange(n))
        found = compare(sample, converter, reference=reference, distribution=distribution)
        logits = [
            np.log(value / (1 - value))
            for value in (
                found.expected["miu_accuracy@1"].low,
                found.expected["miu_accuracy@1"].high,
            )
        ]
        widths.append(logits[1] - logits[0])
    assert widths[0] > 1.2 * widths[1]


def test_comparison_is_plain_json(near: Comparison) -> None:
    found = json.loads(json.dumps(near.to_dict()))
    assert {one["name"] for one in found["measures"]} == set(MEASURES)
    assert set(found["expected"]) == {"character_accuracy", "miu_accuracy@1"}


def test_words_of_the_text_are_listed(
    converter: Converter, reference: Reference, distribution: WordDistribution
) -> None:
    sample = Sample.from_sentences(["螺旋桨坏了。", "螺旋桨要修。", "我们买螺旋桨，𠀀。"])
    found = compare(sample, converter, reference=reference, distribution=distribution)
    assert found.words[0].text == "螺旋桨"
    assert found.words[0].count == 3
    assert found.unknown_hanzi == (("𠀀", 1),)
    assert any("𠀀" in advice for advice in found.suggestions)


def test_figures_of_another_artifact_are_warned_of(
    near_path: Path, converter: Converter, reference: Reference, distribution: WordDistribution
) -> None:
    other = replace(reference, digest="0" * 16)
    sample = read_sample([near_path])
    found = compare(sample, converter, reference=other, distribution=distribution)
    assert any("measured with" in warning and "--fit" in warning for warning in found.warnings)


def test_shipped_figures_fit_the_shipped_artifact(
    reference: Reference, converter: Converter
) -> None:
    assert reference.fits(converter.artifact), "run python -m benchmarks.shift --write"
    for target, least in (("character_accuracy", 0.9), ("miu_accuracy@1", 0.85)):
        measured = [one.accuracy[target] for one in reference.sets]
        assert spearman(expected_without(reference.sets, target), measured) > least


def test_accuracy_of_the_text_is_measured(
    near: Comparison, near_path: Path, converter: Converter
) -> None:
    labelled = label_sample(read_sample([near_path]), converter.artifact, max_rows=5)
    assert len(labelled.rows) == 5
    assert labelled.rows[0] == Row("text.0", "今天天气很好", "jin tian tian qi hen hao", "")
    told: list[tuple[int, int]] = []
    found = with_measured(near, converter, labelled, on_rows=lambda *counts: told.append(counts))
    assert found.measured is not None
    assert found.measured["character_accuracy"].value > 0.8
    assert told == [(5, 5)]


def test_runs_without_reading_are_left_out(converter: Converter) -> None:
    labelled = label_sample(Sample.from_sentences(["你好，𰀀"]), converter.artifact)
    assert [row.hanzi for row in labelled.rows] == ["你好"]
    assert labelled.n_unread == 1


@pytest.mark.slow
def test_text_without_any_reading_is_refused(converter: Converter) -> None:
    with pytest.raises(ShiftError, match="known reading"):
        label_sample(Sample.from_sentences(["𰀀"]), converter.artifact)


def test_wrong_readings_lower_the_measured_accuracy(near: Comparison, converter: Converter) -> None:
    rows = (Row("a.0", "你好", "ni hao"), Row("a.1", "再见", "ni hao"))
    found = with_measured(near, converter, LabelledRows(rows)).measured
    assert found is not None
    assert found["miu_accuracy@1"].value == 0.5


def test_fit_needs_sets_and_survives_its_file(
    tmp_path: Path, converter: Converter, distribution: WordDistribution
) -> None:
    rows = [Row("a.0", "你好吗", "ni hao ma"), Row("a.1", "再见", "zai jian")]
    rows.append(Row("a.2", "舟泊寒汀外", "zhou bo han ting wai"))
    sets = {f"set{at}": rows[at % 3 :] for at in range(8)}
    told: list[int] = []
    reference = fit_reference(
        sets,
        converter=converter,
        distribution=distribution,
        on_sets=lambda done, total: told.append(done),
    )
    assert told == list(range(1, 9))
    save_reference(reference, tmp_path / "fit.json")
    again = load_reference(tmp_path / "fit.json")
    assert again.models == reference.models
    assert again.fits(converter.artifact)
    with pytest.raises(ShiftError, match="2 sets to fit on"):
        fit_reference(dict(list(sets.items())[:2]), converter=converter, distribution=distribution)


@pytest.mark.parametrize("content", ["", "{}", '{"format": 9}', "[1]"], ids=str)
def test_damaged_figures_are_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "fit.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ShiftError, match=r"fit\.json.*--fit"):
        load_reference(path)
    with pytest.raises(ShiftError, match=r"fit\.json"):
        load_profile(path)


def test_profile_survives_its_file_and_strange_lexicons_are_refused(
    tmp_path: Path, converter: Converter
) -> None:
    profile = TextProfile(("的", "我们"), (30, 10), 100, "a test")
    save_profile(profile, tmp_path / "words.xz")
    assert load_profile(tmp_path / "words.xz") == profile
    laid = profile.on(converter)
    assert laid.classes.tolist() == [0.3, 0.1, 0.6]
    assert laid.shares.sum() == pytest.approx(1)
    assert laid.syllables.sum() == pytest.approx(1)
    with pytest.raises(ShiftError, match="only 0 of the 2 words"):
        TextProfile(("abc", "𠀀𠀁"), (3, 1), 4, "a test").on(converter)


def test_dataset_is_counted_and_sampled(tmp_path: Path, converter: Converter) -> None:
    write_dataset(tmp_path / "dataset")
    dataset = open_dataset(tmp_path / "dataset")
    profile, domains = count_dataset(dataset, converter)
    counts = dict(zip(profile.words, profile.counts, strict=True))
    assert "银行" in counts
    assert "首都" not in counts  # of the test split
    assert set(domains) == {"chat", "news"}
    assert sum(int(one.sum()) for one in domains.values()) == profile.n_words
    (name,) = domain_samples(dataset, split="test", n_sentences=1)
    sample = domain_samples(dataset, split="test", n_sentences=1)[name]
    assert sample.runs == ("首都在北京吗",)
    assert sample.pinyin == ("shou du zai bei jing ma",)
    assert mixed_sample(dataset, split="validation", n_sentences=9).n_sentences == 1
