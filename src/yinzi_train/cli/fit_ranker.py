"""The command `yinzi-train fit-ranker`: weights of the ranker, fitted on development sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from yinzi.cli.evaluate import SetsArgument
from yinzi.cli.running import DebugOption
from yinzi_train.cli.options import FittedArgument, RowLimitOption

if TYPE_CHECKING:
    from yinzi_train.pipeline.ranker_tuning import RankerRound

__all__ = ["EXAMPLES", "fit_ranker"]

EXAMPLES = """Example:

$ yinzi-train fit-ranker build/artifacts/base hsk.tsv tatoeba.tsv --limit 1000"""


def fit_ranker(
    artifact: FittedArgument,
    files: SetsArgument,
    *,
    rounds: Annotated[
        int, typer.Option("--rounds", min=2, help="Searches, each with better weights.")
    ] = 3,
    limit: RowLimitOption = None,
    debug: DebugOption = False,
) -> None:
    """Fit the weights of the ranker on sets and store them in the artifact's manifest.

    Give development sets, never test sets. Each round searches with the weights of the round
    before; the best of them is kept.
    """
    from yinzi_train.pipeline.ranker_tuning import tune_ranker

    def show(found: RankerRound) -> None:
        by_set = ", ".join(
            f"{name} {value:.3f}/{found.accuracy_at_5[name]:.3f}"
            for name, value in found.accuracy.items()
        )
        mean = sum(found.accuracy.values()) / len(found.accuracy)
        searched = found.searched
        print(
            f"encoder {searched.encoder_weight:.3f}, prior {searched.prior_weight:.3f}, words "
            f"{searched.word_logprob:.3f}, sentence end "
            f"{searched.end_logprob_weight:.3f}: MIU@1/@5 {by_set}; mean @1 {mean:.4f}; "
            f"calibration error {found.calibration_error:.3f}"
        )

    best = tune_ranker(artifact, files, n_rounds=rounds, limit=limit, on_round=show)
    print(
        f"stored: encoder {best.encoder:.3f}, prior {best.prior:.3f}, words {best.words:.3f}, "
        f"sentence end {best.sentence_end:.3f}, temperature {best.temperature:.3f}"
    )
