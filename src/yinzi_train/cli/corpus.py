"""The command `yinzi-train corpus`: read and clean text, and drop duplicates."""

from __future__ import annotations

from typing import Final

from yinzi.cli.running import DebugOption
from yinzi_train.cli.dataset import (
    ConfigArgument,
    InputOption,
    OutOption,
    RestartOption,
    make_build,
    run_stages,
)
from yinzi_train.cli.options import RayOption, SetOption, WorkersOption

__all__ = ["EXAMPLES", "corpus"]

EXAMPLES: Final = """Example:

$ yinzi-train corpus configs/dataset.toml --data data/corpora --out build/dataset"""


def corpus(
    config: ConfigArgument,
    *,
    data: InputOption,
    out: OutOption,
    overrides: SetOption = None,
    workers: WorkersOption = None,
    ray: RayOption = False,
    restart: RestartOption = False,
    debug: DebugOption = False,
) -> None:
    """Clean text for a dataset: read files of many kinds, normalise, split, drop duplicates.

    The first stage of yinzi-train dataset. Prints the folder.
    """
    build = make_build(
        config,
        data=data,
        out=out,
        overrides=overrides,
        workers=workers,
        ray=ray,
        restart=restart,
    )
    run_stages(build, ("corpus",))
    print(build.work_path / "corpus")
