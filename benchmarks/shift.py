"""Hold expected accuracy against measured accuracy, and write the figures that ship.

    python -m benchmarks.shift --dev domains.tsv --whole hsk.tsv --whole tatoeba.tsv \
        --data DATASET --json shift.json

Rows of `--dev` are grouped by domain, a file of `--whole` is one set. Every set is expected by a
fit on all the others. With `--data`, so are random sentences of each domain of its test split, by
a fit without the set of that name. Prints Markdown.

`--write src/yinzi_train/shift` stores the fit; with `--data`, first the words of its train split.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import yinzi
from benchmarks.machine import machine_facts
from yinzi.converter import Converter
from yinzi.errors import YinziError
from yinzi.evaluation import Row, read_rows
from yinzi_train.dataset.reader import Dataset, open_dataset
from yinzi_train.shift.accuracy import label_sample
from yinzi_train.shift.dataset_samples import domain_samples, mixed_sample
from yinzi_train.shift.measures import MEASURES, measure_text
from yinzi_train.shift.profile import (
    PROFILE_NAME,
    WordDistribution,
    count_dataset,
    load_profile,
    save_profile,
)
from yinzi_train.shift.reference import (
    REFERENCE_NAME,
    TARGETS,
    Reference,
    ReferenceSet,
    expected_without,
    fit_reference,
    fit_sets,
    measure_set,
    save_reference,
)
from yinzi_train.shift.regression import features, sampling_covariance, spearman
from yinzi_train.shift.run_counts import RunCounter
from yinzi_train.shift.sample import Sample

SIZES = (10, 30, 100, 300)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 where a file cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--artifact", default="base", help="name or folder (default: base)")
    parser.add_argument("--dev", type=Path, action="append", default=[], help="set of domains")
    parser.add_argument("--whole", type=Path, action="append", default=[], help="set of one kind")
    parser.add_argument("--data", type=Path, help="dataset whose test split is expected, too")
    parser.add_argument("--sentences", type=int, default=300, help="of each domain of the dataset")
    parser.add_argument("--write", type=Path, help="folder where the figures that ship are stored")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args(argv)
    try:
        result = run(options)
    except (YinziError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        text = json.dumps(result, ensure_ascii=False, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure, print, and return all figures."""
    converter = yinzi.load(options.artifact)
    dataset = open_dataset(options.data) if options.data else None
    training = None
    if dataset is not None:
        training = mixed_sample(dataset, split="validation", n_sentences=4000)
    if dataset is not None and options.write:
        profile, _ = count_dataset(dataset, converter)
        save_profile(profile, options.write / PROFILE_NAME)
    distribution = load_profile().on(converter)
    sets = read_sets(options.dev, options.whole)
    reference = fit_reference(
        sets, converter=converter, distribution=distribution, training=training
    )
    if options.write:
        save_reference(reference, options.write / REFERENCE_NAME)
    result: dict[str, Any] = {"machine": machine_facts(core=None), "artifact": reference.artifact}
    result["sets"] = print_sets(reference)
    result["measures"] = print_measures(reference)
    if dataset is not None:
        result["test_split"] = print_test_split(
            dataset,
            reference,
            converter=converter,
            distribution=distribution,
            n_sentences=options.sentences,
        )
        result["sizes"] = print_sizes(
            dataset, reference, converter=converter, distribution=distribution
        )
    return result


def read_sets(dev: Sequence[Path], whole: Sequence[Path]) -> dict[str, list[Row]]:
    """Return rows by domain, and by file."""
    sets: dict[str, list[Row]] = {}
    for path in dev:
        for row in read_rows(path):
            sets.setdefault(row.domain, []).append(row)
    return sets | {path.stem: read_rows(path) for path in whole}


def print_sets(reference: Reference) -> dict[str, Any]:
    """Print what is expected of each set by a fit on the others."""
    result: dict[str, Any] = {}
    for target in TARGETS:
        measured = np.array([one.accuracy[target] for one in reference.sets])
        expected = expected_without(reference.sets, target)
        errors = np.abs(expected - measured)
        result[target] = {
            "spearman": spearman(expected, measured),
            "mean_error": float(errors.mean()),
            "largest_error": float(errors.max()),
            "sets": {
                one.name: [float(m), float(e)]
                for one, m, e in zip(reference.sets, measured, expected, strict=True)
            },
        }
    print("## Sets, each expected by a fit on the others\n")
    print("| set | rows | characters | expected | MIU@1 | expected |\n| --- |" + " ---: |" * 5)
    for one in reference.sets:
        cells = [f"{value:.3f}" for name in TARGETS for value in result[name]["sets"][one.name]]
        print(f"| {one.name} | {one.n_rows} | {' | '.join(cells)} |")
    _print_summary(result)
    return result


def print_measures(reference: Reference) -> dict[str, Any]:
    """Print the rank correlation of every measure with accuracy."""
    print("\n## Rank correlation of each measure with accuracy over the sets\n")
    print("| measure | characters | MIU@1 |\n| --- | ---: | ---: |")
    found = {}
    for name, measure in MEASURES.items():
        values = reference.values(name)
        found[name] = [
            spearman(values, [one.accuracy[target] for one in reference.sets]) for target in TARGETS
        ]
        print(f"| {measure.title} | {found[name][0]:+.3f} | {found[name][1]:+.3f} |")
    return found


def print_test_split(
    dataset: Dataset,
    reference: Reference,
    *,
    converter: Converter,
    distribution: WordDistribution,
    n_sentences: int,
) -> dict[str, Any]:
    """Print what is expected of the domains of the test split by fits without them."""
    counter = RunCounter(converter, distribution.common)
    known = {one.name for one in reference.sets}
    result: dict[str, Any] = {target: {"sets": {}, "inside": 0} for target in TARGETS}
    n_rows = {}
    samples = domain_samples(dataset, split="test", n_sentences=n_sentences)
    for name, sample in samples.items():
        rows = label_sample(sample, converter.artifact).rows
        found, _ = measure_set(
            name,
            sample,
            rows,
            converter=converter,
            counter=counter,
            distribution=distribution,
        )
        n_rows[name] = len(rows)
        counts = counter.count(sample)
        covariance = sampling_covariance(counts)
        models = fit_without(reference, name)
        for target in TARGETS:
            estimate = models[target].predict(
                features(counts.table.sum(axis=0)),
                covariance=covariance,
                n_sentences=sample.n_sentences,
            )
            measured = found.accuracy[target]
            result[target]["sets"][name] = [measured, estimate.value, estimate.low, estimate.high]
            result[target]["inside"] += estimate.low <= measured <= estimate.high
    print(f"\n## Test split: {n_sentences} sentences of each domain, fit without that domain\n")
    print("| domain | MIUs | characters | expected | 95 % | MIU@1 | expected | 95 % |")
    print("| --- |" + " ---: |" * 7)
    for name in samples:
        cells = []
        for target in TARGETS:
            measured, expected, low, high = result[target]["sets"][name]
            cells += [f"{measured:.3f}", f"{expected:.3f}", f"{low:.3f}–{high:.3f}"]
        mark = "" if name in known else " (no set)"
        print(f"| {name}{mark} | {n_rows[name]} | {' | '.join(cells)} |")
    for target in TARGETS:
        values = np.array(list(result[target]["sets"].values()))
        result[target]["spearman"] = spearman(values[:, 1], values[:, 0])
        errors = np.abs(values[:, 1] - values[:, 0])
        result[target] |= {
            "mean_error": float(errors.mean()),
            "largest_error": float(errors.max()),
            "inside_share": result[target].pop("inside") / len(samples),
        }
    _print_summary(result)
    return result


def fit_without(reference: Reference, name: str) -> Any:
    """Fit on the sets that are not of one domain."""
    kept: list[ReferenceSet] = [one for one in reference.sets if one.name != name]
    covariance = np.array(next(iter(reference.models.values())).sentence_covariance)
    return fit_sets(kept, covariance)


def print_sizes(
    dataset: Dataset,
    reference: Reference,
    *,
    converter: Converter,
    distribution: WordDistribution,
) -> dict[str, Any]:
    """Print how measures and intervals of one text depend on how much of it is given."""
    counter = RunCounter(converter, distribution.common)
    samples = domain_samples(dataset, split="test", n_sentences=SIZES[-1])
    columns = ("words, raw", "words", "syllables, raw", "syllables", "interval of MIU@1")
    sums = {size: np.zeros(len(columns)) for size in SIZES}
    for sample in samples.values():
        for size in SIZES:
            part: Sample = sample.take_sentences(np.arange(size)[: sample.n_sentences])
            counts = counter.count(part)
            measured = measure_text(counts, distribution)
            estimate = reference.models["miu_accuracy@1"].predict(
                features(counts.table.sum(axis=0)),
                covariance=sampling_covariance(counts),
                n_sentences=part.n_sentences,
            )
            words, syllables = measured.words, measured.syllables
            divergences = (words.raw, words.corrected, syllables.raw, syllables.corrected)
            sums[size] += [*divergences, estimate.high - estimate.low]
    print("\n## How figures depend on the size of a text: means over the domains\n")
    print(f"| sentences | {' | '.join(columns)} |\n| ---: |" + " ---: |" * len(columns))
    result = {}
    for size in SIZES:
        means = (sums[size] / len(samples)).tolist()
        result[str(size)] = dict(zip(columns, means, strict=True))
        print(f"| {size} | {' | '.join(f'{value:.3f}' for value in means)} |")
    return result


def _print_summary(result: dict[str, Any]) -> None:
    print()
    for target in TARGETS:
        found = result[target]
        inside = found.get("inside_share")
        print(
            f"- {target}: Spearman {found['spearman']:.3f}, mean error "
            f"{100 * found['mean_error']:.1f} points, largest {100 * found['largest_error']:.1f}"
            + (f", {inside:.0%} inside the interval" if inside is not None else "")
        )


if __name__ == "__main__":
    sys.exit(main())
