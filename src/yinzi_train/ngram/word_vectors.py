"""Make the word vectors of a language model out of its counts of neighbouring words.

Positive pointwise mutual information of the most frequent words, side by side and two apart, a
truncated singular value decomposition of both at once, and the vectors of all sides, of length 1,
rounded part by part to 256 centroids (`yinzi.language_model.word_vectors` says what they are good
for, and names the sources).
Pairs that are too rare for the tables of the language model, four fifths of all, have their say
here: what ships of them is how alike words are, of which no passage can be read back.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.sparse import coo_matrix, csr_matrix, vstack
from scipy.sparse.linalg import svds

from yinzi.errors import ConfigError
from yinzi.language_model.word_vectors import N_CENTROIDS, ROLES
from yinzi_train.ngram.counts import NgramCounts, unpack

__all__ = ["VectorOptions", "VectorReport", "write_vectors"]

_KMEANS_ROUNDS: Final = 20


@dataclass(frozen=True)
class VectorOptions:
    """Which words get vectors, and how they are made.

    Attributes:
        n_words: the most frequent ones get them, more than 256; 0 for none at all.
        n_dimensions: of a vector; a multiple of `part_size`.
        part_size: dimensions that one byte stands for.
        smoothing: power of the counts of words, 0 to 1, in the mutual information; below 1 it keeps
            rare words from looking like close friends of all they stood beside.
        singular_power: power of the singular values, 0 to 1, in the vectors.
        seed: of the decomposition and of the centroids.
    """

    n_words: int = 0
    n_dimensions: int = 32
    part_size: int = 4
    smoothing: float = 0.75
    singular_power: float = 0.5
    seed: int = 1

    def __post_init__(self) -> None:
        if self.n_words < 0 or 0 < self.n_words <= N_CENTROIDS:
            raise ConfigError(
                f"vectors.n_words is {self.n_words}: expected 0 for none, or above {N_CENTROIDS}"
            )
        if self.part_size < 1 or self.n_dimensions < 1 or self.n_dimensions % self.part_size:
            raise ConfigError(
                f"vectors.n_dimensions is {self.n_dimensions}: expected a multiple of part_size "
                f"({self.part_size}), both at least 1"
            )
        for name in ("smoothing", "singular_power"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"vectors.{name} is {getattr(self, name)}: expected 0 to 1")


@dataclass(frozen=True)
class VectorReport:
    """What was written.

    Attributes:
        n_vectors: words that have vectors, sentence start and end among them.
        n_pairs: pairs of them with positive mutual information, side by side and two apart.
        n_bytes: size of all files.
        rounding_error: share of the squared length that rounding changes, by role.
    """

    n_vectors: int
    n_pairs: int
    n_bytes: int
    rounding_error: dict[str, float]


def write_vectors(counts: NgramCounts, folder: Path, *, options: VectorOptions) -> VectorReport:
    """Write the vectors' arrays into a folder.

    Args:
        counts: weighted counts of pairs and triples.
        folder: of the language model's arrays; see `format.md` of the runtime package.
        options: which words, and how.

    Raises:
        ConfigError: the text has too few different words.
    """
    ids = _frequent_words(counts, options.n_words)
    if len(ids) <= max(options.n_dimensions, N_CENTROIDS):
        raise ConfigError(
            f"the text has {len(ids)} different words: too few for vectors of "
            f"{options.n_dimensions} dimensions and {N_CENTROIDS} centroids; set "
            "language_model.vectors.n_words to 0, or use more text"
        )
    row = np.full(counts.n_words + 2, -1, dtype=np.int64)
    row[ids] = np.arange(len(ids))
    two_apart = unpack(counts.trigram_keys, 3)[:, [0, 2]]
    mutual = [
        _mutual_information(pairs, weighted, row, options.smoothing)
        for pairs, weighted in (
            (two_apart, counts.trigram_weighted),
            (unpack(counts.bigram_keys, 2), counts.bigram_weighted),
        )
    ]
    start = np.random.default_rng(options.seed).normal(size=len(ids)).astype(np.float32)
    before, values, after = svds(vstack(mutual), k=options.n_dimensions, v0=start)
    weights = np.maximum(values, 0) ** options.singular_power
    arrays: dict[str, NDArray[np.generic]] = {
        "vector_words": np.packbits(row >= 0, bitorder="little")
    }
    errors = {}
    sides = (before[: len(ids)], before[len(ids) :], after.T)
    for role, side in zip(ROLES, sides, strict=True):
        vectors = side[:, ::-1] * weights[::-1]  # the largest singular values first
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        codes, centroids, errors[role] = _quantize(
            (vectors / np.maximum(lengths, 1e-9)).astype(np.float32), options
        )
        arrays[f"vector_{role}_codes"], arrays[f"vector_{role}_centroids"] = codes, centroids
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    n_bytes = sum((folder / f"{name}.npy").stat().st_size for name in arrays)
    return VectorReport(len(ids), sum(one.nnz for one in mutual), n_bytes, errors)


def _frequent_words(counts: NgramCounts, n_words: int) -> NDArray[np.int64]:
    """Return the ids that stand in most pairs, rising; sentence start and end among them."""
    weighted = counts.bigram_weighted
    first, second = unpack(counts.bigram_keys, 2).T
    both = np.bincount(first, weights=weighted, minlength=counts.n_words + 2)
    both += np.bincount(second, weights=weighted, minlength=counts.n_words + 2)
    frequent = np.argsort(-both, kind="stable")[:n_words]
    return np.sort(frequent[both[frequent] > 0])


def _mutual_information(
    pairs: NDArray[np.int32], weighted: NDArray[np.float64], row: NDArray[np.int64], power: float
) -> csr_matrix:
    """Return the pointwise mutual information of pairs of words where it is above 0.

    Args:
        pairs: int32 [n, 2], word ids; a pair may come several times.
        weighted: float64 [n], how often.
        row: int64 [n_ids], row and column of each word, -1 for those left out.
        power: of the counts of second words.
    """
    first, second = pairs.T
    of_first = np.bincount(first, weights=weighted, minlength=len(row))
    of_second = np.bincount(second, weights=weighted, minlength=len(row))
    smoothed = of_second**power
    smoothed *= of_second.sum() / max(float(smoothed.sum()), 1e-9)
    at = np.flatnonzero((row[first] >= 0) & (row[second] >= 0))
    n_rows = int(row.max()) + 1
    entries = weighted[at], (row[first[at]], row[second[at]])
    joint = coo_matrix(entries, shape=(n_rows, n_rows)).tocsr().tocoo()  # each pair once
    ids = np.flatnonzero(row >= 0)
    value = np.log(joint.data) + math.log(max(float(of_first.sum()), 1e-9))
    value -= np.log(of_first[ids[joint.row]]) + np.log(smoothed[ids[joint.col]])
    above = value > 0
    kept = value[above].astype(np.float32), (joint.row[above], joint.col[above])
    return csr_matrix(kept, shape=(n_rows, n_rows))


def _quantize(
    vectors: NDArray[np.float32], options: VectorOptions
) -> tuple[NDArray[np.uint8], NDArray[np.float16], float]:
    """Return codes uint8 [n, parts], centroids float16 [parts, 256, part_size], and the error.

    Dimensions are dealt out to the parts in turn, as the first ones say most; vectors that are put
    together again have theirs in that order, which no product of two vectors notices.
    """
    n_parts = options.n_dimensions // options.part_size
    codes = np.empty((len(vectors), n_parts), dtype=np.uint8)
    centroids = np.empty((n_parts, N_CENTROIDS, options.part_size), dtype=np.float16)
    error = 0.0
    for part in range(n_parts):
        columns = vectors[:, part::n_parts]
        with warnings.catch_warnings():  # a centroid may end up without words; it keeps its place
            warnings.simplefilter("ignore")
            found, _ = kmeans2(
                columns, N_CENTROIDS, iter=_KMEANS_ROUNDS, minit="points", seed=options.seed
            )
        centroids[part] = found
        rounded = centroids[part].astype(np.float32)
        codes[:, part] = _nearest(columns, rounded)
        error += float(((columns - rounded[codes[:, part]]) ** 2).sum())
    return codes, centroids, error / float((vectors**2).sum())


def _nearest(columns: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the number of the nearest centroid of each row; the first of equal ones."""
    distance = (centroids**2).sum(axis=1) - 2 * columns @ centroids.T
    found: NDArray[np.int64] = distance.argmin(axis=1)
    return found
