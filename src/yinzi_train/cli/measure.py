"""The command `yinzi-train measure`: figures of an artifact, for people and for its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yinzi.cli.evaluate import Form, LimitOption, SetsArgument, print_report
from yinzi.cli.running import DebugOption

if TYPE_CHECKING:
    from yinzi.evaluation import FilesReport

__all__ = ["EXAMPLES", "measure"]

EXAMPLES = """Example:

$ yinzi-train measure build/artifacts/base hsk.tsv tatoeba.tsv"""


def measure(
    artifact: Annotated[
        Path, typer.Argument(metavar="ARTIFACT", help="Folder of it.", show_default=False)
    ],
    files: SetsArgument,
    *,
    forms: Annotated[
        list[Form] | None,
        typer.Option(
            "--input-form",
            help="How the pinyin is typed; may be repeated. If not given: segmented, unsegmented "
            "and initials.",
            show_default=False,
        ),
    ] = None,
    limit: LimitOption = None,
    debug: DebugOption = False,
) -> None:
    """Measure an artifact on sets and store the figures in its manifest.

    Figures of other sets and forms that the manifest has are kept.
    """
    from yinzi.evaluation import InputForm
    from yinzi_train.pipeline import measurement

    def show(report: FilesReport) -> None:
        print_report(report, with_slices=False)

    measured = [InputForm(form.value) for form in forms] if forms else measurement.FORMS
    measurement.measure(artifact, files, forms=measured, limit=limit, on_form=show)
