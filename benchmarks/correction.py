"""Measure how many wrong homophones are found, and how often correct text is changed.

    python -m benchmarks.correction SET.tsv… --limit 200 --change-logprob -6 --change-logprob -8

In every row one hanzi is replaced by another of the same syllable, drawn by how frequent it is: the
errors that input methods leave. Rows are taken as they are for false alarms. The errors are made,
not collected: people's errors are more often between likely words, and harder.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import yinzi
from benchmarks.machine import machine_facts
from yinzi.converter import Converter
from yinzi.converter.correction import CHANGE_LOGPROB
from yinzi.evaluation.rows import read_rows
from yinzi.pinyin import SYLLABLES
from yinzi.text import miu_spans

__all__ = ["Counts", "damage", "main", "measure"]

_AMBIGUOUS = frozenset("他她它")


@dataclass
class Counts:
    """What happened to the rows of one set."""

    rows: int = 0
    detected: int = 0
    corrected: int = 0
    other_changes: int = 0
    false_alarms: int = 0

    def to_dict(self) -> dict[str, float]:
        """Return shares of the rows."""
        n_rows = max(1, self.rows)
        return {
            "rows": self.rows,
            "detection_rate": round(self.detected / n_rows, 4),
            "correction_rate": round(self.corrected / n_rows, 4),
            "other_change_rate": round(self.other_changes / n_rows, 4),
            "false_alarm_rate": round(self.false_alarms / n_rows, 4),
        }


class Homophones:
    """The hanzi of each toneless syllable with their frequencies."""

    def __init__(self, converter: Converter) -> None:
        lexicon = converter.decoder.lexicon
        unigrams = converter.decoder.language_model.unigram_logprobs
        self._of: dict[str, dict[str, float]] = {}
        for word in range(lexicon.n_words):
            if lexicon.lengths(np.array([word]))[0] != 1:
                break
            for syllable, _ in lexicon.main_reading(word):
                known = self._of.setdefault(SYLLABLES[syllable], {})
                known[lexicon.text(word)] = float(np.exp(unigrams[word]))

    def others(self, syllable: str, hanzi: str) -> dict[str, float]:
        """Return the hanzi of a syllable but one."""
        found = dict(self._of.get(syllable, {}))
        found.pop(hanzi, None)
        return found


def damage(
    converter: Converter, homophones: Homophones, text: str, random_source: random.Random
) -> tuple[str, int] | None:
    """Return the text with one hanzi replaced, and where; None where none can be."""
    places = list(enumerate(converter.annotate(text)))
    random_source.shuffle(places)
    for position, (char, syllable) in places:
        if syllable is None or char in _AMBIGUOUS:
            continue
        spelled = syllable.to_digits().rstrip("012345").replace("ü", "v")
        others = {
            other: weight
            for other, weight in homophones.others(spelled, char).items()
            if other not in _AMBIGUOUS
        }
        if others:
            wrong = random_source.choices(list(others), list(others.values()))[0]
            return text[:position] + wrong + text[position + 1 :], position
    return None


def measure(
    converter: Converter,
    texts: Sequence[str],
    damaged: Sequence[tuple[str, int]],
    *,
    change_logprob: float,
) -> Counts:
    """Count over texts and their damaged versions."""
    counts = Counts()
    for text, (wrong, position) in zip(texts, damaged, strict=True):
        counts.rows += 1
        found = converter.correct(wrong, change_logprob=change_logprob)
        counts.detected += found.text[position] != wrong[position]
        counts.corrected += found.text[position] == text[position]
        counts.other_changes += any(
            before != after
            for place, (before, after) in enumerate(zip(wrong, found.text, strict=True))
            if place != position
        )
        counts.false_alarms += converter.correct(text, change_logprob=change_logprob).text != text
    return counts


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.correction", description=__doc__)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=200, help="rows of each set")
    parser.add_argument("--change-logprob", type=float, action="append", default=None)
    parser.add_argument("--artifact", default="base")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shows", action="store_true", help="print false alarms")
    arguments = parser.parse_args(argv)
    converter = yinzi.load(arguments.artifact)
    homophones = Homophones(converter)
    results: dict[str, object] = {"machine": machine_facts(core=None)}
    for path in arguments.sets:
        random_source = random.Random(arguments.seed)
        pairs = []
        for row in read_rows(path)[: arguments.limit]:
            if not miu_spans(row.hanzi):
                continue
            made = damage(converter, homophones, row.hanzi, random_source)
            if made is not None:
                pairs.append((row.hanzi, made))
        texts = [text for text, _ in pairs]
        for cost in arguments.change_logprob or [CHANGE_LOGPROB]:
            started = time.perf_counter()
            counts = measure(converter, texts, [made for _, made in pairs], change_logprob=cost)
            row_result = counts.to_dict()
            row_result["ms_a_text"] = round(
                (time.perf_counter() - started) * 500 / max(1, counts.rows), 2
            )
            results[f"{path.stem} {cost:g}"] = row_result
            print(path.stem, cost, json.dumps(row_result), file=sys.stderr, flush=True)
        if arguments.shows:
            for text in texts:
                found = converter.correct(text)
                for change in found.changes:
                    print(text, change, file=sys.stderr)
    print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
