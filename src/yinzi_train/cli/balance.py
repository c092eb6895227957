"""The command `yinzi-train balance`: weigh the rows of a dataset, and tell what that changes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi_train.cli.augment import DatasetArgument, SettingsOption, SplitOption
from yinzi_train.cli.options import SetOption
from yinzi_train.cli.row_progress import row_progress

__all__ = ["EXAMPLES", "balance"]

EXAMPLES: Final = """Examples:

$ yinzi-train balance build/dataset --temperature 2 --threshold 1e-5

$ yinzi-train balance build/dataset --config configs/augmentation.toml --out build/balance"""


def balance(
    dataset: DatasetArgument,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for weights.npy, balance.md and balance.json; none are written if not "
            "given.",
            show_default=False,
        ),
    ] = None,
    config: SettingsOption = None,
    overrides: SetOption = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            help="Share of all hanzi below which a reading of a hanzi is rare; the same as --set "
            "balance.threshold.",
            show_default=False,
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            help="1 keeps the shares of domains, more brings them together; the same as --set "
            "balance.temperature.",
            show_default=False,
        ),
    ] = None,
    split: SplitOption = "train",
    is_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, not Markdown.", show_default=False)
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Weigh rows so that rare hanzi, rare readings and small domains are seen more often.

    Prints what the weights change: domains, hanzi and readings by count, views of a row. Row n of
    weights.npy belongs to row n of all shards by name.
    """
    from yinzi_train.dataset.augmentation_config import read_augmentation_config
    from yinzi_train.dataset.balance_weights import balance_dataset, write_balance
    from yinzi_train.dataset.reader import open_dataset

    given = {"threshold": threshold, "temperature": temperature}
    named = [f"balance.{name}={value!r}" for name, value in given.items() if value is not None]
    settings = read_augmentation_config(config, overrides=[*(overrides or ()), *named])
    with row_progress() as on_progress:
        made = balance_dataset(
            open_dataset(dataset), options=settings.balance, split=split, on_progress=on_progress
        )
    if out is not None:
        print(f"weights: {write_balance(made, out)}", file=sys.stderr)
    if is_json:
        print(json.dumps(made.to_dict(), ensure_ascii=False, indent=1))
    else:
        print(made.report.to_markdown(), end="")
