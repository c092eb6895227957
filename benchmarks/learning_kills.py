"""Kill a process that learns, at random moments, and check that nothing breaks and nothing is lost.

    python -m benchmarks.learning_kills --kills 500 --seed 1

A child learns one input after another and reports each that is stored; it is killed with SIGKILL
after a random time, now and then before the file is even made. The file must then open without
being set aside, hold at least every input that was reported and at most one more, and take a
further one. Prints counts; exit status 1 if anything failed.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yinzi.user import CommittedPart, UserLexicon

__all__ = ["KillReport", "main", "run_kills"]

HANZI = "天地人和风云雨雪山水花鸟"
SYLLABLES = ("tian", "di", "ren", "he", "feng", "yun", "yu", "xue", "shan", "shui", "hua", "niao")
WORDS_A_COMMIT = 3  # two hanzi and the word that they form
KILLS_A_FILE = 25
MOST_SECONDS = 0.012


@dataclass
class KillReport:
    """What was found after all kills."""

    n_kills: int = 0
    n_stored: int = 0
    n_set_aside: int = 0
    n_lost: int = 0
    n_unreported: int = 0

    @property
    def has_failed(self) -> bool:
        """Say whether a file was damaged or an input lost."""
        return bool(self.n_set_aside or self.n_lost or self.n_unreported > self.n_kills)


def learn_once(user: UserLexicon, number: int) -> None:
    """Commit an input of two parts."""
    first, second = number % len(HANZI), (number * 7 + 3) % len(HANZI)
    user.learn(
        [
            CommittedPart(HANZI[first], (SYLLABLES[first],), False),
            CommittedPart(HANZI[second], (SYLLABLES[second],), False),
        ]
    )


def _learn_until_killed(path: Path, pipe: int) -> None:
    """Be the child: learn, and report each input."""
    user = UserLexicon(path)
    number = 0
    while True:
        learn_once(user, number)
        os.write(pipe, b".")
        number += 1


def _kill_one(path: Path, *, waits: bool, seconds: float) -> int:
    """Start a child, kill it, and return how many inputs it reported."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read_end)
            _learn_until_killed(path, write_end)
        finally:
            os._exit(1)
    os.close(write_end)
    if waits:
        select.select([read_end], [], [], 10)  # its first input
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    n_reported = 0
    while part := os.read(read_end, 65536):
        n_reported += len(part)
    os.close(read_end)
    return n_reported


def run_kills(folder: Path, *, n_kills: int, seed: int) -> KillReport:
    """Kill children that learn and check the file after each."""
    generator = random.Random(seed)
    report = KillReport()
    n_before = 0
    for number in range(n_kills):
        path = folder / f"user{number // KILLS_A_FILE}.sqlite3"
        is_new = number % KILLS_A_FILE == 0
        n_before = 0 if is_new else n_before
        n_reported = _kill_one(path, waits=not is_new, seconds=generator.random() * MOST_SECONDS)
        user = UserLexicon(path)
        changes = user.changes()
        n_found = 0 if changes is None else changes.clock // WORDS_A_COMMIT
        report.n_kills += 1
        report.n_stored += n_reported
        report.n_set_aside += user.set_aside is not None
        report.n_lost += max(n_before + n_reported - n_found, 0)
        report.n_unreported += max(n_found - n_before - n_reported, 0)
        learn_once(user, number)
        n_before = n_found + 1
        user.close()
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the kills of a command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        report = run_kills(Path(folder), n_kills=options.kills, seed=options.seed)
    print(
        f"{report.n_kills} kills, {report.n_stored} inputs reported as stored: "
        f"{report.n_lost} lost, {report.n_unreported} stored but not yet reported, "
        f"{report.n_set_aside} files damaged"
    )
    return int(report.has_failed)


if __name__ == "__main__":
    sys.exit(main())
