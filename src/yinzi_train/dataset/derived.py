"""Make a folder of files from the shards of a dataset, one from each: a stop loses little."""

from __future__ import annotations

from pathlib import Path

from yinzi_train.dataset.claims import Claims
from yinzi_train.dataset.reader import Dataset
from yinzi_train.dataset.units import (
    Execution,
    ReportProgress,
    Unit,
    UnitRecord,
    UnitStage,
    run_units,
)

__all__ = ["run_on_shards"]


def run_on_shards(
    stage: UnitStage,
    dataset: Dataset,
    out: Path,
    *,
    manifest_name: str,
    n_workers: int = 1,
    restarts: bool = False,
    on_progress: ReportProgress = lambda n_done, n_total: None,
) -> dict[str, UnitRecord]:
    """Run a stage on every shard; finished files are kept if they were made from the same.

    Args:
        stage: what is done; its folders are in `out`.
        dataset: whose shards are read; nothing is written into it.
        out: the folder; an absolute path.
        manifest_name: file that tells that the folder is whole; it is removed first.
        n_workers: shards at a time.
        restarts: replace what was made with other settings or from another dataset.
        on_progress: called from time to time with the rows done and the rows in all.

    Returns:
        The record of each file, by its name without the ending.

    Raises:
        ConfigError: the folder holds something else.
        DatasetError: the disk is full, or a shard is damaged.
    """
    claims = Claims(
        out,
        created=dataset.manifest.created,
        restarts=restarts,
        folders={stage.name: [stage.output_folder, stage.record_folder]},
    )
    claims.claim(stage.name, stage.settings)
    # From here on the folder is not whole, until its manifest is written again.
    (out / manifest_name).unlink(missing_ok=True)
    units = [
        Unit(Path(one.file).stem, dataset.path / one.file, one.rows, one.sha256)
        for one in dataset.manifest.shards
    ]
    records = run_units(
        stage,
        units,
        execution=Execution(n_workers),
        logging_folder=out / "work" / "logs",
        on_progress=on_progress,
    )
    return {unit.name: record for unit, record in zip(units, records, strict=True)}
