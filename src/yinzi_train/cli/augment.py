"""The command `yinzi-train augment`: write what people would type for a dataset's sentences."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi_train.cli.dataset import RestartOption
from yinzi_train.cli.options import SetOption, WorkersOption, set_up_workers
from yinzi_train.cli.row_progress import row_progress

__all__ = [
    "EXAMPLES",
    "DatasetArgument",
    "SettingsOption",
    "SplitOption",
    "augment",
]

EXAMPLES: Final = """Examples:

$ yinzi-train augment build/dataset --out build/typed --config configs/augmentation.toml

$ yinzi-train augment build/dataset --out build/typed-test --split test --seed 7 \\
    --set augmentation.typing_errors.rate=0"""

DatasetArgument = Annotated[
    Path,
    typer.Argument(metavar="DATASET", help="Folder of a finished dataset.", show_default=False),
]
SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="TOML",
        help="File with the sections augmentation and balance; defaults if not given.",
        show_default=False,
    ),
]
SplitOption = Annotated[
    str, typer.Option("--split", metavar="NAME", help="Rows to take: train, validation or test.")
]


def augment(
    dataset: DatasetArgument,
    *,
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", help="Folder of the augmented dataset.", show_default=False
        ),
    ],
    config: SettingsOption = None,
    overrides: SetOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all draws.")] = 0,
    split: SplitOption = "train",
    workers: WorkersOption = None,
    restart: RestartOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a dataset with what people would type: abbreviated, unsegmented, with accents, errors.

    The same command goes on where a stopped one ended; finished shards are kept. Prints the folder.
    """
    n_workers = set_up_workers(workers)
    from yinzi_train.dataset.augmentation_config import read_augmentation_config
    from yinzi_train.dataset.augmented_dataset import augment_dataset
    from yinzi_train.dataset.reader import open_dataset

    settings = read_augmentation_config(config, overrides=overrides or ())
    with row_progress() as on_progress:
        made = augment_dataset(
            open_dataset(dataset),
            out.absolute(),
            options=settings.augmentation,
            seed=seed,
            split=split,
            n_workers=n_workers,
            restarts=restart,
            on_progress=on_progress,
        )
    total, n_changed = made.manifest.total, made.augmentation["changed_rows"]
    n_unlabelled = made.augmentation["unlabelled_rows"]
    print(
        f"{total.rows:,} sentences, {total.hanzi:,} hanzi in {len(made.manifest.shards)} shards; "
        f"{n_changed / max(total.rows, 1):.1%} of the sentences changed; {n_unlabelled:,} left out "
        "because a hanzi has no reading",
        file=sys.stderr,
    )
    print(out)
