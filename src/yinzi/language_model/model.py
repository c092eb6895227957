"""Score words after words with a trigram model in backoff form.

Backoff models chain: log p(w3 | w1, w2) is the trigram's if it is stored, else the context's
backoff weight plus log p(w3 | w2), and so on down. The tables store the *difference* between an
n-gram and what it would be by backoff, so the chain becomes a plain sum,

    unigram(w3) + backoff(w2) + backoff(w1, w2) + delta(w2, w3) + delta(w1, w2, w3),

where a term that is not stored is zero. The writer takes each difference against the rounded terms
below it, so rounding does not add up, and a false find in a table (see `fuse.py`) moves a word only
against its own backoff estimate.

Few pairs need all reads. A table is asked only for pairs that could be in it: bigrams where some
bigram starts with the first word and some bigram ends in the second; trigrams where the context is
one and the bigram was found. That also cuts the false finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ArtifactError
from yinzi.language_model.contexts import Contexts, twins
from yinzi.language_model.fuse import FuseTable, read_parameter
from yinzi.language_model.hashing import MAX_IDS
from yinzi.language_model.word_vectors import (
    PAIR_FEATURES,
    AffinityWeights,
    StoredNgrams,
    WordVectors,
)

__all__ = ["LanguageModel"]

_CHUNK: Final = (
    8192  # pairs scored at once: temporaries stay in the cache, below malloc's mmap size
)
_MIN_ROWS: Final = 4  # of hypotheses, for a look at which of them end in the same word

_Ids = NDArray[Any]  # word ids, int32 or int64


class LanguageModel:
    """Give natural-log probabilities of words after one or two words.

    Word ids are not checked one by one: an id at or above ``n_words + 2`` is an IndexError, other
    wrong ids give wrong numbers. Safe to share between threads: nothing is written after
    construction, and the arrays may be read-only memory maps.

    Attributes:
        n_words: number of words; their ids are 0 to n_words - 1.
        bos_id: id of the sentence start, n_words; only ever a context.
        eos_id: id of the sentence end, n_words + 1; only ever predicted.
        unigram_logprobs: float32 [n_words + 2], -inf for the sentence start.
        vectors: of the words; None in artifacts that have none.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]) -> None:
        """Wrap the arrays of an artifact's ``language_model`` folder.

        Args:
            arrays: by file stem, as `format.md` lists them.
            parameters: the manifest's ``language_model`` parameters.

        Raises:
            ArtifactError: something is missing or does not fit together.
        """
        self.n_words = read_parameter(parameters, "n_words", name="language_model")
        self.bos_id = self.n_words
        self.eos_id = self.n_words + 1
        n_ids = self.n_words + 2
        if n_ids > MAX_IDS:
            raise ArtifactError(
                f"language model: n_words is {self.n_words}, expected at most {MAX_IDS - 2}; "
                "the manifest is damaged or edited, fetch the artifact again"
            )
        self.unigram_logprobs = _decode(arrays, "unigram_logprob", n_ids)
        self.unigram_logprobs[self.bos_id] = -np.inf
        # Where the code is 0, and so the weight, no bigram starts with the word.
        self._backoff_codes, self._backoff_levels = _codes(arrays, "unigram_backoff", n_ids)
        packed = _array(arrays, "has_predecessor", np.uint8, (n_ids + 7) // 8)
        self._has_predecessor = np.unpackbits(packed, count=n_ids, bitorder="little").view(np.bool_)
        self._bigrams, self._bigram_deltas = _table(arrays, parameters, "bigram", "delta")
        self._trigrams, self._trigram_deltas = _table(arrays, parameters, "trigram", "delta")
        self._contexts, self._context_backoffs = _table(arrays, parameters, "context", "backoff")
        self.vectors = WordVectors(arrays, n_ids=n_ids) if "vector_words" in arrays else None

    def empty_contexts(self, shape: tuple[int, ...]) -> Contexts:
        """Make room for contexts."""
        return Contexts.empty(shape)

    def contexts(self, w1: _Ids, w2: _Ids) -> Contexts:
        """Look up all that `logprobs_after` has to know of the words before.

        Args:
            w1: words two places before, -1 for none.
            w2: words before, of a shape that broadcasts with w1's; ``bos_id`` at the start of a
                sentence, with -1 for w1.
        """
        w1, w2 = np.broadcast_arrays(w1, w2)
        contexts = self._contexts_given(w1, w2, *self.context_backoff(w1, w2))
        if w2.ndim == 2 and w2.shape[0] >= _MIN_ROWS:  # for fewer it would cost what it saves
            contexts.twins[:] = twins(w2)
        return contexts

    def context_backoff(self, w1: _Ids, w2: _Ids) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give the backoff weights of two-word contexts, and which pairs are contexts at all.

        A weight is 0 exactly where the pair is no context.

        Args:
            w1: words before, -1 for none.
            w2: words after them, of a shape that broadcasts with w1's.

        Returns:
            float32 and bool arrays of the broadcast shape.
        """
        w1, w2 = np.broadcast_arrays(w1, w2)
        shape = w1.shape
        w1, w2 = w1.reshape(-1), w2.reshape(-1)
        may_be_stored = self._backoff_codes.take(w1, mode="wrap") != 0  # -1 is cut out next
        may_be_stored &= w1 >= 0
        may_be_stored &= self._has_predecessor.take(w2)
        at = may_be_stored.nonzero()[0]
        multipliers = self._contexts.multipliers
        sums = multipliers.part(w1.take(at), 1)
        sums += multipliers.part(w2.take(at), 0)
        codes = self._contexts.lookup(sums)
        found = (codes < self._contexts.n_codes).nonzero()[0]
        at = at.take(found)
        backoffs = np.zeros(w1.size, dtype=np.float32)
        backoffs[at] = self._context_backoffs.take(codes.take(found))
        is_context = np.zeros(w1.size, dtype=np.bool_)
        is_context[at] = True
        return backoffs.reshape(shape), is_context.reshape(shape)

    def logprobs_after(
        self, contexts: Contexts, words: _Ids, rows: NDArray[np.intp] | None = None
    ) -> NDArray[np.float32]:
        """Give log p(word | context), natural log, for each word after each context of one row.

        The inner loop of a search: lattice nodes that start at the same place share a row.

        Args:
            contexts: of shape [n_rows, n_hypotheses].
            words: [n_words].
            rows: [n_words], which row of contexts each word follows; None if word i follows row i.

        Returns:
            float32 [n_words, n_hypotheses].
        """
        rows = np.arange(words.size) if rows is None else rows
        shape = words.size, contexts.backoffs.shape[1]
        chunks = _chunks(*shape)
        if len(chunks) <= 1:
            return self._logprobs_of_chunk(contexts, words, rows)
        logprobs = np.empty(shape, dtype=np.float32)
        for chunk in chunks:
            logprobs[chunk] = self._logprobs_of_chunk(contexts, words[chunk], rows[chunk])
        return logprobs

    def scores_after(
        self, contexts: Contexts, words: _Ids, rows: NDArray[np.intp], weights: AffinityWeights
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | np.float32]:
        """Give what `logprobs_after` does, and what the word vectors add to it.

        Returns:
            float32 [n_words, n_hypotheses] each; the second is 0 without vectors or weights.
        """
        if self.vectors is None or not weights:
            return self.logprobs_after(contexts, words, rows), np.float32(0)
        shape = words.size, contexts.backoffs.shape[1]
        logprobs, added = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for chunk in _chunks(*shape):
            found = StoredNgrams.none((len(words[chunk]), shape[1]))
            logprobs[chunk] = self._logprobs_of_chunk(contexts, words[chunk], rows[chunk], found)
            added[chunk] = self.vectors.scores(contexts, words[chunk], rows[chunk], found, weights)
        return logprobs, added

    def pair_features(self, w1: _Ids, w2: _Ids, words: _Ids) -> NDArray[np.float32]:
        """Give what `scores_after` weighs, for words after two words each.

        Args:
            w1: [n], -1 for none.
            w2: [n].
            words: [n].

        Returns:
            float32 [n, 6], by `PAIR_FEATURES`; zeros without vectors.
        """
        if self.vectors is None or not words.size:
            return np.zeros((words.size, len(PAIR_FEATURES)), dtype=np.float32)
        contexts = self.contexts(w1[:, None], w2[:, None])
        rows = np.arange(words.size)
        found = StoredNgrams.none((words.size, 1))
        self._logprobs_of_chunk(contexts, words, rows, found)
        return self.vectors.features(contexts, words, rows, found)[:, 0]

    def logprobs(self, w1: _Ids, w2: _Ids, words: _Ids) -> NDArray[np.float32]:
        """Give log p(word | w1, w2), natural log.

        Args:
            w1: words two places before, -1 for none: then log p(word | w2).
            w2: words before; ``bos_id`` at the start of a sentence, with -1 for w1.
            words: predicted words. The three shapes broadcast.
        """
        return self.logprobs_given(w1, w2, *self.context_backoff(w1, w2), words)

    def logprobs_given(
        self,
        w1: _Ids,
        w2: _Ids,
        backoff: NDArray[np.float32],
        is_context: NDArray[np.bool_],
        words: _Ids,
    ) -> NDArray[np.float32]:
        """Give log p(word | w1, w2), natural log, for contexts whose backoff weight is known.

        Args:
            w1: words two places before, -1 for none.
            w2: words before.
            backoff: what `context_backoff` gave for w1 and w2.
            is_context: what it gave besides.
            words: predicted words. All shapes broadcast; [n, 1] against [n, m] is fastest.
        """
        w1, w2, backoff, is_context = np.broadcast_arrays(w1, w2, backoff, is_context)
        shape = np.broadcast_shapes(w1.shape, np.shape(words))
        # One word a row, as logprobs_after wants it: the last axis if it shares its words.
        is_shared = len(shape) > 1 and np.shape(words)[-1:] in {(), (1,)}
        n_shared = shape[-1] if is_shared else 1
        contexts = self._contexts_given(w1, w2, backoff, is_context)
        if w1.shape != shape:
            contexts = contexts.broadcast_to(shape)
        words = np.broadcast_to(words, (*shape[:-1], 1) if is_shared else shape).reshape(-1)
        logprobs = self.logprobs_after(contexts.reshape(words.size, n_shared), words)
        return logprobs.reshape(shape)

    def sentence_logprob(self, word_ids: Sequence[int] | _Ids) -> float:
        """Give the log-probability of a whole sentence, its end included.

        Args:
            word_ids: the words without border marks; may be empty.
        """
        words = np.concatenate(([self.bos_id], word_ids, [self.eos_id])).astype(np.int32)
        w1 = np.concatenate(([-1], words[:-2])).astype(np.int32)
        return float(self.logprobs(w1, words[:-1], words[1:]).sum(dtype=np.float64))

    def _contexts_given(
        self,
        w1: _Ids,
        w2: _Ids,
        backoff: NDArray[np.float32],
        is_context: NDArray[np.bool_],
    ) -> Contexts:
        """Fill contexts of one shape."""
        shape = w1.shape
        w1, w2 = w1.reshape(-1), w2.reshape(-1)
        of_last = self._backoff_levels.take(self._backoff_codes.take(w2))
        orders = (of_last != 0).astype(np.uint8)
        orders += 1
        orders[is_context.reshape(-1)] = 3
        trigram_parts = self._trigrams.multipliers.part(w1, 2)
        trigram_parts += self._trigrams.multipliers.part(w2, 1)
        of_last += backoff.reshape(-1)
        bigram_parts = self._bigrams.multipliers.part(w2, 1)
        if self.vectors is None:
            last_rows = skip_rows = np.zeros(w2.size, dtype=np.int32)
        else:
            last_rows, skip_rows = self.vectors.rows(w2), self.vectors.rows(w1)
        contexts = Contexts(
            of_last,
            bigram_parts,
            trigram_parts,
            orders,
            last_rows,
            skip_rows,
            np.zeros(w2.size, dtype=np.int16),
        )
        return contexts.reshape(*shape)

    def _logprobs_of_chunk(
        self,
        contexts: Contexts,
        words: _Ids,
        rows: NDArray[np.intp],
        found: StoredNgrams | None = None,
    ) -> NDArray[np.float32]:
        """Give log p(word | context), and tell in `found` which n-grams are stored."""
        logprobs = contexts.backoffs.take(rows, axis=0)  # [n_words, n_hypotheses], as all below
        logprobs += self.unigram_logprobs.take(words)[:, None]
        kept = self._has_predecessor.take(words).nonzero()[0]
        if kept.size == words.size:
            self._add_deltas(logprobs, contexts, words, rows, found)
        elif kept.size:
            of_kept = logprobs.take(kept, axis=0)
            found_kept = None if found is None else StoredNgrams.none(of_kept.shape)
            self._add_deltas(of_kept, contexts, words.take(kept), rows.take(kept), found_kept)
            logprobs[kept] = of_kept
            if found is not None and found_kept is not None:
                found.bigrams[kept], found.trigrams[kept] = found_kept.bigrams, found_kept.trigrams
        return logprobs

    def _add_deltas(
        self,
        logprobs: NDArray[np.float32],
        contexts: Contexts,
        words: _Ids,
        rows: NDArray[np.intp],
        found: StoredNgrams | None,
    ) -> None:
        """Add what stored bigrams and trigrams differ by from backing off, in place."""
        flat = logprobs.reshape(-1)
        words = words[:, None]
        sums = contexts.bigram_parts.take(rows, axis=0)
        sums += self._bigrams.multipliers.part(words, 0)
        back = contexts.twins.take(rows, axis=0).reshape(-1)
        firsts = (back == 0).nonzero()[0]
        if firsts.size == back.size:
            codes = self._bigrams.lookup(sums.reshape(-1))
        else:  # hypotheses that end in the same word share the lookup
            of_firsts = self._bigrams.lookup(sums.reshape(-1).take(firsts))
            codes = np.empty(back.size, dtype=of_firsts.dtype)
            codes[firsts] = of_firsts
            codes = codes.take(np.arange(back.size) - back)
        at = (codes < self._bigrams.n_codes).nonzero()[0]
        orders = contexts.orders.take(rows, axis=0).reshape(-1).take(at)
        bigrams_at = at[orders >= 2]  # below, only a false find
        flat[bigrams_at] += self._bigram_deltas.take(codes.take(bigrams_at))
        if found is not None:
            found.bigrams.reshape(-1)[bigrams_at] = True

        at = at[orders == 3]
        if at.size:
            sums = contexts.trigram_parts.take(rows, axis=0)
            sums += self._trigrams.multipliers.part(words, 0)
            codes = self._trigrams.lookup(sums.reshape(-1).take(at))
            stored = (codes < self._trigrams.n_codes).nonzero()[0]
            flat[at.take(stored)] += self._trigram_deltas.take(codes.take(stored))
            if found is not None:
                found.trigrams.reshape(-1)[at.take(stored)] = True


def _chunks(n_words: int, n_hypotheses: int) -> list[slice]:
    """Cut words into stretches of at most `_CHUNK` pairs of a word and a hypothesis."""
    n_at_once = max(1, _CHUNK // max(1, n_hypotheses))
    return [slice(start, start + n_at_once) for start in range(0, n_words, n_at_once)]


def _array(arrays: Mapping[str, NDArray[Any]], name: str, dtype: Any, size: int) -> NDArray[Any]:
    """Get an array of a known type and size as a plain ndarray."""
    array = _stored(arrays, name)
    if array.dtype != dtype or array.shape != (size,):
        raise ArtifactError(
            f"language model: {name} is {array.dtype} {list(array.shape)}, expected "
            f"{np.dtype(dtype)} [{size}]; the artifact is damaged or edited, fetch it again"
        )
    return array


def _stored(arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    if name not in arrays:
        raise ArtifactError(
            f"language model: array {name!r} is missing, found {sorted(arrays)[:5]}; "
            "the artifact is incomplete, fetch it again"
        )
    return np.asarray(arrays[name])


def _decode(arrays: Mapping[str, NDArray[Any]], name: str, size: int) -> NDArray[np.float32]:
    """Turn codes into the values of their levels."""
    codes, levels = _codes(arrays, name, size)
    return levels.take(codes)


def _codes(
    arrays: Mapping[str, NDArray[Any]], name: str, size: int
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Get codes and the levels that they stand for, checked."""
    levels = _stored(arrays, f"{name}_levels")
    stored_codes = _stored(arrays, f"{name}_codes")
    code_dtype = np.uint16 if stored_codes.dtype == np.uint16 else np.uint8
    codes = _array(arrays, f"{name}_codes", code_dtype, size)
    levels = _array(arrays, f"{name}_levels", np.float32, levels.size)
    if size and int(codes.max()) >= levels.size:
        raise ArtifactError(
            f"language model: {name}_codes goes up to {int(codes.max())}, but {name}_levels has "
            f"{levels.size} levels; the artifact is damaged or edited, fetch it again"
        )
    return codes, levels


def _table(
    arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any], name: str, value: str
) -> tuple[FuseTable, NDArray[np.float32]]:
    """Open a table of n-grams and the levels that its codes stand for."""
    of_table = parameters.get(name)
    if not isinstance(of_table, Mapping):
        raise ArtifactError(
            f"language model: parameters of the {name} table are {of_table!r}, expected a table; "
            "the manifest is damaged or edited, fetch the artifact again"
        )
    table = FuseTable(_stored(arrays, f"{name}_cells"), of_table, name=f"{name}_cells")
    return table, _array(arrays, f"{name}_{value}_levels", np.float32, table.n_codes)
