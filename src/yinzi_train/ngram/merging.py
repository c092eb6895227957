"""Add up the counts of shards, raw and weighted, range by range of the first word.

Each pass holds one range of first words of all shards, so memory stays bounded by the result and
the largest range. Shards are read in the order of their names: the result does not depend on who
counted them when, nor on the number of ranges.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi_train.ngram.counts import KEY_BITS, NgramCounts

__all__ = ["merge_shards", "sum_by_key"]

_N_CONTEXT_WORDS: Final = {"bigram": 1, "trigram": 2}


def sum_by_key(
    keys: NDArray[np.uint64], values: Sequence[NDArray[Any]]
) -> tuple[NDArray[np.uint64], list[NDArray[Any]]]:
    """Sort keys and add up the values of equal ones, in the order they came.

    >>> keys, (sums,) = sum_by_key(np.array([7, 3, 7], np.uint64), [np.array([1, 2, 4])])
    >>> keys.tolist(), sums.tolist()
    ([3, 7], [2, 5])
    """
    if not len(keys):
        return keys, list(values)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    return keys[first], [np.add.reduceat(value[order], first) for value in values]


def merge_shards(
    shard_paths: Sequence[Path],
    *,
    weights: Mapping[str, float],
    n_ranges: int = 8,
    on_range: Callable[[], None] | None = None,
) -> NgramCounts:
    """Add up the counts of shards.

    Args:
        shard_paths: folders that `count_shard` wrote.
        weights: weight of each shard by the name of its folder; a missing one is an error.
        n_ranges: passes over the shards for each order; more need less memory.
        on_range: called after each of the ``2 * n_ranges`` passes.

    Raises:
        ConfigError: there are no shards, one has no weight, or one was counted with another
            lexicon.
    """
    shard_paths = sorted(shard_paths, key=lambda path: path.name)
    unknown = [path.name for path in shard_paths if path.name not in weights]
    if unknown:
        raise ConfigError(f"no weight for {unknown[:5]}: give every shard one")
    if not shard_paths:
        raise ConfigError("no shards to merge: count some text first")
    first = np.load(shard_paths[0] / "unigram_count.npy")
    unigram_count, unigram_weighted = np.zeros(len(first), np.int64), np.zeros(len(first))
    for path in shard_paths:
        counts = np.load(path / "unigram_count.npy").astype(np.int64)
        if len(counts) != len(unigram_count):
            raise ConfigError(
                f"{path.name} was counted with another lexicon: delete the old shards and recount"
            )
        unigram_count += counts
        unigram_weighted += counts * weights[path.name]
    bounds = _range_bounds(unigram_count, n_ranges)
    return NgramCounts(
        len(unigram_count) - 2,
        unigram_count.astype(np.uint32),
        unigram_weighted,
        *_merge_order(shard_paths, "bigram", weights, bounds, on_range),
        *_merge_order(shard_paths, "trigram", weights, bounds, on_range),
    )


def _range_bounds(unigram_count: NDArray[np.int64], n_ranges: int) -> list[int]:
    """Cut the word ids into ranges that occur about equally often."""
    share = np.cumsum(unigram_count) / max(1, unigram_count.sum())
    inner = np.searchsorted(share, np.arange(1, n_ranges) / n_ranges)
    return [0, *inner.tolist(), len(unigram_count)]


def _merge_order(
    shard_paths: Sequence[Path],
    order: str,
    weights: Mapping[str, float],
    bounds: Sequence[int],
    on_range: Callable[[], None] | None,
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.float64]]:
    shift = KEY_BITS * _N_CONTEXT_WORDS[order]
    key_parts, count_parts, weighted_parts = [], [], []
    for low, high in itertools.pairwise(bounds):
        keys, counts, weighted = [], [], []
        for path in shard_paths:
            shard_keys = np.load(path / f"{order}_keys.npy", mmap_mode="r")
            first, last = np.searchsorted(
                shard_keys, np.array([low << shift, high << shift], dtype=np.uint64)
            )
            if first == last:
                continue
            count = np.load(path / f"{order}_count.npy", mmap_mode="r")[first:last]
            keys.append(shard_keys[first:last])
            counts.append(count)
            weighted.append(count * np.float64(weights[path.name]))
        if keys:
            merged, (count_sum, weighted_sum) = sum_by_key(
                np.concatenate(keys), [np.concatenate(counts), np.concatenate(weighted)]
            )
            key_parts.append(merged)
            count_parts.append(count_sum.astype(np.uint32))
            weighted_parts.append(weighted_sum)
        if on_range is not None:
            on_range()
    return (
        _join(key_parts, np.uint64),
        _join(count_parts, np.uint32),
        _join(weighted_parts, np.float64),
    )


def _join(parts: list[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    """Concatenate parts and let them go, so that at most one column is held twice."""
    joined = np.concatenate(parts) if parts else np.zeros(0, dtype)
    parts.clear()
    return joined
