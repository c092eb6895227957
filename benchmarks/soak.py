"""Type without end and watch memory and the slowest key.

    python -m benchmarks.soak --minutes 10 --sets hsk.tsv --json soak.json

Lines are rows of sets (or random syllables without sets), typed letter by letter with slips, erased
letters, random letters, now and then English, digits and long lines. Keys are timed by the wall and
by the processor; on a busy machine the second is the one to trust. Memory is what no file backs,
after each minute, garbage collected; growth is that of the second half of the run (solved stretches
are kept, up to some 5 MiB, which takes about 6,000 keys). Exit status 1 if memory grew by more than
the limit.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yinzi
from yinzi.converter import Converter
from yinzi.evaluation.inputs import InputForm, typed_input
from yinzi.evaluation.keys import KeyTimes
from yinzi.evaluation.rows import read_rows
from yinzi.pinyin import SYLLABLES
from yinzi.pinyin.english import MIXED_PINYIN

__all__ = ["SoakReport", "key_sequences", "main", "soak"]

MAX_LETTERS = 60
MAX_GROWTH_MIB = 8.0
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ENGLISH = ("iphone", "wifi", "app", "KFC", "email", "3", "100", "2026", ",", "'", " ")


@dataclass
class SoakReport:
    """What a run showed; memory in MiB, by the minute.

    `first_key_ms` is processor time of the first conversion, which makes what is made once.
    """

    n_keys: int
    n_inputs: int
    wall: KeyTimes
    processor: KeyTimes
    first_key_ms: float
    slowest_input: str
    n_slow: int
    memory_mib: list[float] = field(default_factory=list)

    @property
    def growth_mib(self) -> float:
        """Return how much memory grew in the second half of the run."""
        half = self.memory_mib[len(self.memory_mib) // 2 :]
        return half[-1] - half[0] if half else 0.0


def key_sequences(lines: Sequence[str], generator: random.Random) -> Iterator[list[str]]:
    """Yield without end what an input holds after each key, for one input after another."""
    while True:
        text = generator.choice(lines) if lines else _random_line(generator)
        kind = generator.random()
        if kind < 0.15:
            at = generator.randrange(len(text) + 1)
            text = text[:at] + generator.choice(_ENGLISH) + text[at:]
        elif kind < 0.25:
            text += generator.choice(lines) if lines else _random_line(generator)
        elif kind < 0.3:
            text = "".join(generator.choice(_LETTERS) for _ in range(generator.randrange(1, 40)))
        states: list[str] = []
        typed = ""
        for letter in text[:MAX_LETTERS]:
            if generator.random() < 0.03:
                states += [typed + generator.choice(_LETTERS), typed]
            typed += letter
            states.append(typed)
        yield [state for state in states if state]


def _random_line(generator: random.Random) -> str:
    return "".join(generator.choices(SYLLABLES, k=generator.randrange(1, 12))).replace("ê", "e")


def private_mib() -> float:
    """Return the memory of this process that no file backs, Linux only.

    Pages of the artifact come in as they are touched, and the system can take them back.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kib,) = re.findall(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kib) / 1024


def soak(
    converter: Converter,
    lines: Sequence[str],
    *,
    seconds: float,
    seed: int = 0,
    on_minute: Callable[[str], None] = print,
    sample_seconds: float = 60.0,
) -> SoakReport:
    """Type for a while and report; times are kept as histograms of 0.1 ms, so memory is steady."""
    wall, processor = [0] * 20_000, [0] * 20_000
    memory: list[float] = []
    processor_started = time.process_time()
    converter.candidates("nihao")
    first_key_ms = (time.process_time() - processor_started) * 1e3
    slowest, slowest_input, n_inputs, n_slow = 0.0, "", 0, 0
    started = time.monotonic()
    next_sample = started + sample_seconds
    for states in key_sequences(lines, random.Random(seed)):
        typing = converter.type_keys()
        n_inputs += 1
        for state in states:
            wall_started, processor_started = time.perf_counter(), time.process_time()
            typing.update(state)
            processor_ms = (time.process_time() - processor_started) * 1e3
            wall_ms = (time.perf_counter() - wall_started) * 1e3
            for histogram, ms in ((wall, wall_ms), (processor, processor_ms)):
                histogram[min(int(ms * 10), len(histogram) - 1)] += 1
            n_slow += processor_ms > 100
            if processor_ms > slowest:
                slowest, slowest_input = processor_ms, state
        now = time.monotonic()
        if now >= next_sample or now - started >= seconds:
            gc.collect()
            memory.append(round(private_mib(), 2))
            on_minute(f"{now - started:.0f} s, {sum(wall)} keys, {memory[-1]:.1f} MiB")
            next_sample += sample_seconds
        if now - started >= seconds:
            break
    return SoakReport(
        sum(wall),
        n_inputs,
        _times(wall),
        _times(processor),
        round(first_key_ms, 1),
        slowest_input,
        n_slow,
        memory,
    )


def _times(histogram: Sequence[int]) -> KeyTimes:
    n_keys = sum(histogram)
    shares = {0.5: 0.0, 0.9: 0.0, 0.99: 0.0}
    seen, total, most = 0, 0.0, 0.0
    for index, count in enumerate(histogram):
        if not count:
            continue
        ms = (index + 0.5) / 10
        seen, total, most = seen + count, total + ms * count, ms
        shares.update(
            {share: ms for share, found in shares.items() if not found and seen >= share * n_keys}
        )
    return KeyTimes(n_keys, total / max(1, n_keys), shares[0.5], shares[0.9], shares[0.99], most)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the test from the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--sets", nargs="*", default=[], metavar="TSV", help="rows to type")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--artifact", default="base", help="name or folder (default: base)")
    parser.add_argument("--no-encoder", action="store_true")
    parser.add_argument("--mixed", action="store_true", help="read English too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report")
    options = parser.parse_args(arguments)
    forms = [form for form in InputForm if form is not InputForm.SEGMENTED]
    rows = [row for path in options.sets for row in read_rows(path)]
    lines = [typed_input(row, forms[index % len(forms)]) for index, row in enumerate(rows)]
    converter = yinzi.load(options.artifact, uses_encoder=not options.no_encoder)
    if options.mixed:
        converter = converter.with_scheme(MIXED_PINYIN)
    report = soak(converter, lines, seconds=options.minutes * 60, seed=options.seed)
    for name, times in (("wall", report.wall), ("processor", report.processor)):
        print(
            f"{name}: p50 {times.p50_ms:.1f}, p90 {times.p90_ms:.1f}, p99 {times.p99_ms:.1f}, "
            f"most {times.max_ms:.1f} ms"
        )
    print(f"first conversion, not counted above: {report.first_key_ms:.0f} ms (processor)")
    print(f"slowest input (processor): {report.slowest_input!r}; above 100 ms: {report.n_slow}")
    print(f"growth in the second half: {report.growth_mib:+.2f} MiB")
    if options.json:
        plain = {**asdict(report), "growth_mib": report.growth_mib}
        options.json.write_text(json.dumps(plain, indent=1), encoding="utf-8")
    return int(report.growth_mib > MAX_GROWTH_MIB)


if __name__ == "__main__":
    sys.exit(main())
