"""The command `yinzi-train dataset`: from raw text to a labelled, divided, checked dataset."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from yinzi.cli.running import DebugOption
from yinzi_train.cli.dataset_progress import BuildProgress
from yinzi_train.cli.options import (
    CreatedOption,
    RayOption,
    SetOption,
    WorkersOption,
    creation_date,
    set_up_workers,
)

if TYPE_CHECKING:
    from yinzi_train.dataset.build import DatasetBuild
    from yinzi_train.dataset.manifest import DatasetManifest

__all__ = [
    "EXAMPLES",
    "ConfigArgument",
    "InputOption",
    "LexiconOption",
    "OutOption",
    "RestartOption",
    "dataset",
    "make_build",
    "run_stages",
]

EXAMPLES: Final = """Examples:

$ yinzi-train dataset configs/dataset.toml --data data/corpora --out build/dataset

$ yinzi-train dataset configs/dataset.toml --data my.txt --out mine --set corpus.licence=CC0-1.0"""

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="TOML file of the dataset.", show_default=False)
]
InputOption = Annotated[
    list[Path],
    typer.Option(
        "--data",
        metavar="PATH",
        help="File or folder of text, or a folder with corpora/ in it; may be repeated.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder of the dataset.", show_default=False)
]
LexiconOption = Annotated[
    str,
    typer.Option(
        "--lexicon",
        metavar="NAME|DIR",
        help="What the labeller finds words with: an artifact, or the folder that yinzi-train "
        "lexicon wrote.",
    ),
]
EvaluationOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--evaluation",
        metavar="TSV",
        help="Evaluation set whose sentences must not be trained on; may be repeated.",
        show_default=False,
    ),
]
RestartOption = Annotated[
    bool,
    typer.Option(
        "--restart",
        help="Replace stages in --out that were made with other settings or from other texts.",
        show_default=False,
    ),
]


def dataset(
    config: ConfigArgument,
    *,
    data: InputOption,
    out: OutOption,
    lexicon: LexiconOption = "base",
    evaluation: EvaluationOption = None,
    overrides: SetOption = None,
    workers: WorkersOption = None,
    ray: RayOption = False,
    restart: RestartOption = False,
    created: CreatedOption = None,
    debug: DebugOption = False,
) -> None:
    """Build a dataset from raw text: clean it, label it with readings, divide and check it.

    The same command goes on where a stopped one ended; finished files are kept. Prints the folder.
    """
    build = make_build(
        config,
        data=data,
        out=out,
        lexicon=lexicon,
        evaluation=evaluation,
        overrides=overrides,
        workers=workers,
        ray=ray,
        restart=restart,
        created=created,
    )
    manifest = run_stages(build, ("corpus", "labelling", "dataset"))
    assert manifest is not None
    total = manifest.total
    splits = ", ".join(f"{name} {count.rows:,}" for name, count in manifest.splits.items())
    print(
        f"{total.rows:,} sentences, {total.hanzi:,} hanzi in {len(manifest.shards)} shards: "
        f"{splits}; {sum(manifest.drops.values()):,} rows dropped",
        file=sys.stderr,
    )
    print(build.out)


def make_build(
    config: Path,
    *,
    data: Sequence[Path],
    out: Path,
    lexicon: str = "base",
    evaluation: Sequence[Path] | None = None,
    overrides: Sequence[str] | None = None,
    workers: int | None = None,
    ray: bool = False,
    restart: bool = False,
    created: str | None = None,
) -> DatasetBuild:
    """Turn the options of a command into a build."""
    n_workers = set_up_workers(workers)
    from yinzi_train.dataset.build import DatasetBuild
    from yinzi_train.dataset.config import read_dataset_config
    from yinzi_train.dataset.units import Execution

    is_folder = Path(lexicon).is_dir()
    return DatasetBuild(
        config=read_dataset_config(config, overrides=overrides or ()),
        inputs=tuple(_texts(path.absolute()) for path in data),
        out=out.absolute(),
        created=creation_date(created),
        lexicon=str(Path(lexicon).absolute()) if is_folder else lexicon,
        evaluation=tuple(path.absolute() for path in evaluation or ()),
        execution=Execution(n_workers, ray),
        restarts=restart,
    )


def _texts(path: Path) -> Path:
    """Return the folder of the texts where the folder of all raw data is given."""
    inner = path / "corpora"
    return inner if inner.is_dir() else path


def run_stages(build: DatasetBuild, stages: Sequence[str]) -> DatasetManifest | None:
    """Run stages with progress on stderr: a bar on a terminal, else a line now and then."""
    from yinzi_train.dataset.build import build_dataset

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    with BuildProgress(stages) as progress:
        return build_dataset(build, stages=stages, on_progress=progress.update)
