"""Hold what an evaluation found, with plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from yinzi.evaluation.bootstrap import Estimate
from yinzi.evaluation.inputs import InputForm
from yinzi.evaluation.outcomes import METRICS, Outcomes

__all__ = ["FilesReport", "Latency", "SetReport", "SliceReport"]


@dataclass(frozen=True)
class Latency:
    """Hold how long one conversion takes, in milliseconds, over `n_lines` lines one by one."""

    n_lines: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def from_seconds(cls, seconds: Sequence[float]) -> Latency:
        """Summarise at least one measured time.

        A percentile is the smallest measured time that is not exceeded by that share of all.

        Example:
            >>> Latency.from_seconds([0.001, 0.002, 0.004]).p50_ms
            2.0
        """
        times_ms = np.asarray(seconds, dtype=np.float64) * 1e3
        p50, p95, p99 = np.percentile(times_ms, [50, 95, 99], method="inverted_cdf")
        return cls(
            len(times_ms),
            float(times_ms.mean()),
            float(p50),
            float(p95),
            float(p99),
            float(times_ms.max()),
        )

    def to_dict(self) -> dict[str, float]:
        """Give the numbers, times rounded to 0.1 µs."""
        return {name: round(value, 4) for name, value in vars(self).items()}


@dataclass(frozen=True)
class SliceReport:
    """Hold the metrics of some rows of a set."""

    n_rows: int
    metrics: dict[str, Estimate]

    def to_dict(self) -> dict[str, object]:
        """Give plain values for JSON."""
        return {"n_rows": self.n_rows, "metrics": _metrics_to_dict(self.metrics)}


@dataclass(frozen=True)
class SetReport:
    """Hold what was measured on one set, typed in one form."""

    name: str
    input_form: InputForm
    use_left_context: bool
    n_rows: int
    n_hanzi: int
    n_misaligned: int  # rows whose syllables and hanzi differ in number
    metrics: dict[str, Estimate]
    slices: dict[str, SliceReport]
    lines_per_second: float  # all lines, in batches
    latency: Latency | None  # None: not measured
    n_batch_differences: int  # lines whose candidates alone and in a batch differ; should be 0
    outcomes: Outcomes = field(repr=False, compare=False)
    scheme: str = "pinyin"  # name of the input scheme

    def to_dict(self, *, with_rows: bool = False) -> dict[str, object]:
        """Give plain values for JSON; with `with_rows`, also the outcome of each row."""
        result: dict[str, object] = {
            "name": self.name,
            "input_form": self.input_form.value,
            "scheme": self.scheme,
            "use_left_context": self.use_left_context,
            "n_rows": self.n_rows,
            "n_hanzi": self.n_hanzi,
            "n_misaligned": self.n_misaligned,
            "metrics": _metrics_to_dict(self.metrics),
            "slices": {name: part.to_dict() for name, part in self.slices.items()},
            "lines_per_second": round(self.lines_per_second, 2),
            "latency": None if self.latency is None else self.latency.to_dict(),
            "n_batch_differences": self.n_batch_differences,
        }
        if with_rows:
            result["rows"] = [
                {"id": id_, "rank": int(rank), "n_correct": int(right), "n_hanzi": int(n_hanzi)}
                for id_, rank, right, n_hanzi in zip(
                    self.outcomes.ids,
                    self.outcomes.ranks,
                    self.outcomes.n_correct,
                    self.outcomes.n_hanzi,
                    strict=True,
                )
            ]
        return result


@dataclass(frozen=True)
class FilesReport:
    """Hold the reports of several sets."""

    sets: tuple[SetReport, ...]

    @property
    def mean(self) -> dict[str, float]:
        """Give the unweighted mean over sets of each metric: every set counts alike."""
        return {
            name: float(np.mean([report.metrics[name].value for report in self.sets]))
            for name in METRICS
        }

    def to_dict(self, *, with_rows: bool = False) -> dict[str, object]:
        """Give plain values for JSON; with `with_rows`, also the outcome of each row."""
        return {
            "sets": [report.to_dict(with_rows=with_rows) for report in self.sets],
            "mean": {name: round(value, 5) for name, value in self.mean.items()},
        }


def _metrics_to_dict(metrics: dict[str, Estimate]) -> dict[str, object]:
    return {name: estimate.to_dict() for name, estimate in metrics.items()}
