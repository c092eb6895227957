"""Give every word its readings, the likely one first, each with its share of the word's use.

The main reading of a word comes from pypinyin (phrase data with longest match, then the common
reading of each hanzi). Further readings are those that the published tables attest. The share of a
further reading of a word is a constant; the shares of a single hanzi's readings follow from
the weights of a published table, except for a few dozen very frequent hanzi whose shares as
words of their own were set by hand in hanzi_shares.tsv.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pypinyin import Style, lazy_pinyin

from yinzi.errors import InvalidPinyin, LexiconError
from yinzi.pinyin import parse_syllable, syllable_id
from yinzi_train.lexicon.sources import HANZI_SOURCES, READING_SOURCES, read_source

__all__ = ["Reading", "ReadingTable"]

WEIGHT_SCALE = 45.0
"""Points of the weight table that change the odds by e: 了 le 920 : liao 775 is about 25 to 1."""
UNWEIGHTED_SHARE = 0.02
"""Odds of a hanzi's reading that the weight table lacks, against its main reading."""
FURTHER_SHARE = 0.1
"""Odds of an attested further reading of a longer word, against its main reading."""


@dataclass(frozen=True)
class Reading:
    """One reading of a word.

    Attributes:
        syllables: syllable ids, one a hanzi.
        tones: 1 to 5, one a hanzi.
        logprob: natural log of the reading's share among all readings of the word.
    """

    syllables: tuple[int, ...]
    tones: tuple[int, ...]
    logprob: float


class ReadingTable:
    """Readings of words and hanzi, from the published tables in one folder."""

    def __init__(self, folder: Path) -> None:
        self.n_skipped = 0
        self._phrases: dict[str, list[str]] = defaultdict(list)
        for name, reader in READING_SOURCES.items():
            for entry in read_source(folder, name, reader):
                if len(entry.word) > 1:
                    self._phrases[entry.word].append(entry.reading)
        self._hanzi = _hanzi_odds(folder)

    def readings(self, word: str) -> list[Reading]:
        """Return the readings of a word, the main one first; empty if none is known."""
        if len(word) == 1:
            odds: dict[tuple[tuple[str, int], ...], float] = {
                (key,): value for key, value in self._hanzi.get(word, {}).items()
            }
        else:
            odds = {}
            main = _parse(
                lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False),
                word,
            )
            if main is not None:
                odds[main] = 1.0
            for reading in self._phrases.get(word, ()):
                parsed = _parse(reading.split(), word)
                if parsed is None:
                    self.n_skipped += 1
                else:
                    odds.setdefault(parsed, FURTHER_SHARE if odds else 1.0)
        return _shares(odds)


def _parse(reading: Iterable[str], word: str) -> tuple[tuple[str, int], ...] | None:
    """Parse a reading; None if it is not one syllable a hanzi."""
    try:
        syllables = [parse_syllable(text) for text in reading]
    except InvalidPinyin:
        return None
    if len(syllables) != len(word):
        return None
    return tuple((syllable.toneless, syllable.tone or 5) for syllable in syllables)


def _shares(odds: dict[tuple[tuple[str, int], ...], float]) -> list[Reading]:
    """Merge readings that differ in tone only (the likelier tone stays) and normalise."""
    merged: dict[tuple[str, ...], tuple[float, tuple[int, ...]]] = {}
    for reading, value in odds.items():
        key = tuple(syllable for syllable, _ in reading)
        tones = tuple(tone for _, tone in reading)
        best, best_tones = merged.get(key, (0.0, tones))
        merged[key] = (max(best, value), tones if value > best else best_tones)
    total = sum(value for value, _ in merged.values())
    ordered = sorted(merged.items(), key=lambda item: (-item[1][0], item[0]))
    return [
        Reading(tuple(syllable_id(text) for text in key), tones, math.log(value / total))
        for key, (value, tones) in ordered
    ]


def _hanzi_odds(folder: Path) -> dict[str, dict[tuple[str, int], float]]:
    """Return for every hanzi its toned readings with odds; the main reading has 1."""
    readings: dict[str, dict[tuple[str, int], float]] = defaultdict(dict)
    weights: dict[str, dict[tuple[str, int], float]] = defaultdict(dict)
    for name, reader in HANZI_SOURCES.items():
        for entry in read_source(folder, name, reader):
            parsed = _parse([entry.reading], entry.word) if len(entry.word) == 1 else None
            if parsed is None:
                continue
            readings[entry.word].setdefault(parsed[0], UNWEIGHTED_SHARE)
            if entry.frequency:
                weights[entry.word][parsed[0]] = entry.frequency
    by_hand = _read_shares(Path(__file__).with_name("hanzi_shares.tsv"))
    for hanzi, odds in readings.items():
        main = next(iter(odds))
        odds[main] = 1.0
        if weights[hanzi]:
            top = max(weights[hanzi].values())
            for reading, weight in weights[hanzi].items():
                odds[reading] = math.exp((weight - top) / WEIGHT_SCALE)
            # The common reading stays within reach of the table's favourite.
            odds[main] = max(odds[main] if main in weights[hanzi] else 0.1, 0.1)
        for (syllable, tone), share in by_hand.get(hanzi, {}).items():
            if tone:
                odds.setdefault((syllable, tone), share)
            same = [reading for reading in odds if reading[0] == syllable]
            if not same:
                raise LexiconError(
                    f"hanzi_shares.tsv: no table reads {hanzi} as {syllable!r}; "
                    "add its tone as a fourth column if it is right"
                )
            best = max(odds[reading] for reading in same)
            for reading in same:
                odds[reading] *= share / best
    return readings


def _read_shares(path: Path) -> dict[str, dict[tuple[str, int], float]]:
    """Read hanzi, syllable, share and, for a reading that no table has, its tone."""
    shares: dict[str, dict[tuple[str, int], float]] = defaultdict(dict)
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            hanzi, syllable, share, *tone = line.split("\t")
            shares[hanzi][syllable, int(tone[0]) if tone else 0] = float(share)
    return shares
