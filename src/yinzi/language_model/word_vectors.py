"""Tell how well two words go together that are rarely, or never, seen side by side.

Counts say nothing of a pair that was not seen; what was seen of words like these says much. Each
frequent word has three vectors: what it is like as the next word, as the last one before that, and
as the one before the last. The cosine of two of them, their affinity, is high where words such as
these stand side by side, or two apart (a truncated singular value decomposition of pointwise mutual
information: Bullinaria and Levy 2012; Levy and Goldberg 2014). Vectors are stored in parts, each as
the number of the nearest of 256 centroids (product quantization: Jégou, Douze and Schmid 2011).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ArtifactError
from yinzi.language_model.contexts import Contexts

__all__ = [
    "N_CENTROIDS",
    "PAIR_FEATURES",
    "ROLES",
    "AffinityWeights",
    "StoredNgrams",
    "WordVectors",
]

N_CENTROIDS: Final = 256
ROLES: Final = ("skip", "last", "next")
"""What a word can be: the word before the last one, the last one, and the one that follows."""
PAIR_FEATURES: Final = (
    "stored_affinity",
    "new_affinity",
    "new_pairs",
    "unknown_pairs",
    "stored_skip_affinity",
    "new_skip_affinity",
)
"""Features of a word after two words: its affinity with the last one, if the language model has the
pair stored; the same if it has not; one for such a pair; one instead if a word of it has no vector;
its affinity with the word before the last, if the triple is stored; the same if it is not."""

_Ids = NDArray[Any]


@dataclass(frozen=True)
class AffinityWeights:
    """What each of `PAIR_FEATURES` counts, natural log.

    Attributes:
        stored_affinity: weight of the affinity of pairs that the language model has stored.
        new_affinity: weight of the affinity of all others.
        new_pair: added for each of these.
        unknown_pair: added instead where one of the two words has no vector.
        stored_skip_affinity: weight of the affinity of the first and the third word of triples that
            the language model has stored.
        new_skip_affinity: weight of that of all others.
    """

    stored_affinity: float = 0.0
    new_affinity: float = 0.0
    new_pair: float = 0.0
    unknown_pair: float = 0.0
    stored_skip_affinity: float = 0.0
    new_skip_affinity: float = 0.0

    def __bool__(self) -> bool:
        return any(vars(self).values())


@dataclass(frozen=True, eq=False)
class StoredNgrams:
    """Which n-grams a language model has stored, bool [n_words, n_hypotheses] each."""

    bigrams: NDArray[np.bool_]
    trigrams: NDArray[np.bool_]

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> StoredNgrams:
        """Return arrays to be filled."""
        return cls(np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_))


class WordVectors:
    """Vectors of the frequent words. Safe to share between threads.

    Attributes:
        n_vectors: words that have vectors; also the row of all others.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], *, n_ids: int) -> None:
        """Wrap the arrays of an artifact's ``language_model`` folder.

        Args:
            arrays: by file stem, as `format.md` lists them.
            n_ids: words, sentence start and sentence end.

        Raises:
            ArtifactError: something is missing or does not fit together.
        """
        packed = _array(arrays, "vector_words", np.uint8, 1)
        if packed.size != (n_ids + 7) // 8:
            raise _damaged(f"vector_words has {packed.size} bytes for {n_ids} ids")
        at = np.unpackbits(packed, count=n_ids, bitorder="little").nonzero()[0]
        self.n_vectors = len(at)
        if not self.n_vectors:
            raise _damaged("vector_words names no word")
        self._rows = np.full(n_ids + 1, self.n_vectors, dtype=np.int32)  # the last is for id -1
        self._rows[at] = np.arange(self.n_vectors, dtype=np.int32)
        self._of_role = {role: _Quantized(arrays, role, self.n_vectors) for role in ROLES}
        sizes = [of_role.size for of_role in self._of_role.values()]
        if len(set(sizes)) > 1:
            raise _damaged(f"vectors have {sizes} dimensions")

    def rows(self, words: _Ids) -> NDArray[np.int32]:
        """Return the rows of words, `n_vectors` for those without vectors; -1 is no word."""
        rows: NDArray[np.int32] = self._rows.take(words, mode="wrap")
        return rows

    def scores(
        self,
        contexts: Contexts,
        words: _Ids,
        which: _Ids,
        found: StoredNgrams,
        weights: AffinityWeights,
    ) -> NDArray[np.float32]:
        """Return the weighted sum of `features`, float32 [n_words, n_hypotheses]."""
        last, is_known, skip = self._affinities(contexts, words, which)
        of_new = np.where(
            is_known,
            np.float32(weights.new_affinity) * last + np.float32(weights.new_pair),
            np.float32(weights.unknown_pair),
        )
        summed: NDArray[np.float32] = np.where(
            found.bigrams, np.float32(weights.stored_affinity) * last, of_new
        )
        summed += skip * np.where(
            found.trigrams,
            np.float32(weights.stored_skip_affinity),
            np.float32(weights.new_skip_affinity),
        )
        return summed

    def features(
        self,
        contexts: Contexts,
        words: _Ids,
        which: _Ids,
        found: StoredNgrams,
    ) -> NDArray[np.float32]:
        """Return the features of words after all hypotheses at one place each.

        Args:
            contexts: of shape [n_places, n_hypotheses].
            words: [n_words].
            which: [n_words], the place that each word follows.
            found: what the language model has stored of them.

        Returns:
            float32 [n_words, n_hypotheses, 6], by `PAIR_FEATURES`.
        """
        last, is_known, skip = self._affinities(contexts, words, which)
        is_new = ~found.bigrams
        columns = (
            last * found.bigrams,
            last * is_new,
            is_new & is_known,
            is_new & ~is_known,
            skip * found.trigrams,
            skip * ~found.trigrams,
        )
        return np.stack([column.astype(np.float32) for column in columns], axis=-1)

    def _affinities(
        self,
        contexts: Contexts,
        words: _Ids,
        which: _Ids,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
        """Return affinities with the last words, whether they are known, and with those before.

        Affinities are 0 where a word has no vector.
        """
        rows = self.rows(words)
        has_vector = (rows < self.n_vectors)[:, None]
        vectors = self._of_role["next"].vectors(rows) * has_vector
        # Words of one place stand side by side: one product for each run of them.
        starts = np.concatenate(([0], np.flatnonzero(which[1:] != which[:-1]) + 1))
        used = which[starts]
        last_rows = contexts.last_rows.take(used, axis=0)
        skip_rows = contexts.skip_rows.take(used, axis=0)
        before = np.concatenate(
            (self._of_role["last"].vectors(last_rows), self._of_role["skip"].vectors(skip_rows)),
            axis=1,
        )
        has_both = np.concatenate((last_rows, skip_rows), axis=1) < self.n_vectors
        before *= has_both[..., None]
        affinity = np.empty((len(rows), before.shape[1]), dtype=np.float32)
        ends = [*starts[1:].tolist(), len(rows)]
        for of_place, start, end in zip(before, starts.tolist(), ends, strict=True):
            np.matmul(vectors[start:end], of_place.T, out=affinity[start:end])
        n_hypotheses = last_rows.shape[1]
        lengths = np.diff(starts, append=len(rows))
        is_known = has_both[:, :n_hypotheses].repeat(lengths, axis=0) & has_vector
        return affinity[:, :n_hypotheses], is_known, affinity[:, n_hypotheses:]


class _Quantized:
    """Vectors in parts, each one of 256 centroids."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], role: str, n_vectors: int) -> None:
        codes = _array(arrays, f"vector_{role}_codes", np.uint8, 2)
        centroids = _array(arrays, f"vector_{role}_centroids", np.float16, 3)
        n_parts = codes.shape[1]
        if codes.shape[0] != n_vectors or centroids.shape[:2] != (n_parts, N_CENTROIDS):
            raise _damaged(
                f"vector_{role}_codes are {list(codes.shape)} for {n_vectors} words, and "
                f"vector_{role}_centroids {list(centroids.shape)}"
            )
        self._codes = codes
        self._centroids = centroids.astype(np.float32).reshape(-1, centroids.shape[2])
        self._offsets = np.arange(n_parts, dtype=np.intp) * N_CENTROIDS
        self.size = n_parts * centroids.shape[2]

    def vectors(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 [..., size]; those of rows past the end are anything."""
        codes = self._codes.take(rows, axis=0, mode="clip")
        parts: NDArray[np.float32] = self._centroids.take(codes + self._offsets, axis=0)
        return parts.reshape(*rows.shape, self.size)


def _array(
    arrays: Mapping[str, NDArray[Any]], name: str, dtype: type[np.generic], n_dimensions: int
) -> NDArray[Any]:
    if name not in arrays:
        raise _damaged(f"array {name!r} is missing")
    array = np.asarray(arrays[name])
    if array.dtype != dtype or array.ndim != n_dimensions:
        raise _damaged(
            f"{name} is {array.dtype} {list(array.shape)}, expected {np.dtype(dtype)} of "
            f"{n_dimensions} dimensions"
        )
    return array


def _damaged(what: str) -> ArtifactError:
    return ArtifactError(f"word vectors: {what}; the artifact is damaged or edited, fetch it again")
