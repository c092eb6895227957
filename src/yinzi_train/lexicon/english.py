"""Make the list of English words that the runtime knows: `python -m yinzi_train.lexicon.english`.

What people write between hanzi is brands, abbreviations and some nouns, in other shares than in
English text. So frequencies come from Latin words next to hanzi in the corpora; a published list of
English fills up what is rare there. A word that one source repeats counts less than one that many
sources have: its count is the square root of occurrences times sources.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import lzma
import math
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["WordCounts", "count_words", "main", "read_english", "word_logprobs"]

_WORD = re.compile(r"[A-Za-z]{2,}")
_HANZI = re.compile(r"[\u4e00-\u9fff]")
_GLUE: Final = frozenset(".@/-_:#&+*=<>$%~0123456789")
"""Next to one of these, letters are part of an address, a number or code."""
_OFFENSIVE: Final = re.compile(
    r"fuck|shit|bitch|cunt|nigg|fagg?|faggot|porn|rape|rapist|whore|slut|dick|cock|pussy|penis|"
    r"vagina|bastard|asshole|anal|anus|nude|naked|nazi|hitler|retard|tits?|boobs?|sexy?|sexual\w*|"
    r"cum|jizz|dildo|orgasm|wank|twat|kike|chink|gook|tranny|dyke|negro|homo|sb|nmb|tmd|nmsl|cnm|"
    r"wtf|jb|av|tm|mmp|nc|hentai|xxx|milf|bdsm|erotic\w*|masturbat\w*"
)
_HELD_OUT: Final = 25
"""One line in so many is left for evaluation."""


@dataclass(frozen=True)
class WordCounts:
    """How often a Latin word stands next to hanzi: in all, in open sources, and in how many."""

    n_all: int
    n_open: int
    n_sources: int


def count_words(sources: Iterable[tuple[Iterable[str], bool]]) -> dict[str, WordCounts]:
    """Count the Latin words next to hanzi, in lower case, over sources of lines.

    Args:
        sources: lines of each, and whether its licence is open.
    """
    totals: Counter[str] = Counter()
    open_totals: Counter[str] = Counter()
    n_sources: Counter[str] = Counter()
    for lines, is_open in sources:
        found: Counter[str] = Counter()
        for line in lines:
            if _WORD.search(line) and zlib.crc32(line.encode()) % _HELD_OUT:
                found.update(_words_of(line))
        totals.update(found)
        n_sources.update(found.keys())
        if is_open:
            open_totals.update(found)
    return {w: WordCounts(n, open_totals[w], n_sources[w]) for w, n in totals.items()}


def _words_of(line: str) -> list[str]:
    words = []
    for match in _WORD.finditer(line):
        before, after = line[: match.start()], line[match.end() :]
        if before[-1:] in _GLUE or after[:1] in _GLUE - {".", "%", "-"}:
            continue
        neighbours = before.rstrip(" ")[-1:] + after.lstrip(" ")[:1]
        if _HANZI.search(neighbours):
            words.append(match.group().lower())
    return words


def _read_lines(path: Path) -> Iterator[str]:
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        yield from lines


def read_english(wheel: Path) -> dict[str, float]:
    """Return the probabilities of English words from a wheel of wordfreq (data CC BY-SA 4.0)."""
    import msgpack

    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read("wordfreq/data/large_en.msgpack.gz")
    buckets = msgpack.unpackb(gzip.decompress(packed), raw=False)[1:]
    return {
        word: 10 ** (-centibels / 100) for centibels, words in enumerate(buckets) for word in words
    }


def word_logprobs(
    counts: Mapping[str, WordCounts],
    english: Mapping[str, float],
    *,
    n_words: int = 16_000,
    english_share: float = 0.15,
) -> dict[str, float]:
    """Return the likeliest words with natural logarithms of their shares.

    A word needs 3 occurrences in open sources and 2 sources, or a place in the English list if it
    has 4 letters. One of two letters needs more, as any two letters can be initials.
    """
    weights: dict[str, float] = {}
    for word, count in counts.items():
        weight = math.sqrt(count.n_all * count.n_sources)
        if count.n_open < 3 or count.n_sources < 2 or (len(word) == 2 and weight < 60):
            continue
        weights[word] = weight
    total = sum(weights.values())
    shares = {word: (1 - english_share) * weight / total for word, weight in weights.items()}
    for word, share in english.items():
        is_plain = word.isascii() and word.isalpha()
        if is_plain and (word in shares or len(word) >= 4):
            shares[word] = shares.get(word, 0.0) + english_share * share
    kept = [word for word in shares if _is_fit(word)]
    kept = sorted(kept, key=lambda word: (-shares[word], word))[:n_words]
    return {word: math.log(shares[word]) for word in sorted(kept)}


def _is_fit(word: str) -> bool:
    is_repeated = len(set(word)) == 1 and word != "qq"
    return 2 <= len(word) <= 16 and not is_repeated and not _is_offensive(word)


def _is_offensive(word: str) -> bool:
    stems = (word, word.removesuffix("s"), word.removesuffix("ing"), word.removesuffix("ed"))
    return any(_OFFENSIVE.fullmatch(stem) for stem in stems) or any(
        part in word for part in ("fuck", "shit", "nigg", "porn", "whore", "bitch", "cunt")
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the list from a folder of corpora and a wheel of wordfreq."""
    parser = argparse.ArgumentParser(prog="python -m yinzi_train.lexicon.english")
    parser.add_argument("corpora", type=Path, help="folder with MANIFEST.tsv and *.txt.xz")
    parser.add_argument("wordfreq", type=Path, help="wheel of wordfreq")
    parser.add_argument("target", type=Path, help="file to write")
    options = parser.parse_args(arguments)
    with (options.corpora / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    sources = (
        (_read_lines(options.corpora / row["file"]), "[open]" in row["licence"]) for row in table
    )
    words = word_logprobs(count_words(sources), read_english(options.wordfreq))
    lines = (f"{word}\t{logprob:.2f}\n" for word, logprob in words.items())
    options.target.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
