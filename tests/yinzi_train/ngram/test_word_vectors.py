from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.yinzi_train.ngram.ngram_samples import Sentences, count
from yinzi.errors import ConfigError
from yinzi.language_model import PAIR_FEATURES, Contexts, StoredNgrams, WordVectors
from yinzi.language_model.word_vectors import ROLES
from yinzi_train.ngram.counts import NgramCounts
from yinzi_train.ngram.word_vectors import VectorOptions, VectorReport, write_vectors

N_GROUPS, N_EACH = 4, 35
N_WORDS = 3 * N_GROUPS * N_EACH
OPTIONS = VectorOptions(n_words=N_WORDS + 2, n_dimensions=8, part_size=2)


def words_of(group: int, place: int) -> NDArray[np.int64]:
    """Return the words that stand at one of three places of a group's sentences."""
    return N_EACH * (3 * group + place) + np.arange(N_EACH)


def grouped_sentences() -> Sentences:
    """Sentences of three words of one group each; most of the possible ones never come."""
    rng = np.random.default_rng(0)
    return [
        ([int(rng.choice(words_of(group, place))) for place in range(3)], 1.0)
        for group in range(N_GROUPS)
        for _ in range(400)
    ]


@pytest.fixture(scope="module")
def sentences() -> Sentences:
    return grouped_sentences()


@pytest.fixture(scope="module")
def counts(sentences: Sentences) -> NgramCounts:
    return count(sentences, N_WORDS)


@pytest.fixture(scope="module")
def written(
    counts: NgramCounts, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, VectorReport]:
    folder = tmp_path_factory.mktemp("vectors")
    return folder, write_vectors(counts, folder, options=OPTIONS)


def arrays_of(folder: Path) -> dict[str, NDArray[Any]]:
    return {path.stem: np.load(path) for path in folder.iterdir()}


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def vector_words(folder: Path) -> list[int]:
    packed = np.load(folder / "vector_words.npy")
    return np.flatnonzero(np.unpackbits(packed, bitorder="little")).tolist()


def affinities(
    vectors: WordVectors, before: NDArray[np.int64], words: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the affinity of words with each word before, right before them and two before."""
    rows = vectors.rows(before)[:, None]
    contexts = replace(Contexts.empty(rows.shape), last_rows=rows, skip_rows=rows)
    found = StoredNgrams.none(rows.shape)
    features = vectors.features(contexts, words, np.arange(len(words)), found)[:, 0]
    return tuple(
        features[:, PAIR_FEATURES.index(name)] for name in ("new_affinity", "new_skip_affinity")
    )


@pytest.mark.parametrize(
    ("places", "distance"), [((0, 1), 1), ((1, 2), 1), ((0, 2), 2)], ids=["0 1", "1 2", "0 2"]
)
def test_words_like_those_of_counted_pairs_go_together(
    sentences: Sentences,
    written: tuple[Path, VectorReport],
    places: tuple[int, int],
    distance: int,
) -> None:
    vectors = WordVectors(arrays_of(written[0]), n_ids=N_WORDS + 2)
    seen = {
        (words[at], words[at + distance]) for words, _ in sentences for at in range(3 - distance)
    }
    found = {}
    for groups in product(range(N_GROUPS), repeat=2):
        first, second = (words_of(*one) for one in zip(groups, places, strict=True))
        pairs = np.array([pair for pair in product(first, second) if pair not in seen])
        assert len(pairs) > N_EACH**2 / 2
        found[groups] = affinities(vectors, *pairs.T)[distance - 1]
    within = np.concatenate([found[group, group] for group in range(N_GROUPS)])
    across = np.concatenate([value for (one, other), value in found.items() if one != other])
    assert np.quantile(within, 0.05) > np.quantile(across, 0.95) + 0.5


def test_same_seed_gives_the_same_bytes(
    counts: NgramCounts, written: tuple[Path, VectorReport], tmp_path: Path
) -> None:
    assert write_vectors(counts, tmp_path, options=OPTIONS) == written[1]
    assert bytes_of(tmp_path) == bytes_of(written[0])
    write_vectors(counts, tmp_path, options=replace(OPTIONS, seed=2))
    assert bytes_of(tmp_path) != bytes_of(written[0])


def test_report_counts_what_was_written(
    sentences: Sentences, written: tuple[Path, VectorReport]
) -> None:
    folder, report = written
    assert report.n_bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert report.n_vectors == len(vector_words(folder)) == N_WORDS + 2
    assert sorted(path.stem for path in folder.iterdir()) == sorted(
        [
            "vector_words",
            *(f"vector_{role}_{part}" for role in ROLES for part in ("codes", "centroids")),
        ]
    )
    assert set(report.rounding_error) == set(ROLES)
    assert all(0 < error < 0.2 for error in report.rounding_error.values())
    assert report.n_pairs == sum(n_friends(sentences, distance) for distance in (1, 2))


def n_friends(sentences: Sentences, distance: int) -> int:
    """Count the pairs of words that come together more often than by chance."""
    pairs: Counter[tuple[int, int]] = Counter()
    for words, weight in sentences:
        marked = [N_WORDS, *words, N_WORDS + 1]
        for pair in zip(marked, marked[distance:], strict=False):
            pairs[pair] += weight
    first, second = Counter(), Counter()
    for (one, other), n in pairs.items():
        first[one] += n
        second[other] += n
    total = sum(pairs.values())
    smoothed = {word: n**OPTIONS.smoothing for word, n in second.items()}
    scale = total / sum(smoothed.values())
    return sum(
        math.log(n * total / (first[one] * smoothed[other] * scale)) > 0
        for (one, other), n in pairs.items()
    )


def test_only_the_most_frequent_words_get_vectors(tmp_path: Path) -> None:
    """Weights count: the first half of the words is seldom, but weighs more."""
    n_words = 600
    rng = np.random.default_rng(0)
    sentences = []
    for word in range(n_words):
        n_times, weight = (2, 5.0) if word < n_words / 2 else (4, 1.0)
        for _ in range(n_times):
            sentences.append(([word, int(rng.integers(0, n_words))], weight))
    counts = count(sentences, n_words)
    options = replace(OPTIONS, n_words=300)
    report = write_vectors(counts, tmp_path, options=options)
    weighed: Counter[int] = Counter()
    for words, weight in sentences:
        for pair in zip([n_words, *words], [*words, n_words + 1], strict=True):
            for word in pair:
                weighed[word] += weight
    ranked = sorted(weighed, key=lambda word: (-weighed[word], word))
    assert vector_words(tmp_path) == sorted(ranked[:300])
    assert {n_words, n_words + 1} < set(vector_words(tmp_path))
    assert report.n_vectors == 300
    assert np.load(tmp_path / "vector_next_codes.npy").shape == (300, 4)


def test_words_that_no_pair_holds_get_no_vectors(sentences: Sentences, tmp_path: Path) -> None:
    counts = count(sentences, N_WORDS + 50)
    options = replace(OPTIONS, n_words=10 * N_WORDS)
    report = write_vectors(counts, tmp_path, options=options)
    assert report.n_vectors == N_WORDS + 2
    assert vector_words(tmp_path) == [*range(N_WORDS), N_WORDS + 50, N_WORDS + 51]


@pytest.mark.parametrize(
    ("n_sentences", "n_dimensions", "message"),
    [
        (50, 8, r"the text has \d+ different words: too few for vectors of 8 dim"),
        (1600, 500, "422 different words: too few for vectors of 500 dimensions and 256 centroids"),
        (0, 8, "the text has 0 different words"),
    ],
)
def test_too_few_words_are_told(
    sentences: Sentences, tmp_path: Path, n_sentences: int, n_dimensions: int, message: str
) -> None:
    counts = count(sentences[:n_sentences], N_WORDS)
    options = replace(OPTIONS, n_dimensions=n_dimensions)
    with pytest.raises(ConfigError, match=message) as error:
        write_vectors(counts, tmp_path, options=options)
    assert "set language_model.vectors.n_words to 0" in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("n_words", 5, "vectors.n_words is 5: expected 0 for none, or above"),
        ("n_words", -1, "vectors.n_words is -1"),
        ("n_dimensions", 30, r"n_dimensions is 30: expected a multiple of part_size \(4\)"),
        ("n_dimensions", 0, "vectors.n_dimensions is 0"),
        ("part_size", 0, r"part_size \(0\), both at least 1"),
        ("part_size", -4, r"part_size \(-4\)"),
        ("smoothing", 2.0, "vectors.smoothing is 2.0: expected 0 to 1"),
        ("smoothing", float("nan"), "vectors.smoothing is nan"),
        ("singular_power", -0.1, "vectors.singular_power is -0.1: expected 0 to 1"),
    ],
)
def test_options_refuse_what_cannot_be(option: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        VectorOptions(**{option: value})
