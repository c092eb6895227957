"""The command `yinzi-train n-best`: candidate lists of a dataset's sentences."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi_train.cli.augment import DatasetArgument, SplitOption
from yinzi_train.cli.dataset import RestartOption
from yinzi_train.cli.options import WorkersOption, set_up_workers
from yinzi_train.cli.row_progress import row_progress

__all__ = ["EXAMPLES", "n_best"]

EXAMPLES: Final = """Examples:

$ yinzi-train n-best build/dataset --out build/lists --sentences 100000

$ yinzi-train finetune configs/n_best.toml --model build/encoder/final --data build/dataset \\
    --out build/sharpened --set finetuning.n_best.data=build/lists"""


def n_best(
    dataset: DatasetArgument,
    *,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Folder of the lists.", show_default=False),
    ],
    artifact: Annotated[
        str, typer.Option("--artifact", metavar="NAME|DIR", help="What converts; has an encoder.")
    ] = "base",
    sentences: Annotated[
        int, typer.Option("--sentences", min=1, help="Sentences to draw, about.")
    ] = 100_000,
    size: Annotated[
        int, typer.Option("--n-best", min=2, help="Candidates of a list, at most.")
    ] = 20,
    initials: Annotated[
        float, typer.Option("--initials", help="Share of the runs typed by first letters.")
    ] = 0.0,
    mixed: Annotated[
        float, typer.Option("--mixed", help="Share of the runs half of which is.")
    ] = 0.0,
    context: Annotated[
        float, typer.Option("--context", help="Share of later runs converted after earlier ones.")
    ] = 0.0,
    sure: Annotated[
        float,
        typer.Option("--sure", help="Share kept of lists that teach little; they weigh more."),
    ] = 1.0,
    only_left_out: Annotated[
        bool,
        typer.Option(
            "--left-out",
            help="Only lines that the language model was not counted on (counting.left_out).",
        ),
    ] = False,
    split: SplitOption = "train",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the draws.")] = 0,
    workers: WorkersOption = None,
    restart: RestartOption = False,
    debug: DebugOption = False,
) -> None:
    """Convert sentences of a dataset and keep the candidates, with what the language model says.

    They are what `yinzi-train finetune` sharpens an encoder on: see configs/n_best.toml. The
    same command goes on where a stopped one ended; finished shards are kept. Prints the folder.
    """
    n_workers = set_up_workers(workers)
    from yinzi_train.dataset.reader import open_dataset
    from yinzi_train.n_best import ListOptions, make_lists

    options = ListOptions(
        split=split,
        sentences=sentences,
        n_best=size,
        initials_rate=initials,
        mixed_rate=mixed,
        context_rate=context,
        confident_rate=sure,
        only_left_out=only_left_out,
        seed=seed,
    )
    with row_progress() as on_progress:
        made = make_lists(
            open_dataset(dataset),
            out.absolute(),
            artifact=artifact,
            options=options,
            n_workers=n_workers,
            restarts=restart,
            on_progress=on_progress,
        )
    total = made["total"]
    print(
        f"{total['runs']:,} runs of hanzi converted, {total['right'] / total['runs']:.1%} right at "
        f"once; {total['lists']:,} lists hold the right text",
        file=sys.stderr,
    )
    print(out)
