"""The command `yinzi evaluate`: accuracy and speed on evaluation sets."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yinzi.cli import loading
from yinzi.cli.evaluate_keys import measure_keys
from yinzi.cli.loading import (
    ArtifactOption,
    CorrectOption,
    EnglishOption,
    FuzzyOption,
    NoEncoderOption,
    SchemeOption,
)
from yinzi.cli.running import DebugOption

if TYPE_CHECKING:
    from rich.table import Table

    from yinzi.converter import Converter
    from yinzi.evaluation import EvaluationOptions, FilesReport, SetReport
    from yinzi.evaluation.bootstrap import Estimate

__all__ = ["EXAMPLES", "Form", "LimitOption", "SetsArgument", "evaluate", "print_report"]

EXAMPLES = """Examples:

$ yinzi evaluate hsk.tsv tatoeba.tsv --input-form unsegmented

$ yinzi evaluate --keys --limit 100 hsk.tsv"""

_HEADINGS = {"miu_accuracy@1": "MIU@1", "miu_accuracy@5": "MIU@5", "character_accuracy": "CA"}


class Against(str, Enum):
    """What a converter is compared with: itself, knowing less."""

    NO_LEFT_CONTEXT = "no-left-context"
    NO_ENCODER = "no-encoder"


class Form(str, Enum):
    """How the rows are typed; the names of `yinzi.evaluation.InputForm`.

    Kept here as well because importing the evaluation loads numpy, which `--help` can do without.
    """

    SEGMENTED = "segmented"
    UNSEGMENTED = "unsegmented"
    INITIALS = "initials"
    MIXED = "mixed"
    INCOMPLETE = "incomplete"


SetsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="TSV",
        help="Sets: id, hanzi, pinyin with blanks, text before it.",
        show_default=False,
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="Rows to take of each file.", show_default=False),
]


def evaluate(
    files: SetsArgument,
    *,
    form: Annotated[
        Form | None,
        typer.Option(
            "--input-form",
            help="How the pinyin is typed; segmented if not given, with --keys unsegmented.",
            show_default=False,
        ),
    ] = None,
    keys: Annotated[
        bool,
        typer.Option(
            "--keys",
            help="Type letter by letter: keys per hanzi, how calm the list is, time per key.",
            show_default=False,
        ),
    ] = False,
    late: Annotated[
        bool,
        typer.Option(
            "--late",
            help="With --keys: results of the neural model come late, to the second place.",
            show_default=False,
        ),
    ] = False,
    with_left_context: Annotated[
        bool,
        typer.Option(
            "--with-left-context",
            help="Tell the converter the text before each row.",
            show_default=False,
        ),
    ] = False,
    n_best: Annotated[
        int, typer.Option("--n-best", "-n", min=5, help="Candidates to ask for.")
    ] = 5,
    limit: LimitOption = None,
    slices: Annotated[
        bool,
        typer.Option("--slices", help="Show parts of each set too.", show_default=False),
    ] = False,
    against: Annotated[
        Against | None,
        typer.Option(
            "--against",
            help="Compare row by row with the same converter knowing less: rows better and worse.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the whole report as JSON.", show_default=False),
    ] = False,
    scheme: SchemeOption = "pinyin",
    noise: Annotated[
        str,
        typer.Option(
            "--noise",
            metavar="KIND[:SEED]",
            help="Spoil the input: `typing` (one slip a row), `accent` (zh as z, n as l, …).",
            show_default=False,
        ),
    ] = "",
    fuzzy: FuzzyOption = "",
    correct: CorrectOption = True,
    english: EnglishOption = False,
    no_encoder: NoEncoderOption = False,
    artifact: ArtifactOption = "base",
    debug: DebugOption = False,
) -> None:
    """Measure accuracy and speed on sets of rows.

    Prints, with 95 % intervals, MIU accuracy (share of rows that are right as a whole among the
    first 1 and 5 candidates) and CA (share of hanzi right in the first candidate), then speed.
    With --keys, what typing costs a user who makes no mistakes.
    """
    from yinzi.evaluation import EvaluationOptions, InputForm, TypingNoise, evaluate_files

    if keys:
        if against is not None or slices:
            raise typer.BadParameter("--keys goes without --against and --slices, leave them out")
        form = form or Form.UNSEGMENTED
        converter = loading.load_converter(artifact, no_encoder=no_encoder)
        measure_keys(
            converter,
            files,
            form=form.value,
            with_left_context=with_left_context,
            is_late=late,
            limit=limit,
            as_json=as_json,
        )
        return
    if late:
        raise typer.BadParameter("--late is for --keys, give both")
    form = form or Form.SEGMENTED
    keys_scheme = loading.find_scheme(scheme)
    options = EvaluationOptions(
        input_form=InputForm(form.value),
        use_left_context=with_left_context,
        n_best=n_best,
        scheme=keys_scheme,
        noise=TypingNoise.parse(noise) if noise else None,
    )
    converter = loading.load_converter(artifact, no_encoder=no_encoder)
    converter = loading.typed_as(
        converter, keys_scheme, fuzzy=fuzzy, correct=correct, english=english
    )
    if against is not None:
        _compare(
            converter,
            files,
            options,
            against,
            artifact=artifact,
            limit=limit,
            as_json=as_json,
        )
        return
    report = evaluate_files(converter, files, options, limit=limit)
    if as_json:
        print(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        print_report(report, with_slices=slices)
    for part in report.sets:
        _warn(part)


def _compare(
    converter: Converter,
    files: Sequence[Path],
    options: EvaluationOptions,
    against: Against,
    *,
    artifact: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """Print how many rows are right with, and only with, what the other one lacks."""
    from rich.console import Console
    from rich.table import Table

    from yinzi.evaluation import compare_files

    options = replace(options, latency_lines=0)
    other = converter, options
    if against is Against.NO_LEFT_CONTEXT:
        options = replace(options, use_left_context=True)
        other = converter, replace(options, use_left_context=False)
    else:
        plainer = loading.load_converter(artifact, no_encoder=True)
        other = plainer.with_scheme(converter.scheme), options
    found = list(compare_files(files, (converter, options), other, limit=limit))
    if as_json:
        print(json.dumps([part.to_dict() for part in found], ensure_ascii=False))
        return
    typed = _how_typed(options.input_form.value, options.scheme.name)
    title = f"{typed}, against {against.value}"
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in ("set", "slice", "rows", "better", "worse", "p", "MIU@1", "MIU@5", "CA"):
        is_text = column in ("set", "slice")
        table.add_column(column, justify="left" if is_text else "right", overflow="fold")
    for part in found:
        paired = part.comparison
        table.add_row(
            part.set_name,
            part.slice_name,
            str(part.n_rows),
            str(paired.n_better),
            str(paired.n_worse),
            f"{paired.p_value:.2g}",
            *(f"{paired.differences[name].value:+.3f}" for name in _HEADINGS),
        )
    width = None if sys.stdout.isatty() else 120
    Console(file=sys.stdout, width=width, highlight=False).print(table)


def print_report(report: FilesReport, *, with_slices: bool) -> None:
    """Print a report as a table, and one for the slices of each set if wanted."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120, highlight=False)

    def new_table(title: str, first: str, *more: str) -> Table:
        table = Table(title=title, title_justify="left", title_style="bold")
        table.add_column(first, overflow="fold")
        for column in ("rows", *_HEADINGS.values(), *more):
            table.add_column(column, justify="right")
        return table

    typed = _how_typed(report.sets[0].input_form.value, report.sets[0].scheme)
    context = "with" if report.sets[0].use_left_context else "without"
    speed = ("lines/s", "p50 ms", "p95 ms", "p99 ms")
    table = new_table(f"{typed}, {context} left context", "set", *speed)
    for part in report.sets:
        times: tuple[str, ...] = ("", "", "")
        if part.latency is not None:
            latency = part.latency
            times = tuple(f"{ms:.1f}" for ms in (latency.p50_ms, latency.p95_ms, latency.p99_ms))
        table.add_row(
            part.name,
            str(part.n_rows),
            *_metric_cells(part.metrics),
            f"{part.lines_per_second:.0f}",
            *times,
        )
    if len(report.sets) > 1:
        table.add_section()
        means = (f"{report.mean[name]:.3f}" for name in _HEADINGS)
        table.add_row("mean", str(sum(part.n_rows for part in report.sets)), *means)
    console.print(table)
    if with_slices:
        for part in report.sets:
            table = new_table(f"slices of {part.name}", "slice")
            for name, rows in part.slices.items():
                table.add_row(name, str(rows.n_rows), *_metric_cells(rows.metrics))
            console.print(table)


def _how_typed(form: str, scheme: str) -> str:
    return f"{form} input" if scheme == "pinyin" else f"{form} input, {scheme}"


def _metric_cells(metrics: Mapping[str, Estimate]) -> list[str]:
    estimates = (metrics[name] for name in _HEADINGS)
    return [f"{e.value:.3f} ({e.low:.3f}–{e.high:.3f})" for e in estimates]


def _warn(part: SetReport) -> None:
    if part.n_misaligned:
        print(
            f"{part.name}: {part.n_misaligned} rows have not one syllable for each hanzi",
            file=sys.stderr,
        )
    if part.n_batch_differences:
        print(
            f"{part.name}: {part.n_batch_differences} rows differ between single and batch "
            "conversion; this is a bug, please report it",
            file=sys.stderr,
        )
