"""Measure what one slip a row, or an accent, costs, with correction and without, beside a rival.

    python -m benchmarks.typing_errors SET.tsv… --limit 100 --half second \
        --peer libime='$PEERS/run.py libime --k 5 --unsegmented'

Every row of at least five hanzi is typed without borders, clean, with a slip, and by a speaker who
merges zh/z, ch/c, sh/s and n/l. All converters get the same lines. False corrections are clean
rows whose first candidate is right without correction and wrong with it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yinzi
from benchmarks.engines import BenchmarkError, Engine, run_engine
from yinzi.errors import YinziError
from yinzi.evaluation.inputs import InputForm, typed_input
from yinzi.evaluation.rows import Row, read_rows
from yinzi.evaluation.typing_noise import MIN_HANZI, TypingNoise
from yinzi.pinyin.fuzzy import read_switches

__all__ = ["main", "read_sets", "typed_lines"]

INPUTS = {"clean": None, "slip": "typing", "accent": "accent"}


def read_sets(paths: Sequence[str], *, limit: int, half: str) -> list[Row]:
    """Give rows at even distances from each set: one half of the rows is for tuning."""
    rows: list[Row] = []
    for path in paths:
        known = [row for row in read_rows(Path(path)) if len(row.hanzi) >= MIN_HANZI]
        part = {"first": known[0::2], "second": known[1::2], "all": known}[half]
        n_taken = min(limit, len(part))
        rows += [part[index * len(part) // n_taken] for index in range(n_taken)]
    return rows


def typed_lines(rows: Sequence[Row], *, noise: str | None, seed: int) -> list[str]:
    """Give the letters of each row without borders, spoiled if wanted."""
    how = TypingNoise.parse(f"{noise}:{seed}") if noise else None
    return [typed_input(row, InputForm.UNSEGMENTED, noise=how) for row in rows]


def _first_and_any(rows: Sequence[Row], found: Sequence[Sequence[str]]) -> list[tuple[bool, bool]]:
    return [
        (texts[:1] == [row.hanzi], row.hanzi in texts[:5])
        for row, texts in zip(rows, (list(texts) for texts in found), strict=True)
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 1 for a failure, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.typing_errors",
        description="Accuracy on clean, mistyped and accented input, with and without correction.",
    )
    parser.add_argument("sets", nargs="+", metavar="TSV", help="sets whose rows are typed")
    parser.add_argument("--artifact", default="base", help="name or folder (default: base)")
    parser.add_argument("--limit", type=int, default=100, help="rows of each set (default: 100)")
    parser.add_argument("--half", choices=("first", "second", "all"), default="all")
    parser.add_argument("--seed", type=int, default=1, help="of slips and accents (default: 1)")
    parser.add_argument("--fuzzy", default="sichuan", help="switches or profile for the accent")
    parser.add_argument("--no-encoder", action="store_true", help="language model alone")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    options = parser.parse_args(argv)
    try:
        rows = read_sets(options.sets, limit=options.limit, half=options.half)
        lines = {
            name: typed_lines(rows, noise=noise, seed=options.seed)
            for name, noise in INPUTS.items()
        }
        switches = read_switches(options.fuzzy)
        plain = yinzi.load(options.artifact, uses_encoder=not options.no_encoder)
        plain = plain.forgiving(corrects=False)
        converters = {
            "yinzi, as typed": plain,
            "yinzi, corrected": plain.forgiving(),
            f"yinzi, {options.fuzzy}": plain.forgiving(fuzzy=switches, corrects=False),
            f"yinzi, {options.fuzzy}, corrected": plain.forgiving(fuzzy=switches),
        }
        results: dict[str, dict[str, list[tuple[bool, bool]]]] = {}
        for engine, converter in converters.items():
            results[engine] = {}
            for name, typed in lines.items():
                found: list[list[str]] = []
                for first in range(0, len(typed), 64):
                    batch = converter.convert_batch(typed[first : first + 64])
                    found += [[one.text for one in candidates] for candidates in batch]
                results[engine][name] = _first_and_any(rows, found)
        for text in options.peer:
            peer = Engine.parse(os.path.expandvars(text))
            results[peer.name] = {
                name: _first_and_any(rows, run_engine(peer, typed).candidates)
                for name, typed in lines.items()
            }
    except (BenchmarkError, YinziError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(rows)} rows, half: {options.half}, seed {options.seed}; MIU accuracy @1 / @5, %\n")
    print(f"| engine | {' | '.join(INPUTS)} | false corrections |")
    print("| --- |" + " ---: |" * (len(INPUTS) + 1))
    for engine, by_input in results.items():
        cells = [
            " / ".join(
                f"{100 * sum(row[k] for row in by_input[name]) / len(rows):.1f}" for k in (0, 1)
            )
            for name in INPUTS
        ]
        false = "–"
        if engine in converters and engine != "yinzi, as typed":
            before = results["yinzi, as typed"]["clean"]
            pairs = zip(before, by_input["clean"], strict=True)
            false = f"{100 * sum(one[0] and not two[0] for one, two in pairs) / len(rows):.2f}"
        print(f"| {engine} | {' | '.join(cells)} | {false} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
