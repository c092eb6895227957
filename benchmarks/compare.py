r"""Put yinzi beside other engines: the same rows, one core, alternating, in one run.

    python -m benchmarks.compare SET.tsv… \
        --engine "libime=python3 $PEERS/run.py libime --k 5 {joined:--unsegmented}" \
        --mode segmented --mode unsegmented --repeat 3 --json compare.json

Prints Markdown tables; docs/metrics.md defines the figures, README.md here explains the options.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.costs import cost, means, start
from benchmarks.engines import BenchmarkError, Engine, EngineRun, run_engine
from benchmarks.latency import measure_keys, typed_lines
from benchmarks.machine import artifact_facts, default_core, machine_facts
from benchmarks.tables import markdown
from yinzi.errors import YinziError
from yinzi.evaluation.bootstrap import compare_outcomes, estimate_metrics
from yinzi.evaluation.inputs import InputForm, typed_input
from yinzi.evaluation.outcomes import Outcomes, score
from yinzi.evaluation.rows import Row, read_rows

__all__ = ["Set", "Settings", "compare", "main"]

OURS = "yinzi"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Set:
    """Hold the rows of one TSV file."""

    name: str
    rows: list[Row]


@dataclass(frozen=True)
class Settings:
    """Choose how engines are compared."""

    baseline: str  # name of the engine that ratios and differences refer to
    modes: tuple[InputForm, ...] = (InputForm.SEGMENTED,)
    n_rounds: int = 3  # each engine runs every set once a round; medians are reported
    joined_initials: frozenset[str] = frozenset({OURS})  # engines that get `wyq`, not `w y q`
    artifact: str = "base"  # name or folder that our own engine loads
    core: int | None = None  # all engines run on this core; None: anywhere
    timeout_seconds: float = 1800.0  # for one run of one set
    seed: int = 0  # of bootstrap and mixed input
    n_resamples: int = 1000


def our_engine(artifact: str) -> Engine:
    """Give the engine of this repository with one artifact."""
    command = "yinzi convert --n-best 5 --plain"
    if artifact != "base":
        command += f" --artifact {shlex.quote(artifact)}"
    return Engine(OURS, command)


def is_joined(engine: Engine, mode: InputForm, settings: Settings) -> bool:
    """Say whether an engine gets its lines without borders between syllables.

    With initials only, every letter is a syllable, and some engines do better when told so.
    """
    if mode is InputForm.INITIALS:
        return engine.name in settings.joined_initials
    return mode is not InputForm.SEGMENTED


def input_lines(rows: Sequence[Row], mode: InputForm, *, joined: bool, seed: int) -> list[str]:
    """Give the lines that an engine reads for the rows of a set."""
    lines = [typed_input(row, mode, seed=seed) for row in rows]
    return [" ".join(line) for line in lines] if _is_spaced(mode, joined) else lines


def _is_spaced(mode: InputForm, joined: bool) -> bool:
    return mode is InputForm.INITIALS and not joined


def compare(engines: Sequence[Engine], sets: Sequence[Set], settings: Settings) -> dict[str, Any]:
    """Run all engines over all sets in every mode and give the figures, ready for JSON.

    In a round the engines take turns on each set, another one first each time. Before its sets
    every engine converts one line alone: what that takes is its start, and is taken off the times
    of the sets.
    """
    return {
        mode.value: _compare_mode(engines, sets, mode=mode, settings=settings)
        for mode in settings.modes
    }


def _compare_mode(
    engines: Sequence[Engine], sets: Sequence[Set], *, mode: InputForm, settings: Settings
) -> dict[str, Any]:
    starts: dict[str, list[EngineRun]] = {engine.name: [] for engine in engines}
    runs: dict[tuple[str, str], list[EngineRun]] = {}
    for round_ in range(settings.n_rounds):
        for turn, set_ in enumerate([None, *sets]):
            first = (round_ + turn) % len(engines)
            for engine in [*engines[first:], *engines[:first]]:
                joined = is_joined(engine, mode, settings)
                rows = sets[0].rows[:1] if set_ is None else set_.rows
                run = run_engine(
                    engine,
                    input_lines(rows, mode, joined=joined, seed=settings.seed),
                    joined=joined,
                    core=settings.core,
                    timeout_seconds=settings.timeout_seconds,
                )
                where = starts[engine.name]
                if set_ is not None:
                    where = runs.setdefault((set_.name, engine.name), [])
                    _progress(mode, round_, set_, engine, run)
                where.append(run)
    result: dict[str, Any] = {
        "input": {
            engine.name: "joined" if is_joined(engine, mode, settings) else "spaced"
            for engine in engines
        },
        "start": {name: start(parts) for name, parts in starts.items()},
        "sets": {},
    }
    for set_ in sets:
        outcomes = {
            engine.name: score(set_.rows, runs[set_.name, engine.name][0].candidates)
            for engine in engines
        }
        result["sets"][set_.name] = {
            "n_rows": len(set_.rows),
            "n_hanzi": sum(len(row.hanzi) for row in set_.rows),
            "engines": {
                name: {
                    **_accuracy(outcomes, name, settings),
                    **cost(runs[set_.name, name], starts[name]),
                }
                for name in outcomes
            },
        }
    result["mean"] = means(result, settings.baseline)
    return result


def _accuracy(outcomes: dict[str, Outcomes], name: str, settings: Settings) -> dict[str, Any]:
    resampling = {"n_resamples": settings.n_resamples, "seed": settings.seed}
    metrics = estimate_metrics(outcomes[name], **resampling)
    result: dict[str, Any] = {"metrics": {key: e.to_dict() for key, e in metrics.items()}}
    if name != settings.baseline:
        against = compare_outcomes(outcomes[name], outcomes[settings.baseline], **resampling)
        result["against_baseline"] = against.to_dict()
    return result


def type_keys(
    engines: Sequence[Engine], paths: Sequence[str], settings: Settings, *, limit: int
) -> dict[str, Any]:
    """Give the time per key of each engine that can type, for the first rows of each set.

    Engines state their own figures; ours come from `benchmarks.latency`. An engine that cannot
    type has None.
    """
    lines = typed_lines(paths, limit=limit)
    timeout_seconds = settings.timeout_seconds
    result: dict[str, Any] = {}
    for engine in engines:
        if engine.can_type_keys:
            run = run_engine(
                engine,
                lines,
                joined=True,
                keys=True,
                core=settings.core,
                timeout_seconds=timeout_seconds,
            )
            result[engine.name] = run.keys or None
        elif engine == our_engine(settings.artifact):
            result[engine.name] = measure_keys(
                lines,
                artifact=settings.artifact,
                core=settings.core,
                timeout_seconds=timeout_seconds,
            )
        else:
            result[engine.name] = None
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 1 for a failure, 2 for wrong usage."""
    parser = _parser()
    options = parser.parse_args(argv)
    engines, settings = _settings(parser, options)
    try:
        sets = [Set(Path(path).stem, read_rows(path)[: options.limit]) for path in options.sets]
        if len({set_.name for set_ in sets}) < len(sets):
            raise BenchmarkError("two sets have the same file name; rename one")
        result: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "machine": machine_facts(core=settings.core),
            "artifact": artifact_facts(options.artifact) if options.artifact else None,
            "engines": {engine.name: engine.shown_command for engine in engines},
            "baseline": settings.baseline,
            "limit": options.limit,
            "n_rounds": settings.n_rounds,
            "modes": compare(engines, sets, settings),
        }
        if options.keys:
            result["keys"] = type_keys(engines, options.sets, settings, limit=options.keys)
    except (BenchmarkError, YinziError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        text = json.dumps(result, ensure_ascii=False, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    text = markdown(result)
    if options.markdown:
        options.markdown.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description="Compare yinzi with other engines: accuracy, speed, start and memory.",
        epilog='example: %(prog)s hsk.tsv --engine "libime=python3 $PEERS/run.py libime --k 5'
        ' {joined:--unsegmented} {keys:--keystrokes}" --mode segmented --mode initials',
    )
    add = parser.add_argument
    add("sets", nargs="+", metavar="TSV", help="sets: id, hanzi, pinyin[, left context]")
    add(
        "--engine",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="an engine besides yinzi; {joined:…} and {keys:…} in the command are arguments for"
        " lines without borders and for typing; yinzi=… replaces our own command",
    )
    add("--without-yinzi", action="store_true", help="leave our own engine out")
    add("--baseline", metavar="NAME", help="engine to refer to (default: the first --engine)")
    add(
        "--mode",
        action="append",
        choices=[form.value for form in InputForm],
        help="how rows are typed, repeatable (default: segmented)",
    )
    add(
        "--joined-initials",
        action="append",
        default=[],
        metavar="NAME",
        help="feed this engine initials as wyq; others than yinzi get w y q unless named here",
    )
    add("--limit", type=int, metavar="N", help="first N rows of each set only")
    add("--repeat", type=int, default=3, metavar="N", help="rounds (default: 3)")
    add("--keys", type=int, metavar="N", help="also time keys over the first N rows of each set")
    add("--core", type=int, default=default_core(), help="core to run on (default: the last)")
    add("--timeout", type=float, default=1800, metavar="S", help="seconds for one run")
    add("--artifact", metavar="FOLDER", help="artifact for yinzi; its hash is recorded")
    add("--json", type=Path, metavar="FILE", help="write all figures here")
    add("--markdown", type=Path, metavar="FILE", help="write the tables here too")
    return parser


def _settings(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> tuple[list[Engine], Settings]:
    for name in ("limit", "repeat", "keys"):
        if (getattr(options, name) or 1) < 1 or getattr(options, name) == 0:
            parser.error(f"--{name} must be at least 1")
    try:
        engines = [Engine.parse(text) for text in options.engine]
    except ValueError as error:
        parser.error(str(error))
    names = [engine.name for engine in engines]
    if not options.without_yinzi and OURS not in names:
        engines.insert(0, our_engine(options.artifact or "base"))
    if not engines:
        parser.error("--without-yinzi needs at least one --engine")
    if len(set(names)) < len(names):
        parser.error("two engines have the same name")
    baseline = options.baseline or next((n for n in names if n != OURS), engines[0].name)
    known = [engine.name for engine in engines]
    for name in [baseline, *options.joined_initials]:
        if name not in known:
            parser.error(f"no engine is named {name!r}; there are {', '.join(known)}")
    settings = Settings(
        baseline=baseline,
        modes=tuple(dict.fromkeys(map(InputForm, options.mode or ["segmented"]))),
        n_rounds=options.repeat,
        joined_initials=frozenset({OURS, *options.joined_initials}),
        artifact=options.artifact or "base",
        core=options.core,
        timeout_seconds=options.timeout,
    )
    return engines, settings


def _progress(mode: InputForm, round_: int, set_: Set, engine: Engine, run: EngineRun) -> None:
    print(
        f"{mode.value}, round {round_ + 1}: {engine.name} on {set_.name}, "
        f"{len(set_.rows)} rows in {run.wall_seconds:.1f} s",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
