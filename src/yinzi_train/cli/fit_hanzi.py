"""The command `yinzi-train fit-hanzi`: numbers of single hanzi, fitted on development sets."""

from __future__ import annotations

from typing import Annotated

import typer

from yinzi.cli.evaluate import SetsArgument
from yinzi.cli.running import DebugOption
from yinzi_train.cli.options import FittedArgument, RowLimitOption

__all__ = ["EXAMPLES", "fit_hanzi"]

EXAMPLES = """Example:

$ yinzi-train fit-hanzi build/artifacts/base hsk.tsv tatoeba.tsv --limit 1000"""


def fit_hanzi(
    artifact: FittedArgument,
    files: SetsArgument,
    *,
    hanzi: Annotated[
        int, typer.Option("--hanzi", min=1, help="How many, those most often mistaken.")
    ] = 10,
    limit: RowLimitOption = None,
    debug: DebugOption = False,
) -> None:
    """Fit what is added to the scores of some hanzi, and store it in the artifact's manifest.

    Which of 他, 她 and 它 is meant no sentence tells; the encoder learnt how often each is from its
    training text, and what people type may differ. Give development sets, never test sets, and fit
    the ranker before (fit-ranker). What was fitted before is replaced.
    """
    from yinzi_train.pipeline.hanzi_tuning import tune_hanzi

    fit = tune_hanzi(artifact, files, n_hanzi=hanzi, limit=limit)
    table = ", ".join(f"{one} {value:+.2f}" for one, value in fit.logprobs.items())
    print(f"stored: {table or 'nothing, as no hanzi is mistaken'}")
    checks = ", ".join(
        f"{name} {value:.4f} -> {fit.checked[name]:.4f}" for name, value in fit.accuracy.items()
    )
    print(f"MIU@1, of each half of the rows with what the other half gives: {checks}")
