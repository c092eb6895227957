"""Type the same rows with every input scheme and print accuracy side by side, as Markdown.

Shuangpin has two keys a syllable, so it is to be compared with segmented full pinyin. All input is
typed without borders but for the first line and where said.

    python -m benchmarks.schemes hsk.tsv tatoeba.tsv --limit 300
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import yinzi
from yinzi.evaluation import EvaluationOptions, InputForm, SetReport, evaluate, read_rows
from yinzi.pinyin.schemes import SCHEME_NAMES, get_scheme

SEGMENTED_TOO = ("pinyin", "nine-keys", "zhuyin")
"""Schemes in which borders make a difference."""


def runs(names: Sequence[str]) -> list[tuple[str, InputForm]]:
    """Return which scheme is typed in which form."""
    return [
        (name, form)
        for name in names
        for form in (InputForm.SEGMENTED, InputForm.UNSEGMENTED)
        if form is InputForm.UNSEGMENTED or name in SEGMENTED_TOO
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; with `--json`, write the figures to a file, too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="sets, see docs/metrics.md")
    parser.add_argument("--scheme", action="append", help="only these; by default, all")
    parser.add_argument("--limit", type=int, help="rows of each set")
    parser.add_argument("--no-encoder", action="store_true", help="language model alone")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args(arguments)
    converter = yinzi.load(uses_encoder=not options.no_encoder)
    sets = {path.stem: read_rows(path)[: options.limit] for path in options.files}
    heads = [f"{name} @1 | @5" for name in sets]
    print(f"| scheme | input | {' | '.join(heads)} | mean @1 | lines/s |")
    print("|---|---|" + "---:|" * (2 * len(sets) + 2))
    found = []
    for name, form in runs(options.scheme or SCHEME_NAMES):
        scheme = get_scheme(name)
        settings = EvaluationOptions(form, latency_lines=0, n_resamples=100, scheme=scheme)
        with_keys = converter.with_scheme(scheme)
        reports = [evaluate(with_keys, rows, settings, name=set_) for set_, rows in sets.items()]
        print(_row(name, form, reports), flush=True)
        found += [report.to_dict() for report in reports]
    if options.json:
        options.json.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def _row(name: str, form: InputForm, reports: Sequence[SetReport]) -> str:
    metrics = [report.metrics for report in reports]
    firsts = [metric["miu_accuracy@1"].value for metric in metrics]
    fifths = [metric["miu_accuracy@5"].value for metric in metrics]
    cells = [
        f"{100 * one:.1f} | {100 * five:.1f}" for one, five in zip(firsts, fifths, strict=True)
    ]
    n_rows = sum(report.n_rows for report in reports)
    seconds = sum(report.n_rows / report.lines_per_second for report in reports)
    mean = 100 * sum(firsts) / len(firsts)
    return f"| {name} | {form.value} | {' | '.join(cells)} | {mean:.1f} | {n_rows / seconds:.0f} |"


if __name__ == "__main__":
    main()
