"""Work out what engines cost: time and memory of their runs, as medians and ratios."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.engines import EngineRun
from yinzi.evaluation.outcomes import METRICS

__all__ = ["cost", "means", "start"]


def cost(runs: Sequence[EngineRun], starts: Sequence[EngineRun]) -> dict[str, Any]:
    """Give speed, memory and steadiness of the runs of one engine on one set, one per round.

    `starts` are runs with a single line; their time is taken off.
    """
    n_lines = len(runs[0].candidates)
    wall = statistics.median(run.wall_seconds for run in runs)
    # A line was converted during the start too, hence one line less in the difference.
    net = wall - statistics.median(run.wall_seconds for run in starts)
    cpu = statistics.median(run.cpu_seconds for run in runs)
    cpu -= statistics.median(run.cpu_seconds for run in starts)
    stated = [run.stats["lines_per_second"] for run in runs if "lines_per_second" in run.stats]
    return {
        "n_rounds": len(runs),
        "n_unsteady_lines": _n_unsteady(runs, n_first=None),
        "n_unsteady_first": _n_unsteady(runs, n_first=1),
        "max_candidates": max(map(len, runs[0].candidates)),
        "n_without_candidate": sum(not texts for texts in runs[0].candidates),
        "lines_per_second": {
            "wall": round(n_lines / wall, 2),
            "net": _rate(n_lines - 1, net),
            "cpu": _rate(n_lines - 1, cpu),
            "stated": statistics.median(stated) if stated else None,
        },
        "wall_seconds": [round(run.wall_seconds, 4) for run in runs],
        "peak_rss_bytes": max(run.peak_rss_bytes for run in runs),
    }


def _n_unsteady(runs: Sequence[EngineRun], *, n_first: int | None) -> int:
    """Count lines whose first candidates (None: all) are not the same in every round."""
    return sum(
        any(texts[:n_first] != others[0][:n_first] for texts in others)
        for others in zip(*(run.candidates for run in runs), strict=True)
    )


def _rate(n_lines: int, seconds: float) -> float | None:
    """Give lines per second, None when too little was measured to say."""
    return round(n_lines / seconds, 2) if n_lines > 0 and seconds > 0.01 else None


def start(runs: Sequence[EngineRun]) -> dict[str, Any]:
    """Give what it takes an engine to be ready and convert one line."""
    stated = [run.stats["load_seconds"] for run in runs if "load_seconds" in run.stats]
    return {
        "process_seconds": round(statistics.median(run.wall_seconds for run in runs), 4),
        "stated_load_seconds": statistics.median(stated) if stated else None,
        "peak_rss_bytes": max(run.peak_rss_bytes for run in runs),
    }


def means(result: dict[str, Any], baseline: str) -> dict[str, Any]:
    """Give the unweighted means over sets and, for what costs, ratios to the baseline."""
    found: dict[str, Any] = {}
    for name, ready in result["start"].items():
        parts = [set_["engines"][name] for set_ in result["sets"].values()]
        n_lines = [set_["n_rows"] for set_ in result["sets"].values()]
        speed = {
            kind: _harmonic([part["lines_per_second"][kind] for part in parts], n_lines)
            for kind in ("wall", "net", "cpu", "stated")
        }
        found[name] = {
            "metrics": {
                key: round(statistics.mean(part["metrics"][key]["value"] for part in parts), 5)
                for key in METRICS
            },
            "lines_per_second": speed,
            "start_seconds": ready["process_seconds"],
            "peak_rss_bytes": max(part["peak_rss_bytes"] for part in parts),
        }
    base = found[baseline]
    for mean in found.values():
        mean["ratio_to_baseline"] = {
            "net": _ratio(mean["lines_per_second"]["net"], base["lines_per_second"]["net"]),
            "cpu": _ratio(mean["lines_per_second"]["cpu"], base["lines_per_second"]["cpu"]),
            "start_seconds": _ratio(mean["start_seconds"], base["start_seconds"]),
            "peak_rss_bytes": _ratio(mean["peak_rss_bytes"], base["peak_rss_bytes"]),
        }
    return found


def _harmonic(rates: Sequence[float | None], n_lines: Sequence[int]) -> float | None:
    """Give all lines over all time."""
    known = [(rate, n) for rate, n in zip(rates, n_lines, strict=True) if rate]
    if len(known) < len(rates):
        return None
    return round(sum(n for _, n in known) / sum(n / rate for rate, n in known), 2)


def _ratio(value: float | None, base: float | None) -> float | None:
    return round(value / base, 3) if value and base else None
