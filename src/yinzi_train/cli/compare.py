"""The command `yinzi-train compare`: how far a text is from the training text."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi_train.cli.row_progress import row_progress

if TYPE_CHECKING:
    from yinzi_train.shift.comparison import Comparison
    from yinzi_train.shift.sample import Sample

__all__ = ["EXAMPLES", "compare"]

EXAMPLES: Final = """Examples:

$ yinzi-train compare my_texts/ --out comparison --html

$ yinzi-train compare notes.txt --measure --json

$ yinzi-train compare notes.txt --artifact clinic --reference clinic.json

$ yinzi-train compare domains.tsv --artifact clinic --fit clinic.json"""

_MEASURED_ROWS: Final = 2_000


def compare(
    texts: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEXTS",
            help="Files or folders of text, as yinzi-train dataset reads them, or sets (TSV: id, "
            "hanzi, pinyin, left context).",
            show_default=False,
        ),
    ],
    *,
    artifact: Annotated[
        str, typer.Option("--artifact", metavar="NAME|DIR", help="Models to expect accuracy of.")
    ] = "base",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DATASET",
            help="Dataset whose train split the words are compared with; the counts that ship "
            "with the package if not given.",
            show_default=False,
        ),
    ] = None,
    measured: Annotated[
        bool,
        typer.Option(
            "--measure",
            help=f"Convert the text, too ({_MEASURED_ROWS:,} runs at most), and give measured "
            "accuracy beside the expected one.",
            show_default=False,
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, no table.", show_default=False)
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write compare.md, compare.json and pictures into this folder.",
            show_default=False,
        ),
    ] = None,
    has_html: Annotated[
        bool,
        typer.Option(
            "--html", help="With --out: compare.html too, all in one file.", show_default=False
        ),
    ] = False,
    text_column: Annotated[
        str, typer.Option("--text-column", help="Column of the text in tables.")
    ] = "text",
    reference_path: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar="JSON",
            help="Figures to compare with, as --fit writes them; those of base if not given.",
            show_default=False,
        ),
    ] = None,
    fit: Annotated[
        Path | None,
        typer.Option(
            "--fit",
            metavar="JSON",
            help="Compare nothing: measure the artifact on sets, fit what accuracy to expect, and "
            "write it here. Rows are grouped by what their ids start with.",
            show_default=False,
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Tell how far a text is from the training text, and what accuracy to expect on it.

    Needs no training data. Prints measures with their range over the development sets, a verdict
    on each, the expected accuracy with a 95 % interval, and what to do.
    """
    if has_html and out is None:
        raise typer.BadParameter("--html needs a folder: give --out, too")
    if fit is not None:
        _fit(texts, artifact, fit)
        return
    import yinzi
    from yinzi_train.dataset.reader import open_dataset
    from yinzi_train.shift.accuracy import label_sample
    from yinzi_train.shift.comparison import compare as compare_text
    from yinzi_train.shift.comparison import with_measured
    from yinzi_train.shift.page import write_page
    from yinzi_train.shift.profile import count_dataset, load_profile
    from yinzi_train.shift.reference import load_reference

    reference = load_reference(reference_path)
    dataset = None if data is None else open_dataset(data)
    sample = _read(texts, text_column)
    converter = yinzi.load(artifact, uses_encoder=measured)
    own, domains = None, None
    if dataset is not None:
        with row_progress() as on_progress:
            profile, domains = count_dataset(dataset, converter, on_progress=on_progress)
        own = profile.on(converter)
    comparison = compare_text(
        sample,
        converter,
        reference=reference,
        distribution=load_profile().on(converter),
        data=own,
        domains=domains,
    )
    if measured:
        labelled = label_sample(sample, converter.artifact, max_rows=_MEASURED_ROWS)
        with row_progress() as on_progress:
            comparison = with_measured(comparison, converter, labelled, on_rows=on_progress)
    if as_json:
        print(json.dumps(comparison.to_dict(), ensure_ascii=False, indent=1))
    else:
        _print(comparison)
    if out is not None:
        files = write_page(comparison, reference, out, has_html=has_html)
        print(f"written: {', '.join(map(str, files))}", file=sys.stderr)


def _fit(paths: list[Path], artifact: str, out: Path) -> None:
    import yinzi
    from yinzi.evaluation import Row, read_rows
    from yinzi_train.shift.profile import load_profile
    from yinzi_train.shift.reference import fit_reference, save_reference

    sets: dict[str, list[Row]] = {}
    for path in paths:
        for row in read_rows(path):
            sets.setdefault(row.domain, []).append(row)
    converter = yinzi.load(artifact)
    with row_progress() as on_progress:
        reference = fit_reference(
            sets,
            converter=converter,
            distribution=load_profile().on(converter),
            on_sets=on_progress,
        )
    save_reference(reference, out)
    for name, model in reference.models.items():
        print(
            f"{name}: {model.n_sets} sets, off by {model.residual:.2f} logits on sets left out",
            file=sys.stderr,
        )
    print(out)


def _read(texts: list[Path], text_column: str) -> Sample:
    from yinzi_train.shift.reading import read_sample

    with _spinner() as on_sentences:
        return read_sample(texts, text_column=text_column, on_sentences=on_sentences)


@contextmanager
def _spinner() -> Iterator[Callable[[int], None]]:
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda n_read: None
        return
    with console.status("reading") as status:
        yield lambda n_read: status.update(f"reading: {n_read:,} sentences")


def _print(comparison: Comparison) -> None:
    """Print tables for people."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from yinzi_train.shift.measures import MEASURES
    from yinzi_train.shift.page import accuracy_cells

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    console.print(
        f"[bold]{comparison.verdict}[/]: {comparison.n_hanzi:,} hanzi in "
        f"{comparison.n_sentences:,} sentences, beside the training text of "
        f"{escape(comparison.artifact)}; most like {escape(', '.join(comparison.nearest))}"
    )
    for warning in comparison.warnings:
        console.print(f"[yellow]mind:[/] {escape(warning)}")
    table = Table(title="Accuracy", title_justify="left", box=None, pad_edge=False)
    header = ["", "expected", "95 %", *(["measured", "95 %"] if comparison.measured else [])]
    for at, name in enumerate(header):
        table.add_column(name, justify="right" if at else "left")
    for row in accuracy_cells(comparison):
        table.add_row(*row)
    console.print(table)
    if comparison.labels:
        console.print(
            f"Measured on {comparison.labels['rows']:,.0f} runs; "
            f"{comparison.labels['doubtful_share']:.1%} of the readings are doubtful, "
            f"{comparison.labels['unread']:,.0f} runs without known reading were left out."
        )
    table = Table(title="Measures", title_justify="left", box=None, pad_edge=False)
    for name in ("", "verdict", "text", "training", "sets 10 %", "50 %", "90 %"):
        table.add_column(name, justify="left" if name in {"", "verdict"} else "right")
    for one in comparison.measures:
        show = MEASURES[one.name].show
        training = comparison.training.get(one.name)
        table.add_row(
            MEASURES[one.name].title,
            one.verdict if one.verdict in {"near", "usual"} else f"[red]{one.verdict}[/]",
            show(one.value),
            "" if training is None else show(training),
            *(show(value) for value in (one.low, one.median, one.high)),
        )
    console.print(table)
    alone, pairs, triples = comparison.order_shares
    console.print(
        f"Words the language model knows alone {alone:.0%}, with the word before {pairs:.0%}, "
        f"with both before {triples:.0%}."
    )
    for title, listed in (("Words", comparison.words), ("Syllables", comparison.syllables)):
        texts = " ".join(f"{one.text}({one.count:,})" for one in listed[:12])
        if texts:
            console.print(f"{title} there are more of: {escape(texts)}")
    if comparison.domains:
        nearest = ", ".join(f"{name} {value:.3f}" for name, value in comparison.domains[:3])
        console.print(f"Nearest domains of the dataset by words: {escape(nearest)}")
    for suggestion in comparison.suggestions:
        console.print(f"[green]→[/] {escape(suggestion)}")
