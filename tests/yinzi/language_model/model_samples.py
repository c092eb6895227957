"""A small backoff model, and vectors of its words, for the tests of the runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinzi.artifact import Artifact
from yinzi.language_model import AffinityWeights, LanguageModel
from yinzi.language_model.word_vectors import N_CENTROIDS, ROLES
from yinzi_train.ngram.model import NgramModel
from yinzi_train.ngram.tables import TableBits, TableOptions, write_tables

N_WORDS = 40
BOS, EOS = N_WORDS, N_WORDS + 1
EXACT = TableOptions(  # as many levels as values, and next to no false finds
    bigram=TableBits(8, 16),
    trigram=TableBits(8, 16),
    context=TableBits(8, 16),
    unigram_backoff_bits=8,
    n_probes=1000,
)

AFFINITY = AffinityWeights(
    stored_affinity=0.7,
    new_affinity=1.9,
    new_pair=-0.4,
    unknown_pair=-0.9,
    stored_skip_affinity=0.3,
    new_skip_affinity=1.1,
)


def random_model(n_words: int = N_WORDS) -> NgramModel:
    """Return a model with words that start no bigram, words that end none, contexts of weight 0."""
    rng = np.random.default_rng(3)
    first = rng.choice([*range(20), n_words], 600)
    second = rng.choice([*range(10, 35), n_words + 1], 600)
    bigrams = np.unique(np.stack([first, second], axis=1), axis=0).astype(np.int32)
    bigrams = bigrams[rng.random(len(bigrams)) < 0.5]
    stored = {tuple(bigram) for bigram in bigrams.tolist()}
    chains = [(a, b, c) for a, b in stored for b2, c in stored if b == b2]
    trigrams = np.array(sorted(chains), dtype=np.int32)
    trigrams = trigrams[rng.permutation(len(trigrams))[:200]]
    trigrams = trigrams[np.lexsort(trigrams.T[::-1])]
    contexts = {tuple(trigram[:2]) for trigram in trigrams.tolist()}
    is_context = np.array([tuple(bigram) in contexts for bigram in bigrams.tolist()])
    bigram_backoff = np.where(is_context, -rng.random(len(bigrams)), 0).astype(np.float32)
    bigram_backoff[np.flatnonzero(is_context)[:3]] = 0
    unigram_backoff = np.zeros(n_words + 2, dtype=np.float32)
    starts = np.unique(bigrams[:, 0])
    unigram_backoff[starts] = -rng.random(starts.size)
    unigram_backoff[starts[0]] = 0
    return NgramModel(
        n_words=n_words,
        unigram_logprob=(-2 - 5 * rng.random(n_words + 2)).astype(np.float32),
        unigram_backoff=unigram_backoff,
        bigrams=bigrams,
        bigram_logprob=(-1 - 5 * rng.random(len(bigrams))).astype(np.float32),
        bigram_backoff=bigram_backoff,
        trigrams=trigrams,
        trigram_logprob=(-4 * rng.random(len(trigrams))).astype(np.float32),
    )


def store(model: NgramModel, folder: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Write a model; return its arrays, as memory maps, and its parameters."""
    report = write_tables(model, folder, options=EXACT)
    arrays = {
        path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in folder.iterdir()
    }
    return arrays, report.parameters


def random_vectors(
    n_ids: int, *, share: float = 0.7, n_parts: int = 3, part_size: int = 2, seed: int = 0
) -> dict[str, NDArray[Any]]:
    """Return the arrays of vectors of some words; sentence start and end have one each."""
    rng = np.random.default_rng(seed)
    has_vector = rng.random(n_ids) < share
    has_vector[-2:] = True
    n_vectors = int(has_vector.sum())
    arrays: dict[str, NDArray[Any]] = {
        "vector_words": np.packbits(has_vector, bitorder="little"),
    }
    for role in ROLES:
        codes = rng.integers(0, N_CENTROIDS, (n_vectors, n_parts), dtype=np.uint8)
        centroids = rng.normal(size=(n_parts, N_CENTROIDS, part_size)) / np.sqrt(n_parts)
        arrays[f"vector_{role}_codes"] = codes
        arrays[f"vector_{role}_centroids"] = centroids.astype(np.float16)
    return arrays


def model_with_vectors(artifact: Artifact, vectors: dict[str, NDArray[Any]]) -> LanguageModel:
    """Return the language model of an artifact with vectors of its words."""
    arrays = {**artifact.arrays("language_model"), **vectors}
    return LanguageModel(arrays, artifact.parameters("language_model"))
