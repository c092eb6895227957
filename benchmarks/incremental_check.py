"""Check on real input that converting letter by letter, in batches and alone all agree.

    python -m benchmarks.incremental_check hsk.tsv tatoeba.tsv --lines 1000

The lines are spread evenly over the rows of all sets and typed in turn as full pinyin with borders,
without borders, by initials, and mixed. For every prefix of every line `Typing.update` must give
the very candidates, with their spans (and probabilities, to 0.001), that a new call gives; a
batch of all lines must give what single calls give; and the syllables of every candidate must spell
the letters that it consumes. Prints counts; exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import yinzi
from tests.yinzi.decoding.reading_oracle import reading_matches
from yinzi.converter import Candidate, Converter
from yinzi.evaluation.inputs import InputForm, typed_input
from yinzi.evaluation.rows import read_rows

__all__ = ["CheckReport", "check_lines", "main"]

MOST_SHOWN = 5


@dataclass
class CheckReport:
    """Counts of what was compared, and the first differences in words."""

    n_lines: int = 0
    n_prefixes: int = 0
    n_candidates: int = 0
    n_incremental_differences: int = 0
    n_batch_differences: int = 0
    n_reading_differences: int = 0
    shown: list[str] = field(default_factory=list)

    @property
    def n_differences(self) -> int:
        """Return how many comparisons failed."""
        return (
            self.n_incremental_differences + self.n_batch_differences + self.n_reading_differences
        )

    def show(self, text: str) -> None:
        """Keep the first differences."""
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(text)


def is_equal(candidates: Sequence[Candidate], others: Sequence[Candidate]) -> bool:
    """Compare all but the last digits of probabilities: the encoder adds in another order."""
    exact, exact_others = (
        [replace(one, logprob=0.0) for one in some] for some in (candidates, others)
    )
    return exact == exact_others and all(
        abs(one.logprob - other.logprob) < 1e-3
        for one, other in zip(candidates, others, strict=True)
    )


def check_lines(converter: Converter, lines: Sequence[str], contexts: Sequence[str]) -> CheckReport:
    """Compare the three ways to convert each line, and check the reading of all candidates."""
    report = CheckReport(n_lines=len(lines))
    alone: list[list[Candidate]] = []
    for line, context in zip(lines, contexts, strict=True):
        typing = converter.type_keys(left_context=context)
        for end in range(1, len(line) + 1):
            prefix = line[:end]
            offered = typing.update(prefix)
            report.n_prefixes += 1
            report.n_candidates += len(offered)
            if not is_equal(offered, converter.candidates(prefix, left_context=context)):
                report.n_incremental_differences += 1
                report.show(f"typed letter by letter, {prefix!r} after {context!r} differs")
            for candidate in offered:
                if not reading_matches(prefix, candidate):
                    report.n_reading_differences += 1
                    report.show(f"{candidate} does not read {prefix!r}")
        alone.append(converter.convert(line, left_context=context))
    batch = converter.convert_batch(lines, left_contexts=contexts)
    for line, one, many in zip(lines, alone, batch, strict=True):
        if not is_equal(one, many):
            report.n_batch_differences += 1
            report.show(f"in a batch, {line!r} differs")
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check from the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.incremental_check")
    parser.add_argument("sets", nargs="+", metavar="TSV", help="id, hanzi, pinyin[, left context]")
    parser.add_argument("--lines", type=int, default=1000, help="lines in all (default: 1000)")
    parser.add_argument("--artifact", default="base", help="name or folder (default: base)")
    options = parser.parse_args(arguments)
    rows = [row for path in options.sets for row in read_rows(path)]
    n_lines = min(options.lines, len(rows))
    rows = [rows[index * len(rows) // n_lines] for index in range(n_lines)]
    forms = list(InputForm)
    lines = [typed_input(row, forms[index % len(forms)]) for index, row in enumerate(rows)]
    contexts = [row.left_context if index % 2 else "" for index, row in enumerate(rows)]
    started = time.perf_counter()
    report = check_lines(yinzi.load(options.artifact), lines, contexts)
    print(
        f"{report.n_lines} lines, {report.n_prefixes} prefixes, {report.n_candidates} candidates "
        f"in {time.perf_counter() - started:.0f} s"
    )
    print(f"typed letter by letter differs from scratch: {report.n_incremental_differences}")
    print(f"batch differs from single: {report.n_batch_differences}")
    print(f"readings that do not match the letters: {report.n_reading_differences}")
    for text in report.shown:
        print(f"  {text}")
    return int(report.n_differences > 0)


if __name__ == "__main__":
    sys.exit(main())
