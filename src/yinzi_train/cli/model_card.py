"""The command `yinzi-train model-card`: an artifact's model card on stdout."""

from __future__ import annotations

from typing import Annotated

import typer

from yinzi.cli.running import DebugOption

__all__ = ["EXAMPLES", "model_card"]

EXAMPLES = """Example:

$ yinzi-train model-card base > docs/model-card.md"""


def model_card(
    artifact: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="Artifact to describe.", show_default=False)
    ],
    *,
    debug: DebugOption = False,
) -> None:
    """Print an artifact's model card as Markdown.

    Contents, intended use, limits, metrics, all sources with licence and share, attribution.
    """
    from yinzi.artifact import Artifact
    from yinzi_train.pipeline.model_card import model_card as card_of

    print(card_of(Artifact.open(artifact, verify=False).manifest), end="")
