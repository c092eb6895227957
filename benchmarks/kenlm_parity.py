"""Compare our Kneser-Ney estimates with those of KenLM's lmplz on the same text.

    benchmarks/build_lmplz.sh /tmp/kenlm
    python benchmarks/kenlm_parity.py --lmplz /tmp/kenlm/build/bin/lmplz --text FILE --lines 5000

Every line is cut at blanks, every piece into single characters. Two things are made alike:

- KenLM has a word <unk> and shares the unigrams' free mass with it. Our vocabulary is closed, so
  it gets one more word that the text does not show.
- When lmplz reaches its very last unigram and bigram it counts them by plain instead of
  continuation count for the discounts. A line of one new character put at the end makes both
  counts 1.

Both models are float32, and lmplz also computes in float32 and prints seven digits or so: a
logprob between -4 and -8 has steps of 2.4e-7 or 4.8e-7, so differences of that size in log10 are
rounding. On 5,647 pieces of dialogue with 2,184 characters the greatest was 4.2e-7.
"""

from __future__ import annotations

import argparse
import itertools
import json
import lzma
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from yinzi_train.ngram.arpa import read_arpa
from yinzi_train.ngram.counts import NgramCounts, pack_bigrams, pack_trigrams
from yinzi_train.ngram.kneser_ney import KneserNeyOptions, estimate
from yinzi_train.ngram.model import NgramModel

UNKNOWN = "<unk>"
LAST_CHARACTER = "\ue000"  # private use: in no text


def main() -> int:
    """Run lmplz, estimate, compare; exit code 1 if a difference exceeds the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lmplz", required=True, help="program from build_lmplz.sh")
    parser.add_argument("--text", type=Path, required=True, help="UTF-8 text, plain or .xz")
    parser.add_argument("--lines", type=int, default=5000)
    parser.add_argument("--min-count", default="1,1,1", help="as KneserNeyOptions.min_count")
    parser.add_argument("--tolerance", type=float, default=1e-6, help="of log10 probabilities")
    arguments = parser.parse_args()
    first, second, third = (int(count) for count in arguments.min_count.split(","))
    min_count = (first, second, third)
    sentences = read_sentences(arguments.text, arguments.lines)
    with tempfile.TemporaryDirectory() as folder:
        arpa_path = Path(folder, "kenlm.arpa")
        run_lmplz(arguments.lmplz, sentences, arpa_path, min_count)
        words = [UNKNOWN, *sorted({character for line in sentences for character in line})]
        theirs, _ = read_arpa(arpa_path, words=words)
    ours = estimate(count(sentences, words), options=KneserNeyOptions(min_count=min_count))
    differences = compare(ours, theirs)
    report = {"sentences": len(sentences), "words": len(words), "min_count": min_count}
    print(json.dumps(report | differences, indent=2))
    return int(not all(value < arguments.tolerance for value in differences.values()))


def read_sentences(path: Path, n_lines: int) -> list[str]:
    """Read the first lines, cut at blanks, and add the last character's own line."""
    opened = lzma.open if path.suffix == ".xz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        pieces = [piece for line in itertools.islice(file, n_lines) for piece in line.split()]
    return [*pieces, LAST_CHARACTER]


def run_lmplz(
    program: str, sentences: list[str], arpa_path: Path, min_count: tuple[int, int, int]
) -> None:
    """Estimate a trigram model with lmplz; it drops counts of at most its --prune numbers."""
    command = [program, "-o", "3", "-S", "500M", "-T", str(arpa_path.parent)]
    command += ["--prune", *(str(count - 1) for count in min_count)]
    text = "\n".join(" ".join(sentence) for sentence in sentences) + "\n"
    with arpa_path.open("wb") as out:
        subprocess.run(command, input=text.encode(), stdout=out, stderr=subprocess.PIPE, check=True)


def count(sentences: list[str], words: list[str]) -> NgramCounts:
    """Count with weight 1, in memory."""
    ids = {word: word_id for word_id, word in enumerate(words)}
    bos_id, eos_id = len(words), len(words) + 1
    rows = [[bos_id, *(ids[character] for character in line), eos_id] for line in sentences]
    flat = np.concatenate([np.array(row, dtype=np.int64) for row in rows])
    is_pair = flat[:-1] != eos_id
    is_triple = is_pair[:-1] & is_pair[1:]
    pairs = pack_bigrams(flat[:-1], flat[1:])[is_pair]
    triples = pack_trigrams(flat[:-2], flat[1:-1], flat[2:])[is_triple]
    unigram_count = np.bincount(flat, minlength=len(words) + 2)
    bigram_keys, bigram_count = np.unique(pairs, return_counts=True)
    trigram_keys, trigram_count = np.unique(triples, return_counts=True)
    return NgramCounts(
        n_words=len(words),
        unigram_count=unigram_count.astype(np.uint32),
        unigram_weighted=unigram_count.astype(np.float64),
        bigram_keys=bigram_keys,
        bigram_count=bigram_count.astype(np.uint32),
        bigram_weighted=bigram_count.astype(np.float64),
        trigram_keys=trigram_keys,
        trigram_count=trigram_count.astype(np.uint32),
        trigram_weighted=trigram_count.astype(np.float64),
    )


def compare(ours: NgramModel, theirs: NgramModel) -> dict[str, float]:
    """Return the greatest absolute differences in log10; n-grams must be the same."""
    for order in ("bigrams", "trigrams"):
        if not np.array_equal(getattr(ours, order), getattr(theirs, order)):
            sys.exit(
                f"{order} differ: {len(getattr(ours, order))} and {len(getattr(theirs, order))}"
            )
    predicted = np.arange(ours.n_words + 2) != ours.bos_id
    arrays = {
        "unigram_logprob": predicted,
        "unigram_backoff": slice(None),
        "bigram_logprob": slice(None),
        "bigram_backoff": slice(None),
        "trigram_logprob": slice(None),
    }
    differences = {}
    for name, rows in arrays.items():
        mine, other = (getattr(model, name)[rows].astype(float) for model in (ours, theirs))
        differences[f"max_log10_difference_{name}"] = float(np.abs(mine - other).max() / np.log(10))
        differences[f"mean_log10_difference_{name}"] = float(
            np.abs(mine - other).mean() / np.log(10)
        )
    return differences


if __name__ == "__main__":
    sys.exit(main())
