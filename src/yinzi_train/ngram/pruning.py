"""Prune a backoff model by relative entropy (Stolcke 1998, arXiv cs/0006025).

The loss of an n-gram is the relative entropy between the model with and without it, every other
n-gram in place, weighted by how often its context occurs. N-grams with the smallest losses go.

A stored trigram keeps the bigrams it begins and ends with, so a bigram counts with the largest
loss among its own and those of these trigrams. Thus the number of n-grams left is known for every
threshold from one sort, and a target number is met without search.

The probability of a context should be its relative frequency in the corpus. The lower orders of a
Kneser-Ney model tell in how many places a word can follow, not how often it is there, and pruning
with them does harm (Chelba et al. 2010, Interspeech): give `history_logprobs`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi_train.ngram.context_slices import ContextSlice, context_slices, locate_rows
from yinzi_train.ngram.counts import KEY_BITS, NgramCounts, pack_bigrams, pack_trigrams
from yinzi_train.ngram.model import NgramModel

__all__ = [
    "HistoryLogprobs",
    "PruneLosses",
    "history_logprobs",
    "model_history_logprobs",
    "prune_entropy",
    "prune_losses",
]

logger = logging.getLogger(__name__)

_SLICE_LENGTH = 1 << 22
_FIRST_BITS = np.uint64(KEY_BITS)
_MIN_MASS = 1e-12
"""Least lower-order mass outside a context's n-grams; keeps rounding from making it negative."""


@dataclass(frozen=True)
class HistoryLogprobs:
    """How often each context occurs per predicted word.

    Attributes:
        unigram: float64 [n_words + 2], natural log.
        bigram: float64 [n_bigrams], natural log, one for each stored bigram.
    """

    unigram: NDArray[np.float64]
    bigram: NDArray[np.float64]


@dataclass(frozen=True)
class PruneLosses:
    """What each n-gram is worth: relative entropy in nats per predicted word, at least 0.

    A loss of 1e-8 means that perplexity grows by the factor ``1 + 1e-8`` without this n-gram.

    Attributes:
        bigram: float64 [n_bigrams], each bigram's own loss, without the trigrams that need it.
        trigram: float64 [n_trigrams].
    """

    bigram: NDArray[np.float64]
    trigram: NDArray[np.float64]


def history_logprobs(model: NgramModel, *, counts: NgramCounts) -> HistoryLogprobs:
    """Take the contexts' probabilities from the weighted counts the model was estimated from.

    Raises:
        ConfigError: a stored bigram was not counted.

    Example: ``prune_entropy(model, n_ngrams=1000, history=history_logprobs(model, counts=counts))``
    """
    first = (counts.bigram_keys >> _FIRST_BITS).astype(np.int64)
    weighted = np.bincount(first, weights=counts.bigram_weighted, minlength=counts.n_words + 2)
    n_predicted = counts.bigram_weighted.sum()
    rows = locate_rows(counts.bigram_keys, _bigram_keys(model), what="stored bigrams")
    with np.errstate(divide="ignore"):
        return HistoryLogprobs(
            unigram=np.log(weighted / n_predicted),
            bigram=np.log(counts.bigram_weighted[rows] / n_predicted),
        )


def model_history_logprobs(model: NgramModel) -> HistoryLogprobs:
    """Take the contexts' probabilities from the model, for a model without its counts.

    Fit for models whose lower orders are probabilities of running text; see above for those with
    Kneser-Ney smoothing. The sentence start occurs as often as the sentence end is predicted.
    """
    unigram = model.unigram_logprob.astype(np.float64)
    unigram[model.bos_id] = unigram[model.eos_id]
    return HistoryLogprobs(
        unigram=unigram, bigram=unigram[model.bigrams[:, 0]] + model.bigram_logprob
    )


def prune_losses(model: NgramModel, *, history: HistoryLogprobs | None = None) -> PruneLosses:
    """Compute the loss of every bigram and trigram (Stolcke 1998, equations 5 to 7).

    Args:
        model: bigrams that each trigram begins and ends with must be stored.
        history: None takes `model_history_logprobs`.

    Raises:
        ConfigError: a trigram's bigrams are not stored, or `history` belongs to another model.
    """
    history = model_history_logprobs(model) if history is None else history
    if len(history.bigram) != len(model.bigrams) or len(history.unigram) != model.n_words + 2:
        raise ConfigError(
            f"history has {len(history.unigram)} unigrams and {len(history.bigram)} bigrams; the "
            f"model has {model.n_words + 2} and {len(model.bigrams)}: compute it for this model"
        )
    bigram = np.empty(len(model.bigrams))
    for part in _bigram_contexts(model):
        bigram[part.contexts.rows] = _losses(part, history.unigram[part.context_rows])
    trigram = np.empty(len(model.trigrams))
    for part in _trigram_contexts(model):
        trigram[part.contexts.rows] = _losses(part, history.bigram[part.context_rows])
    return PruneLosses(bigram=bigram, trigram=trigram)


def prune_entropy(
    model: NgramModel,
    *,
    threshold: float | None = None,
    n_ngrams: int | tuple[int, int] | None = None,
    history: HistoryLogprobs | None = None,
    losses: PruneLosses | None = None,
) -> NgramModel:
    """Return the model without the n-grams whose loss is least.

    Bigrams that a kept trigram begins or ends with are kept. Backoff weights are set anew, so that
    every context's probabilities still sum to 1.

    Args:
        model: stays as it is.
        threshold: drops n-grams with a loss, in nats per word, of at most this.
        n_ngrams: instead of a threshold, how many n-grams to keep: bigrams and trigrams together,
            or (bigrams, trigrams). Fewer are kept only where losses tie or the model has fewer.
        history: how often contexts occur; see `history_logprobs`. None takes it from the model.
        losses: from `prune_losses` on this model, to try several sizes; `history` is not used then.

    Raises:
        ConfigError: not exactly one of `threshold` and `n_ngrams`; a negative value; or fewer
            bigrams wanted than the kept trigrams need.

    Example: ``prune_entropy(model, threshold=1e-8)``, ``prune_entropy(model, n_ngrams=2_000_000)``
    """
    if (threshold is None) == (n_ngrams is None):
        raise ConfigError(
            f"threshold is {threshold!r} and n_ngrams is {n_ngrams!r}; give exactly one of them"
        )
    numbers = n_ngrams if isinstance(n_ngrams, tuple) else (threshold, n_ngrams)
    if any(number is not None and number < 0 for number in numbers):
        raise ConfigError(f"threshold and n_ngrams must be at least 0, not {numbers!r}")
    if losses is None:
        losses = prune_losses(model, history=history)
    if len(losses.bigram) != len(model.bigrams) or len(losses.trigram) != len(model.trigrams):
        raise ConfigError("losses belong to another model; call prune_losses on this one")
    if isinstance(n_ngrams, tuple):
        is_kept2, is_kept3 = _select_by_order(model, losses, *n_ngrams)
    else:
        worth = _worth_of_bigrams(model, losses.trigram, own=losses.bigram)
        if n_ngrams is not None:
            threshold = _threshold(np.concatenate((worth, losses.trigram)), n_ngrams)
        assert threshold is not None
        is_kept2, is_kept3 = worth > threshold, losses.trigram > threshold
    return _keep(model, is_kept2, is_kept3)


@dataclass(frozen=True)
class _LoadedContexts:
    """A slice of n-grams with all that a backoff weight is computed from.

    `p` is the probability of each n-gram and `q` that of its suffix, float64 [n_ngrams].
    `alpha` (backoff weight) and `lower_mass` (probability the lower order has outside the
    n-grams), float64 [n_contexts], belong to the contexts at `context_rows` one order below.
    """

    contexts: ContextSlice
    context_rows: NDArray[np.int64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    alpha: NDArray[np.float64]
    lower_mass: NDArray[np.float64]


def _load(
    contexts: ContextSlice,
    context_rows: NDArray[np.int64],
    logprob: NDArray[np.float32],
    lower_logprob: NDArray[np.float32],
    backoff: NDArray[np.float32],
) -> _LoadedContexts:
    q = np.exp(lower_logprob.astype(np.float64))
    return _LoadedContexts(
        contexts=contexts,
        context_rows=context_rows,
        p=np.exp(logprob.astype(np.float64)),
        q=q,
        alpha=np.exp(backoff.astype(np.float64)),
        lower_mass=np.maximum(1.0 - np.add.reduceat(q, contexts.starts), _MIN_MASS),
    )


def _bigram_contexts(model: NgramModel) -> Iterator[_LoadedContexts]:
    """Load the bigrams; their contexts are words."""
    for part in context_slices(_bigram_keys(model), length=_SLICE_LENGTH):
        words = model.bigrams[part.rows]
        first = words[part.starts, 0].astype(np.int64)
        yield _load(
            part,
            first,
            model.bigram_logprob[part.rows],
            model.unigram_logprob[words[:, 1]],
            model.unigram_backoff[first],
        )


def _trigram_contexts(model: NgramModel) -> Iterator[_LoadedContexts]:
    """Load the trigrams; their contexts are rows of bigrams."""
    bigram_keys = _bigram_keys(model)
    trigram_keys = pack_trigrams(*model.trigrams.T)
    for part in context_slices(trigram_keys, length=_SLICE_LENGTH):
        suffix_rows = _suffix_rows(bigram_keys, model.trigrams[part.rows])
        prefixes = trigram_keys[part.rows][part.starts] >> _FIRST_BITS
        context_rows = locate_rows(bigram_keys, prefixes, what="trigram contexts")
        yield _load(
            part,
            context_rows,
            model.trigram_logprob[part.rows],
            model.bigram_logprob[suffix_rows],
            model.bigram_backoff[context_rows],
        )


def _bigram_keys(model: NgramModel) -> NDArray[np.uint64]:
    return pack_bigrams(model.bigrams[:, 0], model.bigrams[:, 1])


def _suffix_rows(bigram_keys: NDArray[np.uint64], trigrams: NDArray[np.int32]) -> NDArray[np.int64]:
    """Find the bigram that each trigram ends with."""
    keys = pack_bigrams(trigrams[:, 1], trigrams[:, 2])
    return locate_rows(bigram_keys, keys, what="trigram suffixes")


def _losses(part: _LoadedContexts, history: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the loss of each n-gram alone.

    Without an n-gram, its mass p joins the mass m that the context gives away, and its lower-order
    probability q joins the one these have, so the backoff weight is (m + p) / (lower mass + q).
    The terms of all words that back off anyway differ by the same ratio: one term for all of them.
    """
    spread = part.contexts.spread
    mass = spread(part.alpha * part.lower_mass)
    alpha = (mass + part.p) / (spread(part.lower_mass) + part.q)
    own = part.p * np.log(part.p / (part.q * alpha))
    others = mass * np.log(spread(part.alpha) / alpha)
    losses: NDArray[np.float64] = spread(np.exp(history)) * (own + others)
    np.maximum(losses, 0.0, out=losses)
    return losses


def _worth_of_bigrams(
    model: NgramModel, trigram_losses: NDArray[np.float64], *, own: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the largest of a bigram's own loss and those of trigrams it begins or ends."""
    worth: NDArray[np.float64] = own.copy()
    bigram_keys = _bigram_keys(model)
    for lo in range(0, len(model.trigrams), _SLICE_LENGTH):
        rows = slice(lo, lo + _SLICE_LENGTH)
        trigrams = model.trigrams[rows]
        prefix_keys = pack_bigrams(trigrams[:, 0], trigrams[:, 1])
        prefix_rows = locate_rows(bigram_keys, prefix_keys, what="trigram contexts")
        np.maximum.at(worth, prefix_rows, trigram_losses[rows])
        np.maximum.at(worth, _suffix_rows(bigram_keys, trigrams), trigram_losses[rows])
    return worth


def _threshold(values: NDArray[np.float64], n_kept: int) -> float:
    """Return the value that at most `n_kept` values are above: -1 if all may stay."""
    if n_kept >= len(values):
        return -1.0
    return float(np.partition(values, len(values) - 1 - n_kept)[len(values) - 1 - n_kept])


def _select_by_order(
    model: NgramModel, losses: PruneLosses, n_bigrams: int, n_trigrams: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Choose trigrams first, then fill up the bigrams these need."""
    is_kept3 = losses.trigram > _threshold(losses.trigram, n_trigrams)
    needed = np.where(is_kept3, np.inf, 0.0)
    worth = _worth_of_bigrams(model, needed, own=losses.bigram)
    n_needed = int(np.count_nonzero(np.isinf(worth)))
    if n_needed > n_bigrams:
        raise ConfigError(
            f"n_ngrams asks for {n_bigrams} bigrams, but {n_needed} begin or end one of the "
            f"{np.count_nonzero(is_kept3)} trigrams; ask for more bigrams or fewer trigrams"
        )
    return worth > _threshold(worth, n_bigrams), is_kept3


def _keep(
    model: NgramModel, is_kept2: NDArray[np.bool_], is_kept3: NDArray[np.bool_]
) -> NgramModel:
    """Drop n-grams and set the backoff weights of their contexts anew.

    The bigrams that a kept trigram begins and ends with are kept, so dropping bigrams changes no
    number that a bigram's backoff weight is made of.
    """
    unigram_backoff = model.unigram_backoff.copy()
    for part in _bigram_contexts(model):
        _renew_backoff(unigram_backoff, part, is_kept2)
    bigram_backoff = model.bigram_backoff.copy()
    for part in _trigram_contexts(model):
        _renew_backoff(bigram_backoff, part, is_kept3)
    pruned = NgramModel(
        n_words=model.n_words,
        unigram_logprob=model.unigram_logprob.copy(),
        unigram_backoff=unigram_backoff,
        bigrams=model.bigrams[is_kept2],
        bigram_logprob=model.bigram_logprob[is_kept2],
        bigram_backoff=bigram_backoff[is_kept2],
        trigrams=model.trigrams[is_kept3],
        trigram_logprob=model.trigram_logprob[is_kept3],
    )
    logger.info(
        "kept %d of %d bigrams and %d of %d trigrams",
        *(len(pruned.bigrams), len(model.bigrams), len(pruned.trigrams), len(model.trigrams)),
    )
    return pruned


def _renew_backoff(
    backoff: NDArray[np.float32], part: _LoadedContexts, is_kept: NDArray[np.bool_]
) -> None:
    """Write the backoff weights of the contexts in `part` that lose n-grams.

    The old weight times the old lower mass is the mass given away so far. Starting from it, and
    not from 1 minus the kept probabilities, keeps rounding errors of nearly full contexts small.
    """
    kept, starts = is_kept[part.contexts.rows], part.contexts.starts
    freed = np.add.reduceat(np.where(kept, 0.0, part.p), starts)
    freed_lower = np.add.reduceat(np.where(kept, 0.0, part.q), starts)
    n_kept = np.add.reduceat(kept.astype(np.int64), starts)
    alpha = (part.alpha * part.lower_mass + freed) / (part.lower_mass + freed_lower)
    alpha[n_kept == 0] = 1.0
    is_changed = n_kept < part.contexts.sizes
    backoff[part.context_rows[is_changed]] = np.log(alpha[is_changed])
