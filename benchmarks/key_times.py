"""Measure the time per key of typing with corrections and English words on, the hardest setting.

    python -m benchmarks.key_times hsk.tsv tatoeba.tsv domains.tsv

Three kinds of input, letter by letter: rows as they are, rows with one slip each, and 60 letters of
rows in a line (cut anywhere, so some begin inside a syllable). Prints the median, the 99th
percentile and the most in milliseconds, without and with the encoder; run it on an idle core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import yinzi
from yinzi.converter import Converter
from yinzi.evaluation import TypingNoise, read_rows
from yinzi.evaluation.inputs import InputForm, typed_input
from yinzi_train.training.processes import limit_threads

_LONG = 60
_MIN_SLIP_HANZI = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("sets", nargs="+", type=Path, metavar="TSV")
    parser.add_argument("--rows", type=int, default=20, help="of each set, spread evenly")
    parser.add_argument("--noise", default="typing:3", help="kind and seed of the slips")
    arguments = parser.parse_args()
    limit_threads()
    inputs = _inputs(arguments.sets, arguments.rows, TypingNoise.parse(arguments.noise))
    for uses_encoder in (False, True):
        converter = yinzi.load(uses_encoder=uses_encoder).forgiving(english=True)
        converter.convert("woyaomiajipiao")  # makes what is made once
        label = "encoder" if uses_encoder else "no encoder"
        every: list[float] = []
        for kind, lines in inputs.items():
            times = [one for line in lines for one in _key_times(converter, line)]
            print(_row(label, kind, times), flush=True)
            every += times
        print(_row(label, "all", every), flush=True)


def _inputs(sets: Sequence[Path], n_rows: int, noise: TypingNoise) -> dict[str, list[str]]:
    rows = []
    for path in sets:
        read = read_rows(path)
        rows += read[:: max(1, len(read) // n_rows)][:n_rows]
    clean = [typed_input(row, InputForm.UNSEGMENTED) for row in rows]
    joined = "".join(clean)
    return {
        "clean": clean,
        "slip": [
            typed_input(row, InputForm.UNSEGMENTED, noise=noise)
            for row in rows
            if len(row.hanzi) >= _MIN_SLIP_HANZI
        ],
        f"{_LONG} letters": [
            joined[start : start + _LONG] for start in range(0, len(joined) - _LONG, _LONG)
        ][:12],
    }


def _key_times(converter: Converter, line: str) -> list[float]:
    """Return the milliseconds that each of the first sixty letters takes."""
    typing, times = converter.type_keys(), []
    for length in range(1, min(_LONG, len(line)) + 1):
        start = time.perf_counter()
        typing.update(line[:length])
        times.append(1000 * (time.perf_counter() - start))
    return times


def _row(label: str, kind: str, times: Sequence[float]) -> str:
    median, high = np.percentile(times, [50, 99])
    return (
        f"{label}, {kind}: {len(times):,} keys, p50 {median:.1f}, p99 {high:.1f}, "
        f"most {max(times):.1f} ms"
    )


if __name__ == "__main__":
    main()
