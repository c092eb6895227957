"""Measure what waiting for yinzi means: start-up, memory, and the time after every key.

    python -m benchmarks.latency SET.tsv… --limit 200 --json latency.json

Start-up is measured in fresh processes, of which the first is not counted: it warms the file cache.
Keys are the letters of each row without borders, typed one by one through `Converter.type_keys()`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.engines import BenchmarkError, launch
from benchmarks.machine import artifact_facts, default_core, machine_facts
from yinzi.errors import YinziError
from yinzi.evaluation.inputs import InputForm, typed_input
from yinzi.evaluation.reports import Latency
from yinzi.evaluation.rows import read_rows

__all__ = ["main", "measure_keys", "measure_start", "typed_lines"]

_WORKER = str(Path(__file__).with_name("fresh_process.py"))
_FIRST_PINYIN = "woyaomaijipiao"
_BUDGET_MS = 10.0  # per key, 99 of 100


def typed_lines(paths: Iterable[str | Path], *, limit: int | None) -> list[str]:
    """Give the letters of the first `limit` rows of each set, without borders."""
    return [
        typed_input(row, InputForm.UNSEGMENTED) for path in paths for row in read_rows(path)[:limit]
    ]


def measure_start(
    *, artifact: str = "base", n_repeats: int = 5, core: int | None = None
) -> dict[str, Any]:
    """Give medians over fresh processes of import, load and first conversion, and peak memory.

    `process_ms` is the whole life of the process, interpreter start and end included.
    """
    command = [sys.executable, _WORKER, "start", artifact, _FIRST_PINYIN]
    runs: list[dict[str, float]] = []
    first_candidate = None
    for _ in range(n_repeats + 1):
        launched = launch(command, "", name="yinzi", core=core, timeout_seconds=120)
        run = json.loads(launched.stdout)
        first_candidate = run.pop("first_candidate")
        runs.append({**run, "process_ms": launched.wall_seconds * 1e3})
    result: dict[str, Any] = {"n_repeats": n_repeats, "first_candidate": first_candidate}
    for name in runs[0]:
        result[name] = round(statistics.median(run[name] for run in runs[1:]), 2)
    return result


def measure_keys(
    lines: Sequence[str],
    *,
    artifact: str = "base",
    core: int | None = None,
    timeout_seconds: float = 1800,
) -> dict[str, Any]:
    """Give the distribution of the time per key while all lines are typed in one fresh process."""
    launched = launch(
        [sys.executable, _WORKER, "keys", artifact],
        "".join(f"{line}\n" for line in lines),
        name="yinzi",
        core=core,
        timeout_seconds=timeout_seconds,
    )
    answer = json.loads(launched.stdout)
    times_ms = answer["times_ms"]
    if not times_ms:
        raise BenchmarkError("there are no keys to type; give sets with at least one row")
    latency = Latency.from_seconds([time_ms / 1e3 for time_ms in times_ms])
    result: dict[str, Any] = {"n_inputs": len(lines), "keystrokes": latency.n_lines}
    result |= {name: value for name, value in latency.to_dict().items() if name != "n_lines"}
    n_over = sum(time_ms > _BUDGET_MS for time_ms in times_ms)
    result["share_over_10_ms"] = round(n_over / len(times_ms), 5)
    result["peak_rss_bytes"] = answer["peak_rss_bytes"]
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 1 for a failure, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency",
        description="Measure start-up, memory and time per key of yinzi on one core.",
    )
    parser.add_argument("sets", nargs="+", metavar="TSV", help="sets whose rows are typed")
    parser.add_argument("--artifact", default="base", help="name or folder (default: base)")
    parser.add_argument("--limit", type=int, default=200, help="rows of each set (default: 200)")
    parser.add_argument("--repeat", type=int, default=5, help="fresh processes (default: 5)")
    parser.add_argument("--core", type=int, default=default_core(), help="core to run on")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    options = parser.parse_args(argv)
    if options.repeat < 1 or options.limit < 1:
        parser.error("--repeat and --limit must be at least 1")
    try:
        lines = typed_lines(options.sets, limit=options.limit)
        result: dict[str, Any] = {
            "machine": machine_facts(core=options.core),
            "artifact": _artifact(options.artifact),
            "sets": [Path(path).stem for path in options.sets],
            "limit": options.limit,
        }
        start = measure_start(
            artifact=options.artifact, n_repeats=options.repeat, core=options.core
        )
        keys = measure_keys(lines, artifact=options.artifact, core=options.core)
    except (BenchmarkError, YinziError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    result |= {"start": start, "keys": keys}
    if options.json:
        text = json.dumps(result, ensure_ascii=False, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    print(_table(start, keys))
    return 0


def _artifact(artifact: str) -> dict[str, Any]:
    folder = Path(artifact)
    return artifact_facts(folder) if (folder / "manifest.json").is_file() else {"name": artifact}


def _table(start: dict[str, Any], keys: dict[str, Any]) -> str:
    lines = ["| measure | value |", "| --- | ---: |"]
    for title, name in (
        ("import", "import_ms"),
        ("load", "load_ms"),
        ("first conversion", "first_conversion_ms"),
        ("import + load + first conversion", "total_ms"),
    ):
        lines.append(f"| {title} | {start[name]:.1f} ms |")
    lines.append(f"| peak memory after it | {_mib(start['peak_rss_bytes'])} |")
    for name in ("p50", "p95", "p99", "max"):
        lines.append(f"| key {name} | {keys[name + '_ms']:.2f} ms |")
    lines.append(f"| keys over 10 ms | {100 * keys['share_over_10_ms']:.2f} % |")
    lines.append(f"| keys typed | {keys['keystrokes']} |")
    lines.append(f"| peak memory after typing | {_mib(keys['peak_rss_bytes'])} |")
    return "\n".join(lines)


def _mib(n_bytes: float) -> str:
    return f"{n_bytes / 2**20:.0f} MiB"


if __name__ == "__main__":
    sys.exit(main())
