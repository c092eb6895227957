"""Score candidate texts against references, row by row, and average.

Everything later (intervals, slices, paired comparison) works on `Outcomes`: three small integers
per row. Definitions are in docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinzi.evaluation.errors import EvaluationError
from yinzi.evaluation.rows import Row

__all__ = ["METRICS", "Outcomes", "score"]

METRICS = ("miu_accuracy@1", "miu_accuracy@5", "character_accuracy")


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Hold how one system did on each row of one set, in the order of the rows."""

    ids: tuple[str, ...]
    ranks: NDArray[np.int32]  # [n_rows] 0-based place of the reference among candidates, -1: absent
    n_correct: NDArray[np.int32]  # [n_rows] hanzi of the first candidate right in their position
    n_hanzi: NDArray[np.int32]  # [n_rows] length of the reference

    def __len__(self) -> int:
        return len(self.ids)

    def totals(self) -> NDArray[np.float64]:
        """Give float64 [n_rows, 4], to be summed: hit@1, hit@5, correct hanzi, hanzi."""
        hit = self.ranks >= 0
        columns = [hit & (self.ranks < 1), hit & (self.ranks < 5), self.n_correct, self.n_hanzi]
        return np.stack([column.astype(np.float64) for column in columns], axis=1)

    def metrics(self) -> dict[str, float]:
        """Give the value of every metric of `METRICS`; at least one row is needed."""
        sums = self.totals().sum(axis=0)
        values = sums[:3] / np.array([len(self), len(self), sums[3]])
        return dict(zip(METRICS, map(float, values), strict=True))

    def take(self, indices: NDArray[np.intp]) -> Outcomes:
        """Give the outcomes of some rows, in the order of the indices."""
        return Outcomes(
            tuple(self.ids[index] for index in indices),
            self.ranks[indices],
            self.n_correct[indices],
            self.n_hanzi[indices],
        )


def score(rows: Sequence[Row], candidates: Sequence[Sequence[str]]) -> Outcomes:
    """Compare the candidates of each row, best first, with its hanzi.

    A text that stands twice among the candidates takes two places. Letters past the end of the
    reference are not counted; a first candidate that is too short, or absent, gets 0 for each
    position that it lacks.

    Example:
        >>> rows = [Row("0", "你好吗", "ni hao ma"), Row("1", "再见", "zai jian")]
        >>> outcomes = score(rows, [["你号吗", "你好吗"], []])
        >>> outcomes.ranks.tolist(), outcomes.n_correct.tolist(), outcomes.n_hanzi.tolist()
        ([1, -1], [2, 0], [3, 2])

    Raises:
        EvaluationError: the numbers of rows and of candidate lists differ.
    """
    if len(rows) != len(candidates):
        raise EvaluationError(
            f"{len(candidates)} candidate lists for {len(rows)} rows; expected one list per row, "
            "empty where there is no candidate"
        )
    ranks = np.full(len(rows), -1, dtype=np.int32)
    n_correct = np.zeros(len(rows), dtype=np.int32)
    for index, (row, texts) in enumerate(zip(rows, candidates, strict=True)):
        if row.hanzi in texts:
            ranks[index] = list(texts).index(row.hanzi)
        if texts:
            pairs = zip(row.hanzi, texts[0], strict=False)
            n_correct[index] = sum(right == given for right, given in pairs)
    n_hanzi = np.array([len(row.hanzi) for row in rows], dtype=np.int32)
    return Outcomes(tuple(row.id for row in rows), ranks, n_correct, n_hanzi)
