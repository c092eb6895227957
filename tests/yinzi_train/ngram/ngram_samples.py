"""Tiny corpora and their counts, for the tests of estimation, pruning and ARPA files."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from hypothesis import strategies as st

from yinzi_train.ngram.counts import NgramCounts, pack_bigrams, pack_trigrams

Sentences = list  # of (word ids, weight); word id None is outside the vocabulary


def count(sentences: Sentences, n_words: int) -> NgramCounts:
    """Count the n-grams of known words."""
    tables: list[Counter] = [Counter(), Counter(), Counter()]
    weights: list[dict] = [defaultdict(float) for _ in range(3)]
    for words, weight in sentences:
        marked = [n_words, *words, n_words + 1]
        for order in (1, 2, 3):
            for start in range(len(marked) - order + 1):
                ngram = tuple(marked[start : start + order])
                if None not in ngram:
                    tables[order - 1][ngram] += 1
                    weights[order - 1][ngram] += weight
    unigrams = [(word,) for word in range(n_words + 2)]
    rows = [unigrams, sorted(tables[1]), sorted(tables[2])]
    counts = [
        np.array([table[g] for g in r], np.uint32) for table, r in zip(tables, rows, strict=True)
    ]
    weighted = [
        np.array([table[g] for g in r], np.float64) for table, r in zip(weights, rows, strict=True)
    ]
    bigrams = np.array(rows[1], dtype=np.int64).reshape(-1, 2)
    trigrams = np.array(rows[2], dtype=np.int64).reshape(-1, 3)
    return NgramCounts(
        n_words=n_words,
        unigram_count=counts[0],
        unigram_weighted=weighted[0],
        bigram_keys=pack_bigrams(*bigrams.T),
        bigram_count=counts[1],
        bigram_weighted=weighted[1],
        trigram_keys=pack_trigrams(*trigrams.T),
        trigram_count=counts[2],
        trigram_weighted=weighted[2],
    )


def zipf_sentences(
    *, n_sentences: int, n_words: int, seed: int = 0, weights: tuple[float, ...] = (1.0,)
) -> Sentences:
    """Draw sentences of which short words repeat and long tails occur; ids 0 to n_words - 2."""
    random = np.random.default_rng(seed)
    sentences = []
    for _ in range(n_sentences):
        length = int(random.integers(1, 9))
        words = np.minimum(random.zipf(1.5, size=length) - 1, n_words - 2)
        words = words + (np.arange(length) % 2) * (words < n_words // 2)
        sentences.append((np.minimum(words, n_words - 2).tolist(), float(random.choice(weights))))
    return sentences


def corpora(*, n_words: int = 4, with_unknown: bool = True) -> st.SearchStrategy[Sentences]:
    """Up to a dozen sentences of up to six of `n_words` words, with weights."""
    known = st.integers(0, n_words - 1)
    word = st.one_of(known, known, known, st.none()) if with_unknown else known
    sentence = st.tuples(
        st.lists(word, min_size=1, max_size=6), st.sampled_from([1.0, 1.0, 0.25, 3.0])
    )
    first = st.tuples(st.lists(known, min_size=1, max_size=6), st.just(1.0))  # has a trigram
    return st.tuples(first, st.lists(sentence, max_size=12)).map(lambda pair: [pair[0], *pair[1]])
