"""The command `yinzi-train adapt`: an artifact for the domain of a user's own texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi_train.cli.options import CreatedOption, creation_date

if TYPE_CHECKING:
    from collections.abc import Callable

    from yinzi_train.adaptation.comparison import AdaptationReport

__all__ = ["EXAMPLES", "adapt"]

EXAMPLES: Final = """Examples:

$ yinzi-train adapt my_texts/ --name clinic --dev hsk.tsv --dev tatoeba.tsv

$ yinzi --artifact clinic

$ yinzi-train adapt my_texts/ --name clinic --data build/dataset --encoder --replace"""


def adapt(
    texts: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEXTS", help="Files or folders of text of the domain.", show_default=False
        ),
    ],
    *,
    name: Annotated[
        str, typer.Option("--name", help="Name of the new artifact.", show_default=False)
    ],
    base: Annotated[
        str, typer.Option("--base", metavar="NAME|PATH", help="Artifact to adapt.")
    ] = "base",
    dev: Annotated[
        list[Path] | None,
        typer.Option(
            "--dev",
            metavar="TSV",
            help="General set that must not get worse; may be repeated.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DATASET",
            help="Dataset of general text: its validation split stands in for --dev, its train "
            "split is replayed with --encoder.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder that the artifact is put into, under its name; the one that "
            "`--artifact NAME` looks into if not given.",
            show_default=False,
        ),
    ] = None,
    language_model: Annotated[
        bool,
        typer.Option(
            "--language-model/--no-language-model", help="Mix in a language model of the texts."
        ),
    ] = True,
    new_words: Annotated[
        bool, typer.Option("--new-words/--no-new-words", help="Add words that are new.")
    ] = True,
    encoder: Annotated[
        bool, typer.Option("--encoder/--no-encoder", help="Tune the encoder, too: takes minutes.")
    ] = False,
    split: Annotated[
        str,
        typer.Option(
            "--split", help="What is held out: sentences at random, or by order the end of it."
        ),
    ] = "random",
    max_loss: Annotated[
        float,
        typer.Option("--max-loss", min=0, max=100, help="Points the general sets may lose."),
    ] = 0.5,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random split.")] = 0,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace an artifact of this name.", show_default=False),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Write it even if sets get worse.", show_default=False),
    ] = False,
    is_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON.", show_default=False)
    ] = False,
    created: CreatedOption = None,
    debug: DebugOption = False,
) -> None:
    """Adapt an artifact to texts of a domain: its words, its language model, its encoder.

    A tenth of the sentences is held out to measure what it is worth. The artifact holds counts of
    the texts: pass it on only if the texts may be. Prints the folder of the artifact.
    """
    from yinzi_train.adaptation.adapt import AdaptationRefused
    from yinzi_train.adaptation.adapt import adapt as adapt_artifact
    from yinzi_train.adaptation.options import AdaptationOptions
    from yinzi_train.adaptation.place import artifact_place
    from yinzi_train.training.errors import TrainingStopped

    options = AdaptationOptions(
        uses_language_model=language_model,
        uses_new_words=new_words,
        uses_encoder=encoder,
        split_order=split,
        max_loss=max_loss,
        seed=seed,
    )
    place = artifact_place(name, out, replaces=replace)
    date = creation_date(created)
    if encoder:
        from yinzi_train.training.processes import prepare_process

        prepare_process()
    try:
        with _stage_progress() as on_step:
            report = adapt_artifact(
                texts,
                place,
                created=date,
                base=base,
                dev=dev or (),
                data=data,
                options=options,
                forces=force,
                on_step=on_step,
            )
    except AdaptationRefused as refused:
        _print_report(refused.report)
        raise
    except TrainingStopped as stopped:
        print("yinzi-train: stopped while tuning the encoder; nothing was written", file=sys.stderr)
        raise typer.Exit(stopped.exit_status) from stopped
    if is_json:
        print(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        _print_report(report)
        print(place)


def _print_report(report: AdaptationReport) -> None:
    """Print the sets before and after, on stderr."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=sys.stderr, highlight=False)
    figures = report.figures
    sizes = figures["n_sentences"]
    table = Table(title=f"MIU accuracy, {sizes['train'] + sizes['tune']} sentences adapted to")
    for column in ("set", "rows", "@1 before", "@1 after", "@5", "CA", "better/worse", "p"):
        table.add_column(column, justify="left" if column == "set" else "right")
    for one in (report.held_out, *report.general):
        table.add_row(
            one.name,
            str(one.n_rows),
            f"{100 * one.before['miu_accuracy@1']:.1f}",
            f"{100 * one.after['miu_accuracy@1']:.1f} ({one.gain:+.1f})",
            f"{100 * one.after['miu_accuracy@5']:.1f}",
            f"{100 * one.after['character_accuracy']:.1f}",
            f"{one.paired.n_better}/{one.paired.n_worse}",
            f"{one.paired.p_value:.2g}",
        )
    console.print(table)
    words = ", ".join(figures["new_words"])
    console.print(
        f"{figures['n_new_words']} new words{f' ({words}, …)' if words else ''}, "
        f"{figures['n_ngrams']} n-grams, {figures['seconds']} s"
    )
    if figures["n_trained_parameters"] and not figures["uses_tuned_encoder"]:
        console.print("The tuned encoder was no better on the part for tuning: the base's is kept.")
    if not report.general:
        console.print(
            "No general sets: what is lost elsewhere was not measured, and the domain model got "
            "cautious weights. Give --dev sets or --data to have both."
        )


@contextmanager
def _stage_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each stage on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks = {}

        def on_step(stage: str, n_done: int, n_total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=n_total)
            bar.update(tasks[stage], completed=n_done, total=n_total)

        yield on_step
