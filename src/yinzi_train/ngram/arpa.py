r"""Write and read models in the ARPA format, to look at them and to compare with other tools.

ARPA is text: a ``\data\`` header with the number of n-grams of each order, then one section per
order with lines of logprob, words and backoff weight, separated by tabs, in logs to base 10.
Numbers have nine digits, so that writing and reading gives the same float32 back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ArtifactError, ConfigError
from yinzi_train.ngram.counts import pack_bigrams, pack_trigrams
from yinzi_train.ngram.model import NgramModel

__all__ = ["BOS", "EOS", "read_arpa", "write_arpa"]

BOS: Final = "<s>"
"""Sentence start in ARPA files."""

EOS: Final = "</s>"
"""Sentence end in ARPA files."""

_LN10: Final = math.log(10.0)
_BLOCK: Final = 100_000


def write_arpa(model: NgramModel, path: Path, *, words: Sequence[str]) -> None:
    r"""Write a model as an ARPA file, orders in turn, n-grams in the model's order.

    Args:
        model: the model.
        path: file to write; its folder exists.
        words: word of each id, ``model.n_words`` of them, without the border marks.

    Raises:
        ConfigError: `words` does not fit the model, or a word has a blank or is a border mark.

    Example: ``write_arpa(model, Path("base.arpa"), words=["我", "你"])`` writes lines such as
    ``-0.84509804<tab>我 你<tab>-0.30103``.
    """
    if len(words) != model.n_words:
        raise ConfigError(f"{len(words)} words given; the model has {model.n_words}")
    for word_id, word in enumerate(words):
        if len(word.split()) != 1 or word.split()[0] != word or word in (BOS, EOS):
            raise ConfigError(
                f"word {word_id} is {word!r}; ARPA files separate words by blanks and keep "
                f"{BOS} and {EOS} for sentence borders: leave it out or rename it"
            )
    names = [*words, BOS, EOS]
    unigrams = np.arange(model.n_words + 2, dtype=np.int32)[:, None]  # [n_words + 2, 1]
    orders = [
        (unigrams, model.unigram_logprob, model.unigram_backoff),
        (model.bigrams, model.bigram_logprob, model.bigram_backoff),
        (model.trigrams, model.trigram_logprob, None),
    ]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\\data\\\n")
        for order, (ngrams, _, _) in enumerate(orders, start=1):
            file.write(f"ngram {order}={len(ngrams)}\n")
        for order, (ngrams, logprob, backoff) in enumerate(orders, start=1):
            file.write(f"\n\\{order}-grams:\n")
            for lo in range(0, len(ngrams), _BLOCK):
                rows = slice(lo, lo + _BLOCK)
                file.writelines(
                    _lines(
                        names,
                        ngrams[rows],
                        logprob[rows],
                        None if backoff is None else backoff[rows],
                    )
                )
        file.write("\n\\end\\\n")


def _lines(
    names: Sequence[str],
    ngrams: NDArray[np.int32],
    logprob: NDArray[np.float32],
    backoff: NDArray[np.float32] | None,
) -> Iterator[str]:
    log10 = (logprob.astype(np.float64) / _LN10).tolist()
    if backoff is None:
        for ids, value in zip(ngrams.tolist(), log10, strict=True):
            yield f"{value:.9g}\t{' '.join(names[i] for i in ids)}\n"
        return
    backoff10 = (backoff.astype(np.float64) / _LN10).tolist()
    for ids, value, weight in zip(ngrams.tolist(), log10, backoff10, strict=True):
        yield f"{value:.9g}\t{' '.join(names[i] for i in ids)}\t{weight:.9g}\n"


def read_arpa(path: Path, *, words: Sequence[str] | None = None) -> tuple[NgramModel, list[str]]:
    r"""Read an ARPA file of order 1 to 3, also one that another tool wrote.

    A word such as ``<unk>`` is a word like any other. Missing backoff weights are 1.

    Args:
        path: the file.
        words: words in the order of the wanted ids; None takes the order of the file.

    Returns:
        the model and the word of each id, without the border marks.

    Raises:
        ArtifactError: the file is not ARPA, cut off, or of an order above 3.
        ConfigError: `words` and the words of the file are not the same set.

    Example: ``model, words = read_arpa(Path("base.arpa"))``
    """
    with path.open(encoding="utf-8", newline="\n") as file:
        reader = _Reader(file, path)
        sizes = reader.sizes()
        sections = [reader.section(order, size) for order, size in enumerate(sizes, start=1)]
        reader.expect("\\end\\")
    names = [ngram[0] for ngram, _, _ in sections[0]]
    in_file = [name for name in names if name not in (BOS, EOS)]
    words = in_file if words is None else list(words)
    if len(set(words)) != len(words) or set(words) != set(in_file):
        differing = sorted(set(words) ^ set(in_file))
        raise ConfigError(
            f"{path}: its {len(in_file)} words are not the {len(words)} given; "
            f"they differ in {differing[:5]!r}; give every word of the file once"
        )
    ids = {word: word_id for word_id, word in enumerate([*words, BOS, EOS])}
    missing = {BOS, EOS} - set(names)
    if missing:
        raise ArtifactError(f"{path}: no unigram {sorted(missing)[0]!r}; expected {BOS} and {EOS}")
    unigram, bigram, trigram = (
        _arrays(section, ids, order, path)
        for order, section in enumerate([*sections, [], []][:3], start=1)
    )
    model = NgramModel(
        n_words=len(words),
        unigram_logprob=unigram[1],
        unigram_backoff=unigram[2],
        bigrams=bigram[0],
        bigram_logprob=bigram[1],
        bigram_backoff=bigram[2],
        trigrams=trigram[0],
        trigram_logprob=trigram[1],
    )
    return model, words


_Row = tuple[list[str], float, float]


class _Reader:
    """Read an ARPA file line by line; errors name the line."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._n_lines = 0

    def _next(self) -> str:
        """Return the next line that is not blank; '' at the end of the file."""
        for line in self._file:
            self._n_lines += 1
            if line.strip():
                return line.rstrip("\r\n")
        return ""

    def _fail(self, found: str, expected: str) -> ArtifactError:
        what = repr(found) if found else "the end of the file"
        return ArtifactError(f"{self._path}: line {self._n_lines} is {what}; expected {expected}")

    def expect(self, text: str) -> None:
        """Read one line that must be `text`."""
        line = self._next()
        if line.strip() != text:
            raise self._fail(line, repr(text))

    def sizes(self) -> list[int]:
        """Read the header up to the heading of the unigrams; return n-grams per order."""
        self.expect("\\data\\")
        sizes: list[int] = []
        while True:
            line = self._next()
            if sizes and line.strip() == "\\1-grams:":
                return sizes
            order, equals, size = line.removeprefix("ngram ").partition("=")
            is_next = line.startswith("ngram ") and equals and order.strip() == str(len(sizes) + 1)
            if not is_next or not size.strip().isdecimal() or len(sizes) == 3:
                raise self._fail(line, f"'ngram {len(sizes) + 1}=' and a number, up to order 3")
            sizes.append(int(size))

    def section(self, order: int, size: int) -> list[_Row]:
        """Read the n-grams of one order."""
        if order > 1:
            self.expect(f"\\{order}-grams:")
        rows: list[_Row] = []
        for _ in range(size):
            line = self._next()
            fields = line.split("\t")
            try:
                logprob, ngram = float(fields[0]), fields[1].split(" ")
                backoff = float(fields[2]) if len(fields) > 2 else 0.0
            except (IndexError, ValueError):
                ngram = []
            if len(ngram) != order or len(fields) > 3:
                raise self._fail(line, f"logprob, {order} words and backoff, separated by tabs")
            rows.append((ngram, logprob, backoff))
        return rows


def _arrays(
    rows: list[_Row], ids: dict[str, int], order: int, path: Path
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Turn rows into sorted arrays of ids, logprobs and backoff weights, natural logs."""
    try:
        ngrams = np.array([[ids[word] for word in ngram] for ngram, _, _ in rows], dtype=np.int32)
    except KeyError as error:
        raise ArtifactError(f"{path}: {error} in a {order}-gram is no unigram") from error
    ngrams = ngrams.reshape(len(rows), order)  # [n_ngrams, order]
    if order == 1:
        keys = ngrams[:, 0].astype(np.uint64)
    else:
        keys = pack_bigrams(*ngrams.T) if order == 2 else pack_trigrams(*ngrams.T)
    by_key = np.argsort(keys, kind="stable")
    if np.any(keys[by_key][1:] == keys[by_key][:-1]):
        raise ArtifactError(f"{path}: the same {order}-gram is there twice; expected each once")
    values = np.array([row[1:] for row in rows], dtype=np.float64).reshape(len(rows), 2) * _LN10
    logprob, backoff = values[by_key].astype(np.float32).T
    return ngrams[by_key], logprob.copy(), backoff.copy()
