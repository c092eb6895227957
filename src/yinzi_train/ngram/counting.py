"""Count words, word pairs and word triples of text files, shard by shard.

One shard is one text file. Each is segmented and counted on its own and saved; shards are then
merged by ranges of the first word, so that memory stays bounded by the largest range. The shard
step is a plain function of its arguments: it runs in this process, in a pool, or as a Ray task,
with the same bits as result.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError, MissingExtra
from yinzi.lexicon.segmentation import Segmenter
from yinzi_train.corpus.hanzi_runs import read_hanzi_runs
from yinzi_train.ngram.counts import NgramCounts, pack_bigrams, pack_trigrams

__all__ = [
    "count_runs",
    "count_shard",
    "count_shards",
    "count_shards_with_ray",
    "merge_shards",
]

logger = logging.getLogger(__name__)

FLUSH_TOKENS = 12_000_000


def count_runs(
    word_ids: NDArray[np.int32], n_tokens: NDArray[np.int64], *, n_words: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]:
    """List the n-grams of segmented runs.

    Unknown words (id ``n_words``) are no words: they cut a run like a blank.

    Returns:
        unigram counts int64 [n_words + 2], bigram keys and trigram keys (one per occurrence).
    """
    bos_id, eos_id = n_words, n_words + 1
    n_runs = len(n_tokens)
    # Lay out every run as <s> w ... w </s> in one flat array.
    flat = np.full(len(word_ids) + 2 * n_runs, eos_id, dtype=np.int32)
    run_start = np.cumsum(n_tokens + 2) - (n_tokens + 2)
    is_word = np.ones(len(flat), dtype=np.bool_)
    is_word[run_start] = False
    is_word[run_start + n_tokens + 1] = False
    flat[run_start] = bos_id
    flat[is_word] = word_ids
    unknown = is_word & (flat == n_words)
    after_bos = np.zeros(len(flat), dtype=np.bool_)
    after_bos[run_start] = True
    valid = ~unknown
    predicted = valid & ~after_bos
    unigrams = np.bincount(flat[predicted], minlength=n_words + 2)
    unigrams[bos_id] = n_runs
    pair = valid[:-1] & predicted[1:] & ~(after_bos[:-1] & (flat[1:] == eos_id))
    pair &= flat[:-1] != eos_id
    bigrams = pack_bigrams(flat[:-1][pair], flat[1:][pair])
    triple = pair[:-1] & pair[1:]
    trigrams = pack_trigrams(flat[:-2][triple], flat[1:-1][triple], flat[2:][triple])
    return unigrams, bigrams, trigrams


def _sum_by_key(
    keys: NDArray[np.uint64], values: Sequence[NDArray[np.generic]]
) -> tuple[NDArray[np.uint64], list[NDArray[np.generic]]]:
    """Sort keys and add up the values of equal ones."""
    if not len(keys):
        return keys, list(values)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    return keys[first], [np.add.reduceat(value[order], first) for value in values]


def count_shard(path: Path, out_path: Path, *, segmenter: Segmenter) -> Path:
    """Count one text file and save its counts; a finished shard is not counted again.

    Args:
        path: text file, UTF-8, plain or .xz.
        out_path: folder for the counts; written under another name, then renamed.
        segmenter: cuts runs of hanzi into words.
    """
    if out_path.exists():
        return out_path
    unigrams = np.zeros(segmenter.n_words + 2, dtype=np.int64)
    merged: dict[str, tuple[NDArray[np.uint64], NDArray[np.int64]]] = {}
    pending: dict[str, list[NDArray[np.uint64]]] = {"bigram": [], "trigram": []}
    n_pending = 0

    def flush() -> None:
        for order, parts in pending.items():
            if parts:
                keys, counts = np.unique(np.concatenate(parts), return_counts=True)
                if order in merged:
                    old_keys, old_counts = merged[order]
                    keys, summed = _sum_by_key(
                        np.concatenate((old_keys, keys)), [np.concatenate((old_counts, counts))]
                    )
                    counts = summed[0].astype(np.int64)
                merged[order] = (keys, counts)
                parts.clear()

    for runs in read_hanzi_runs(path):
        block_unigrams, bigrams, trigrams = count_runs(
            *segmenter.segment(runs.codes, runs.starts, runs.lengths), n_words=segmenter.n_words
        )
        unigrams += block_unigrams
        pending["bigram"].append(bigrams)
        pending["trigram"].append(trigrams)
        n_pending += len(bigrams)
        if n_pending > FLUSH_TOKENS:
            flush()
            n_pending = 0
    flush()
    empty = (np.zeros(0, np.uint64), np.zeros(0, np.int64))
    arrays = {"unigram_count": unigrams.astype(np.uint32)}
    for order in ("bigram", "trigram"):
        keys, counts = merged.get(order, empty)
        arrays[f"{order}_keys"], arrays[f"{order}_count"] = keys, counts.astype(np.uint32)
    part_path = out_path.with_name(f"{out_path.name}.{os.getpid()}.part")
    part_path.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(part_path / f"{name}.npy", array)
    part_path.rename(out_path)
    return out_path


def count_shards(
    paths: Iterable[Path],
    out_folder: Path,
    *,
    segmenter: Segmenter,
    on_shard: Callable[[Path], None] | None = None,
) -> list[Path]:
    """Count text files one after another in this process.

    Args:
        paths: text files; each becomes the folder ``out_folder/<name>``.
        out_folder: where shard counts go; finished ones there are kept.
        segmenter: cuts runs of hanzi into words.
        on_shard: called with each file that is done.
    """
    done = []
    for path in paths:
        done.append(count_shard(path, _shard_path(path, out_folder), segmenter=segmenter))
        if on_shard is not None:
            on_shard(path)
    return done


def count_shards_with_ray(
    paths: Iterable[Path],
    out_folder: Path,
    *,
    segmenter: Segmenter,
    on_shard: Callable[[Path], None] | None = None,
) -> list[Path]:
    """Count text files as Ray tasks, largest first, on whatever cluster Ray is connected to.

    Args: as `count_shards`. The paths must be readable and writable on every worker.

    Raises:
        MissingExtra: Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("counting with Ray needs it: pip install 'yinzi[train]'") from error
    task = ray.remote(count_shard)
    shared_segmenter = ray.put(segmenter)
    ordered = sorted(paths, key=lambda path: -path.stat().st_size)
    pending = {
        task.remote(path, _shard_path(path, out_folder), segmenter=shared_segmenter): path
        for path in ordered
    }
    done = {}
    while pending:
        finished, _ = ray.wait(list(pending), num_returns=1)
        path = pending.pop(finished[0])
        done[path] = ray.get(finished[0])
        if on_shard is not None:
            on_shard(path)
    return [done[path] for path in ordered]


def merge_shards(
    shard_paths: Sequence[Path],
    *,
    weights: Mapping[str, float],
    n_ranges: int = 8,
) -> NgramCounts:
    """Add up the counts of shards, raw and weighted.

    Shards are read in the order of their names, so the result does not depend on who counted
    them when. Each pass holds one range of first words of all shards.

    Args:
        shard_paths: folders that `count_shard` wrote.
        weights: weight of each shard by its name; a missing one is an error.
        n_ranges: passes over the shards; more need less memory.
    """
    shard_paths = sorted(shard_paths, key=lambda path: path.name)
    unknown = [path.name for path in shard_paths if path.name not in weights]
    if unknown:
        raise ConfigError(f"no weight for {unknown[:5]}: add them to the [weights] of the config")
    if not shard_paths:
        raise ConfigError("no shards to merge: count some text first")
    unigram_count: NDArray[np.int64] | None = None
    unigram_weighted: NDArray[np.float64] | None = None
    for path in shard_paths:
        counts = np.load(path / "unigram_count.npy").astype(np.int64)
        if unigram_count is None or unigram_weighted is None:
            unigram_count, unigram_weighted = np.zeros_like(counts), np.zeros(len(counts))
        elif len(counts) != len(unigram_count):
            raise ConfigError(
                f"{path.name} was counted with another lexicon: delete the old shards and recount"
            )
        unigram_count += counts
        unigram_weighted += counts * weights[path.name]
    assert unigram_count is not None and unigram_weighted is not None
    bigrams = _merge_order(shard_paths, "bigram", weights, unigram_count, n_ranges)
    trigrams = _merge_order(shard_paths, "trigram", weights, unigram_count, n_ranges)
    return NgramCounts(
        len(unigram_count) - 2,
        unigram_count.astype(np.uint32),
        unigram_weighted,
        *bigrams,
        *trigrams,
    )


def _merge_order(
    shard_paths: Sequence[Path],
    order: str,
    weights: Mapping[str, float],
    unigram_count: NDArray[np.int64],
    n_ranges: int,
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.float64]]:
    shift = np.uint64(21 if order == "bigram" else 42)
    share = np.cumsum(unigram_count) / max(1, unigram_count.sum())
    inner = np.searchsorted(share, np.arange(1, n_ranges) / n_ranges)
    bounds = np.concatenate(([0], inner, [len(unigram_count)])).astype(np.uint64) << shift
    parts: list[tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.float64]]] = []
    for low, high in zip(bounds[:-1], bounds[1:], strict=True):
        if low == high:
            continue
        keys, counts, weighted = [], [], []
        for path in shard_paths:
            shard_keys = np.load(path / f"{order}_keys.npy", mmap_mode="r")
            first, last = np.searchsorted(shard_keys, np.array([low, high]))
            if first == last:
                continue
            count = np.load(path / f"{order}_count.npy", mmap_mode="r")[first:last]
            keys.append(shard_keys[first:last])
            counts.append(count)
            weighted.append(count * weights[path.name])
        if keys:
            merged, summed = _sum_by_key(
                np.concatenate(keys), [np.concatenate(counts), np.concatenate(weighted)]
            )
            parts.append((merged, summed[0].astype(np.uint32), summed[1].astype(np.float64)))
    if not parts:
        return np.zeros(0, np.uint64), np.zeros(0, np.uint32), np.zeros(0, np.float64)
    return (
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
    )


def _shard_path(path: Path, out_folder: Path) -> Path:
    return out_folder / path.name.split(".")[0]
