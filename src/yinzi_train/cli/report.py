"""The command `yinzi-train report`: the page, the pictures and the card of a dataset."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi_train.cli.row_progress import row_progress

__all__ = ["EXAMPLES", "report"]

EXAMPLES: Final = """Examples:

$ yinzi-train report build/dataset --html

$ yinzi-train report build/dataset --out docs/dataset-report --samples 0

$ yinzi-train report build/dataset --out docs/dataset-report --check"""


def report(
    dataset: Annotated[
        Path,
        typer.Argument(metavar="DATASET", help="Folder of a finished dataset.", show_default=False),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder the report goes into; the dataset's own if not given.",
            show_default=False,
        ),
    ] = None,
    lexicon: Annotated[
        str,
        typer.Option(
            "--lexicon",
            metavar="NAME|DIR",
            help="Artifact, or folder of lexicon arrays, that coverage is measured against; none "
            "leaves that out.",
        ),
    ] = "base",
    has_html: Annotated[
        bool,
        typer.Option("--html", help="Write report.html too, all in one file.", show_default=False),
    ] = False,
    n_samples: Annotated[
        int,
        typer.Option(
            "--samples",
            min=0,
            help="Dropped texts to show of each reason; 0 keeps all text out of the page.",
        ),
    ] = 1,
    is_check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Write nothing: compare the report that is there with the dataset's manifest.",
            show_default=False,
        ),
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Report on a dataset: a page with pictures, its figures as JSON, and the dataset card.

    Reads all rows once, compares what it counts with the manifest, and prints the page's path.
    """
    from yinzi_train.dataset.report import ReportOptions, check_report, report_dataset
    from yinzi_train.dataset.report_lexicon import read_report_lexicon

    if is_check:
        found = check_report(dataset, out=out)
        for line in found:
            print(line, file=sys.stderr)
        if found:
            raise typer.Exit(1)
        print("report and manifest agree", file=sys.stderr)
        return
    with row_progress() as on_progress:
        files = report_dataset(
            dataset,
            out=out,
            lexicon=None if lexicon == "none" else read_report_lexicon(lexicon),
            options=ReportOptions(n_samples=n_samples, has_html=has_html),
            on_progress=on_progress,
        )
    print(files[0])
