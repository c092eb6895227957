"""The command `yinzi-train label`: give clean sentences the readings of their hanzi."""

from __future__ import annotations

from typing import Final

from yinzi.cli.running import DebugOption
from yinzi_train.cli.dataset import (
    ConfigArgument,
    LexiconOption,
    OutOption,
    RestartOption,
    make_build,
    run_stages,
)
from yinzi_train.cli.options import RayOption, SetOption, WorkersOption

__all__ = ["EXAMPLES", "label"]

EXAMPLES: Final = """Example:

$ yinzi-train label configs/dataset.toml --out build/dataset"""


def label(
    config: ConfigArgument,
    *,
    out: OutOption,
    lexicon: LexiconOption = "base",
    overrides: SetOption = None,
    workers: WorkersOption = None,
    ray: RayOption = False,
    restart: RestartOption = False,
    debug: DebugOption = False,
) -> None:
    """Label the sentences that yinzi-train corpus left with syllables and tones.

    The second stage of yinzi-train dataset. Prints the folder.
    """
    build = make_build(
        config,
        data=(),
        out=out,
        lexicon=lexicon,
        overrides=overrides,
        workers=workers,
        ray=ray,
        restart=restart,
    )
    run_stages(build, ("labelling",))
    print(build.labelled_path)
