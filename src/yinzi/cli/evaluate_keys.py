"""Print what typing costs, for `yinzi evaluate --keys`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yinzi.converter import Converter
    from yinzi.evaluation import KeyReport

__all__ = ["measure_keys", "print_key_reports"]


def measure_keys(
    converter: Converter,
    files: Sequence[Path],
    *,
    form: str,
    with_left_context: bool,
    is_late: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """Type the rows of files key by key, with a progress bar, and print the reports."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    from yinzi.converter import LatePolicy
    from yinzi.evaluation import InputForm, KeyOptions, evaluate_keys_files

    options = KeyOptions(
        input_form=InputForm(form),
        use_left_context=with_left_context,
        late_policy=LatePolicy() if is_late else None,
    )
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        bar = progress.add_task("rows", total=None)
        reports = evaluate_keys_files(
            converter,
            files,
            options,
            limit=limit,
            on_start=lambda n_rows: progress.update(bar, total=n_rows),
            on_row=lambda: progress.advance(bar),
        )
    if as_json:
        print(json.dumps({"sets": [report.to_dict() for report in reports]}, ensure_ascii=False))
    else:
        print_key_reports(reports)
    for report in reports:
        if report.n_skipped:
            print(
                f"{report.name}: {report.n_skipped} rows left out: "
                "they have not one syllable for each hanzi",
                file=sys.stderr,
            )


def print_key_reports(reports: Sequence[KeyReport]) -> None:
    """Print reports as two tables in Markdown: keys, then times in milliseconds."""
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    console = Console(file=sys.stdout, width=160, highlight=False)
    first = reports[0]
    form, late = first.input_form.value, ", late results" if first.is_late else ""
    context = "with" if first.use_left_context else "without"
    print(f"{form} input, {context} left context{late}\n")
    keys = Table(box=MARKDOWN)
    headings = ("keys/hanzi", "letters", "selections", "pages", "first right", "one selection")
    keys.add_column("set")
    for column in ("rows", *headings, "errors", "churn", "stability"):
        keys.add_column(column, justify="right")
    times = Table(box=MARKDOWN)
    times.add_column("set")
    times.add_column("time per key")
    for column in ("keys", "mean ms", "p50 ms", "p90 ms", "p99 ms", "max ms"):
        times.add_column(column, justify="right")
    for report in reports:
        keys.add_row(
            report.name,
            str(report.n_rows),
            f"{report.keys_per_hanzi:.3f}",
            f"{report.letters_per_hanzi:.3f}",
            f"{report.selections_per_hanzi:.3f}",
            f"{report.pages_per_hanzi:.3f}",
            f"{report.first_right:.3f}",
            f"{report.one_selection:.3f}",
            f"{report.error_rows:.3f}",
            f"{report.churn:.2f}",
            f"{report.stability:.3f}",
        )
        rows = {"wall": report.times, "processor": report.cpu_times, "late": report.late_times}
        for what, found in rows.items():
            if found is not None:
                figures = (found.mean_ms, found.p50_ms, found.p90_ms, found.p99_ms, found.max_ms)
                cells = [f"{ms:.1f}" for ms in figures]
                times.add_row(report.name, what, str(found.n_keys), *cells)
    console.print(keys)
    print()
    console.print(times)
