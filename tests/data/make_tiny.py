"""Make the tiny artifact that the tests convert with, from a word list and some sentences.

Run from the root of the repository, with the extra `train` installed:

    python tests/data/make_tiny.py

The n-gram model is the plainest that has stored trigrams and backoff: interpolated absolute
discounting. Its logprobs are rounded to 1/64, so that sums of them are exact and the artifact comes
out alike on every machine.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yinzi.artifact import Manifest, Source
from yinzi.pinyin import parse_syllable, syllable_id
from yinzi_train.export import write_artifact
from yinzi_train.lexicon.readings import Reading
from yinzi_train.lexicon.tables import build_tables
from yinzi_train.ngram.model import NgramModel
from yinzi_train.ngram.tables import TableOptions, write_tables

HERE = Path(__file__).parent
DISCOUNT = 0.5
BOS, EOS = "<s>", "</s>"


def read_words() -> tuple[dict[str, list[Reading]], dict[str, float]]:
    """Return the readings and the frequency of each word of tiny_words.tsv."""
    readings: dict[str, list[Reading]] = {}
    frequencies: dict[str, float] = {}
    for line in (HERE / "tiny_words.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        word, frequency, options = line.split("\t")
        frequencies[word] = float(frequency)
        readings[word] = []
        for option in options.split("|"):
            *spelled, share = option.split()
            syllables = [parse_syllable(text) for text in spelled]
            assert len(syllables) == len(word), line
            readings[word].append(
                Reading(
                    tuple(syllable_id(syllable.toneless) for syllable in syllables),
                    tuple(syllable.tone for syllable in syllables),
                    math.log(float(share)),
                )
            )
        readings[word].sort(key=lambda reading: -reading.logprob)
    return readings, frequencies


def estimate(words: Sequence[str], frequencies: dict[str, float]) -> NgramModel:
    """Estimate a trigram model; words that the sentences lack keep a share by their frequency."""
    ids = {word: index for index, word in enumerate([*words, BOS, EOS])}
    counts: list[Counter[tuple[int, ...]]] = [Counter(), Counter(), Counter()]
    for line in (HERE / "tiny_sentences.txt").read_text(encoding="utf-8").splitlines():
        known = [ids[word] for word in line.split() if word in ids]
        sentence = [ids[BOS], *known, ids[EOS]]
        for order in (1, 2, 3):
            for first in range(len(sentence) - order + 1):
                counts[order - 1][tuple(sentence[first : first + order])] += 1
    weights = np.array([frequencies[word] / 100 for word in words] + [0.0, 0.0])
    weights += [counts[0][(index,)] for index in range(len(weights))]
    weights[ids[BOS]] = 0.0
    probs: dict[tuple[int, ...], float] = {
        (index,): float(weight / weights.sum()) for index, weight in enumerate(weights)
    }
    backoffs: dict[tuple[int, ...], float] = {}
    for order in (2, 3):
        followers: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for ngram in counts[order - 1]:
            followers[ngram[:-1]].append(ngram[-1])
        for context, after in followers.items():
            total = sum(counts[order - 1][(*context, word)] for word in after)
            backoffs[context] = DISCOUNT * len(after) / total
            for word in after:
                discounted = (counts[order - 1][(*context, word)] - DISCOUNT) / total
                lower = probs[(*context[1:], word)]
                probs[(*context, word)] = discounted + backoffs[context] * lower

    bigrams, trigrams = sorted(counts[1]), sorted(counts[2])
    n_ids = len(ids)
    return NgramModel(
        n_words=len(words),
        unigram_logprob=_logs([probs[(index,)] or 1e-9 for index in range(n_ids)]),
        unigram_backoff=_logs([backoffs.get((index,), 1.0) for index in range(n_ids)]),
        bigrams=np.array(bigrams, dtype=np.int32),
        bigram_logprob=_logs([probs[ngram] for ngram in bigrams]),
        bigram_backoff=_logs([backoffs.get(ngram, 1.0) for ngram in bigrams]),
        trigrams=np.array(trigrams, dtype=np.int32),
        trigram_logprob=_logs([probs[ngram] for ngram in trigrams]),
    )


def _logs(probs: Sequence[float]) -> NDArray[np.float32]:
    return np.array([round(64 * math.log(prob)) / 64 for prob in probs], dtype=np.float32)


def make_tiny(folder: Path) -> Manifest:
    """Write the tiny artifact into a folder and return its manifest."""
    readings, frequencies = read_words()
    tables = build_tables(readings, frequencies)
    options = TableOptions(
        sample_size=10_000, n_probes=100, unigram_logprob_bits=6, unigram_backoff_bits=4
    )
    with tempfile.TemporaryDirectory() as temporary:
        report = write_tables(estimate(tables.words, frequencies), Path(temporary), options=options)
        return write_artifact(
            folder,
            name="tiny",
            version="1",
            created="2025-01-01",
            components={"lexicon": tables.arrays, "language_model": Path(temporary)},
            parameters={"language_model": report.parameters, "decoder": {}},
            sources=[
                Source("tiny_words.tsv", "written for these tests", "Apache-2.0", 1.0, "lexicon"),
                Source(
                    "tiny_sentences.txt", "written for these tests", "Apache-2.0", 1.0, "n-grams"
                ),
            ],
        )


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "tiny"
    manifest = make_tiny(target)
    print(f"{target}: {manifest.total_bytes:,} bytes in {len(manifest.files)} files")
