"""Readable slow twin of estimation and pruning: dictionaries and formulas, one n-gram at a time.

A sentence is a list of word ids; None is a word outside the vocabulary. It is written from the
formulas of Chen and Goodman 1998 and Stolcke 1998, and shares no code with the package.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

Ngram = tuple  # of word ids; None only in first position


def discounts_of(counts: list[int], fallback: tuple[float, float, float]) -> list[float]:
    n = Counter(counts)
    if n[1] == 0 or n[2] == 0 or n[3] == 0:
        return [0.0, *fallback]
    y = n[1] / (n[1] + 2 * n[2])
    result = [0.0] + [j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3)]
    if any(not 1e-6 <= result[j] <= j for j in (1, 2, 3)):  # 0 would leave no mass
        return [0.0, *fallback]
    return result


@dataclass
class NaiveKneserNey:
    """p(word | context) by recursion over the orders."""

    sentences: list[tuple[list[int | None], float]]  # words and weight of each sentence
    n_words: int
    min_count: tuple[int, int, int] = (1, 1, 1)
    fallback: tuple[float, float, float] = (0.5, 1.0, 1.5)
    floor: list[float] | None = None
    raw: Counter = field(default_factory=Counter)
    raw_weighted: dict = field(default_factory=lambda: defaultdict(float))

    def __post_init__(self) -> None:
        self.bos, self.eos = self.n_words, self.n_words + 1
        for words, weight in self.sentences:
            marked = [self.bos, *words, self.eos]
            for end in range(2, len(marked) + 1):
                for order in (1, 2, 3):
                    ngram = tuple(marked[end - order : end]) if end >= order else ()
                    if ngram and None not in ngram[1:]:
                        self.raw[ngram] += 1
                        self.raw_weighted[ngram] += weight
        self.adjusted = {order: self._adjust(order) for order in (3, 2, 1)}
        self.discounts = {
            order: discounts_of([c for c, _ in table.values()], self.fallback)
            for order, table in self.adjusted.items()
        }
        self.stored = self._store()
        self.by_context = {order: defaultdict(list) for order in (1, 2, 3)}
        for order, table in self.adjusted.items():
            for ngram in table:
                self.by_context[order][ngram[:-1]].append(ngram)

    def _adjust(self, order: int) -> dict[Ngram, tuple[int, float]]:
        """Count and weighted count of each n-gram of known words."""
        ngrams = [g for g in self.raw if len(g) == order and g[0] is not None and g != (self.bos,)]
        if order == 3:
            return {g: (self.raw[g], self.raw_weighted[g]) for g in ngrams}
        mean_weights = defaultdict(dict)  # suffix -> left word -> mean weight
        for longer in self.raw:
            if len(longer) == order + 1:
                if longer[0] is not None and order == 1:
                    count, weighted = self.adjusted_bigram(longer)
                else:
                    count, weighted = self.raw[longer], self.raw_weighted[longer]
                mean_weights[longer[1:]][longer[0]] = weighted / count
        return {
            g: (self.raw[g], self.raw_weighted[g])
            if g[0] == self.bos
            else (len(mean_weights[g]), sum(mean_weights[g].values()))
            for g in ngrams
        }

    def adjusted_bigram(self, bigram: Ngram) -> tuple[int, float]:
        if not hasattr(self, "_bigrams"):
            self._bigrams = self._adjust(2)
        return self._bigrams[bigram]

    def _store(self) -> set[Ngram]:
        stored = set()
        for order in (3, 2, 1):
            for ngram in self.adjusted[order]:
                if self.raw[ngram] >= self.min_count[order - 1] or ngram == (self.eos,):
                    stored.add(ngram)
                if ngram in stored and order == 3:
                    stored |= {ngram[:2], ngram[1:]}
        return stored

    def discounted(self, ngram: Ngram) -> float:
        if ngram not in self.stored:
            return 0.0
        count, weighted = self.adjusted[len(ngram)][ngram]
        return weighted * (count - self.discounts[len(ngram)][min(count, 3)]) / count

    def probability(self, ngram: Ngram) -> float:
        """p(last word | words before); no words before and none left over: the base."""
        order, context = len(ngram), ngram[:-1]
        if order == 0:
            raise ValueError("no word")
        same_context = self.by_context[order][context]
        total = sum(self.adjusted[order][g][1] for g in same_context)
        lower = self.probability(ngram[1:]) if order > 1 else self.base(ngram[0])
        if total == 0:
            return lower
        own = self.discounted(ngram)
        gamma = 1 - sum(self.discounted(g) for g in same_context) / total
        return own / total + gamma * lower

    def base(self, word: int) -> float:
        if self.floor is None or word == self.eos:
            return 1 / (self.n_words + 1)
        return self.floor[word] / sum(self.floor) * self.n_words / (self.n_words + 1)


@dataclass
class NaiveBackoff:
    """A backoff model as dictionaries of logprobs and backoff logs; ids as in the package."""

    n_words: int
    logprob: dict[Ngram, float]
    backoff: dict[Ngram, float]

    @classmethod
    def of(cls, model) -> NaiveBackoff:
        """Read the arrays of an `NgramModel`."""
        logprob = {(w,): float(p) for w, p in enumerate(model.unigram_logprob)}
        backoff = {(w,): float(b) for w, b in enumerate(model.unigram_backoff)}
        for rows, values in (
            (model.bigrams, model.bigram_logprob),
            (model.trigrams, model.trigram_logprob),
        ):
            logprob |= {tuple(r): float(p) for r, p in zip(rows.tolist(), values, strict=True)}
        for row, value in zip(model.bigrams.tolist(), model.bigram_backoff, strict=True):
            backoff[tuple(row)] = float(value)
        return cls(model.n_words, logprob, backoff)

    @property
    def predicted(self) -> list[int]:
        """All words and the sentence end."""
        return [*range(self.n_words), self.n_words + 1]

    def probability(self, ngram: Ngram) -> float:
        if ngram in self.logprob:
            return math.exp(self.logprob[ngram])
        return math.exp(self.backoff.get(ngram[:-1], 0.0)) * self.probability(ngram[1:])

    def contexts(self) -> Iterator[Ngram]:
        """Yield every context of length 0 to 2 that can come before a word."""
        starts = [*range(self.n_words), self.n_words]
        yield ()
        for first in starts:
            yield (first,)
            for second in range(self.n_words):
                yield (first, second)

    def without(self, ngram: Ngram) -> NaiveBackoff:
        """Drop one n-gram and set its context's backoff weight so that the sum is 1."""
        logprob = {g: p for g, p in self.logprob.items() if g != ngram}
        context = ngram[:-1]
        kept = [g for g in logprob if g[:-1] == context and len(g) == len(ngram)]
        shorter = NaiveBackoff(self.n_words, logprob, self.backoff)
        mass = 1 - sum(math.exp(logprob[g]) for g in kept)
        lower_mass = 1 - sum(shorter.probability(g[1:]) for g in kept)
        return NaiveBackoff(
            self.n_words, logprob, self.backoff | {context: math.log(mass / lower_mass)}
        )

    def loss(self, ngram: Ngram, history: float) -> float:
        """Relative entropy over all words after the n-gram's context, times its probability."""
        pruned, context = self.without(ngram), ngram[:-1]
        total = 0.0
        for word in self.predicted:
            p = self.probability((*context, word))
            total += p * math.log(p / pruned.probability((*context, word)))
        return history * total
