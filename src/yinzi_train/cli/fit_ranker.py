"""The command `yinzi-train fit-ranker`: weights of the ranker, fitted on development sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from yinzi.cli.evaluate import SetsArgument
from yinzi.cli.running import DebugOption
from yinzi_train.cli.options import FittedArgument, RowLimitOption

if TYPE_CHECKING:
    from yinzi.decoding import BeamOptions
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
    no_encoder: Annotated[
        bool,
        typer.Option("--no-encoder", help="Fit the search that does without the encoder."),
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Fit the weights of the ranker on sets and store them in the artifact's manifest.

    Give development sets, never test sets. Each round searches with the weights of the round
    before; the best of them is kept. An artifact with an encoder is searched with it or without
    (`yinzi convert --no-encoder`): run this once for each.
    """
    from yinzi_train.pipeline.ranker_tuning import tune_ranker

    def show(found: RankerRound) -> None:
        by_set = ", ".join(
            f"{name} {value:.3f}/{found.accuracy_at_5[name]:.3f}"
            for name, value in found.accuracy.items()
        )
        mean = sum(found.accuracy.values()) / len(found.accuracy)
        print(
            f"{_weights(found.searched)}: MIU@1/@5 {by_set}; mean @1 {mean:.4f}; "
            f"calibration error {found.calibration_error:.3f}"
        )

    best = tune_ranker(
        artifact,
        files,
        n_rounds=rounds,
        limit=limit,
        uses_encoder=not no_encoder,
        on_round=show,
    )
    calibration = "" if no_encoder else f", temperature {best.temperature:.3f}"
    print(f"stored: {_weights(best.options)}{calibration}")


def _weights(options: BeamOptions) -> str:
    """Show the weights of a search; those of word vectors where there are any."""
    shown = (
        f"encoder {options.encoder_weight:.3f}, prior {options.prior_weight:.3f}, words "
        f"{options.word_logprob:.3f}, sentence end {options.end_logprob_weight:.3f}"
    )
    if options.affinity:
        shown += (
            f", affinity {options.stored_affinity:.3f} / {options.new_affinity:.3f}, new pair "
            f"{options.new_pair:.3f} / {options.unknown_pair:.3f}, skip affinity "
            f"{options.stored_skip_affinity:.3f} / {options.new_skip_affinity:.3f}"
        )
    return shown
