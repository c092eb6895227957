"""Put two evaluations of the same files side by side, row by row: what did a change better?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from yinzi.evaluation.bootstrap import PairedComparison, compare_outcomes
from yinzi.evaluation.measurement import BatchConverter, EvaluationOptions, evaluate
from yinzi.evaluation.rows import read_rows
from yinzi.evaluation.slices import slice_rows

__all__ = ["PairedSlice", "compare_files"]


@dataclass(frozen=True)
class PairedSlice:
    """Hold a comparison on some rows.

    Attributes:
        set_name: file the rows are of, without its ending.
        slice_name: see `slice_rows`; empty for all rows.
        n_rows: how many.
        comparison: the first system against the second.
    """

    set_name: str
    slice_name: str
    n_rows: int
    comparison: PairedComparison

    def to_dict(self) -> dict[str, object]:
        """Give plain values for JSON."""
        return {
            "set": self.set_name,
            "slice": self.slice_name,
            "n_rows": self.n_rows,
            **self.comparison.to_dict(),
        }


def compare_files(
    paths: Iterable[str | Path],
    first: tuple[BatchConverter, EvaluationOptions],
    second: tuple[BatchConverter, EvaluationOptions],
    *,
    limit: int | None = None,
) -> Iterator[PairedSlice]:
    """Yield, for each file and then each of its slices, how a system differs from another.

    Args:
        paths: TSV files.
        first: a converter, and how its rows are typed and what it is told.
        second: what it is compared with.
        limit: rows of each file, the first ones.

    Raises:
        EvaluationError: a file cannot be read.
    """
    for path in paths:
        rows = read_rows(path)[:limit]
        name = Path(path).stem
        one, other = (
            evaluate(converter, rows, options, name=name).outcomes
            for converter, options in (first, second)
        )
        yield PairedSlice(name, "", len(rows), compare_outcomes(one, other))
        for slice_name, indices in slice_rows(rows).items():
            paired = compare_outcomes(one.take(indices), other.take(indices))
            yield PairedSlice(name, slice_name, len(indices), paired)
