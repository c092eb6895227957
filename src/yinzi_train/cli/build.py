"""The commands that build an artifact: `yinzi-train build`, and one command for each stage."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi_train.cli.options import (
    CreatedOption,
    RayOption,
    SetOption,
    WorkersOption,
    creation_date,
)

if TYPE_CHECKING:
    from yinzi_train.pipeline import Build, StageResult
    from yinzi_train.pipeline.build import ReportProgress

__all__ = ["EXAMPLES", "EXAMPLES_OF", "artifact", "build", "count", "language_model", "lexicon"]

EXAMPLES: Final = """Example:

$ yinzi-train build configs/base.toml --data data --out build"""

EXAMPLES_OF: Final = {
    "build": EXAMPLES,
    "language_model": """Example:

$ yinzi-train language-model configs/base.toml --data data --out build --set weights.chat=2""",
}

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="TOML file of the build.", show_default=False)
]
DataOption = Annotated[
    Path,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder with corpora/ and lexicons/, each with its MANIFEST.tsv.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="Folder the stages work in.", show_default=False),
]
ArtifactsOption = Annotated[
    Path | None,
    typer.Option(
        "--artifacts",
        metavar="DIR",
        help="Folder the artifact goes into, under its name; artifacts/ in --out if not given.",
        show_default=False,
    ),
]


def build(
    config: ConfigArgument,
    *,
    data: DataOption,
    out: OutOption,
    artifacts: ArtifactsOption = None,
    overrides: SetOption = None,
    workers: WorkersOption = None,
    ray: RayOption = False,
    created: CreatedOption = None,
    debug: DebugOption = False,
) -> None:
    """Build an artifact: lexicon, counts, language model, artifact, in this order.

    Stages that are done and whose settings, sources and code have not changed are kept; so are the
    texts that a stopped run has counted. Prints the artifact's folder.
    """
    from yinzi_train.pipeline import STAGES

    made = _build(
        config,
        data=data,
        out=out,
        artifacts=artifacts,
        overrides=overrides,
        workers=workers,
        ray=ray,
        created=created,
    )
    _run(made, STAGES)
    print(made.artifact_path)


def lexicon(
    config: ConfigArgument,
    *,
    data: DataOption,
    out: OutOption,
    overrides: SetOption = None,
    workers: WorkersOption = None,
    debug: DebugOption = False,
) -> None:
    """Build the lexicon: words, readings, frequencies."""
    _run(_build(config, data=data, out=out, overrides=overrides, workers=workers), ["lexicon"])


def count(
    config: ConfigArgument,
    *,
    data: DataOption,
    out: OutOption,
    overrides: SetOption = None,
    workers: WorkersOption = None,
    ray: RayOption = False,
    debug: DebugOption = False,
) -> None:
    """Segment all texts with the lexicon and count words, pairs and triples, text by text."""
    made = _build(config, data=data, out=out, overrides=overrides, workers=workers, ray=ray)
    _run(made, ["count"])


def language_model(
    config: ConfigArgument,
    *,
    data: DataOption,
    out: OutOption,
    overrides: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """Merge the counts by their weights, estimate the language model, prune it and write it."""
    _run(_build(config, data=data, out=out, overrides=overrides), ["language-model"])


def artifact(
    config: ConfigArgument,
    *,
    data: DataOption,
    out: OutOption,
    artifacts: ArtifactsOption = None,
    overrides: SetOption = None,
    created: CreatedOption = None,
    debug: DebugOption = False,
) -> None:
    """Put lexicon and language model into an artifact, with manifest and sources.

    Prints the artifact's folder.
    """
    made = _build(
        config, data=data, out=out, artifacts=artifacts, overrides=overrides, created=created
    )
    _run(made, ["artifact"])
    print(made.artifact_path)


def _build(
    config: Path,
    *,
    data: Path,
    out: Path,
    artifacts: Path | None = None,
    overrides: Sequence[str] | None = None,
    workers: int | None = None,
    ray: bool = False,
    created: str | None = None,
) -> Build:
    from yinzi_train.pipeline import Build, read_config
    from yinzi_train.pipeline.data_folder import DataFolder

    out = out.absolute()
    return Build(
        config=read_config(config, overrides=overrides or ()),
        data=DataFolder(data.absolute()),
        out=out,
        artifacts=artifacts.absolute() if artifacts is not None else out / "artifacts",
        created=creation_date(created),
        n_workers=workers or os.cpu_count() or 1,
        uses_ray=ray,
    )


def _run(build: Build, stages: Sequence[str]) -> None:
    """Run stages with a progress bar each on stderr, or a line each where that is no terminal."""
    from yinzi_train.pipeline import run_stage

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    for name in stages:
        with _progress(name) as on_progress:
            result = run_stage(name, build, on_progress=on_progress)
        print(_summary(name, result), file=sys.stderr)


@contextmanager
def _progress(name: str) -> Iterator[ReportProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda n_done, n_total: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Drawn when something is done, not by a thread: stages start processes by forking.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        task = progress.add_task(name, total=None)

        def on_progress(n_done: int, n_total: int) -> None:
            progress.update(task, completed=n_done, total=n_total, refresh=True)

        yield on_progress


def _summary(name: str, result: StageResult) -> str:
    report = result.report
    state = "kept" if result.is_kept else f"done in {result.seconds:.0f} s"
    details = {
        "lexicon": lambda: f"{report['n_words']:,} words, {_mebibytes(report['n_bytes'])}",
        "count": lambda: (
            f"{len(report['n_hanzi'])} texts, {sum(report['n_hanzi'].values()) / 1e6:.1f} million "
            "hanzi"
        ),
        "language-model": lambda: (
            f"{report['n_ngrams']['bigram']:,} pairs, {report['n_ngrams']['trigram']:,} triples, "
            f"{_mebibytes(report['n_bytes'])}"
        ),
        "artifact": lambda: (
            f"lexicon {_mebibytes(report['n_bytes']['lexicon'])}, language model "
            f"{_mebibytes(report['n_bytes']['language_model'])}"
        ),
    }
    return f"{name}: {state}: {details[name]()}"


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.2f} MiB"
