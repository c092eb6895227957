"""The tiny artifact and what it was made from, read without the workshop.

An entry is a word with one reading; `Entry.logprob` is rounded as the artifact stores it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

DATA = Path(__file__).resolve().parents[1] / "data"
TINY = DATA / "tiny"


class Entry(NamedTuple):
    """A word with one of its readings; syllables are toneless."""

    word: str
    syllables: tuple[str, ...]
    tones: tuple[int, ...]
    logprob: float
    is_main: bool
    frequency: float


def read_entries() -> list[Entry]:
    """Return all words of tiny_words.tsv with all their readings, the likelier reading first."""
    entries: list[Entry] = []
    for line in (DATA / "tiny_words.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        word, frequency, options = line.split("\t")
        found = []
        for option in options.split("|"):
            *spelled, share = option.split()
            found.append(
                Entry(
                    word,
                    tuple(text[:-1] for text in spelled),
                    tuple(int(text[-1]) for text in spelled),
                    float(np.float16(math.log(float(share)))),
                    is_main=False,
                    frequency=float(frequency),
                )
            )
        found.sort(key=lambda entry: -entry.logprob)
        entries += [found[0]._replace(is_main=True), *found[1:]]
    return entries
