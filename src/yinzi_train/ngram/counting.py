"""Count words, word pairs and word triples of text files, shard by shard.

One shard is one text file. Each is segmented and counted on its own and saved; `merging` adds them
up. The shard step is a plain function of its arguments: it runs in this process, in a pool of
processes, or as a Ray task, with the same bits as result.
"""

from __future__ import annotations

import concurrent.futures
import importlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError, MissingExtra, YinziError
from yinzi.lexicon.segmentation import Segmenter
from yinzi_train.corpus.hanzi_runs import Fold, read_hanzi_runs
from yinzi_train.corpus.worker_pool import worker_pool
from yinzi_train.ngram.counts import pack_bigrams, pack_trigrams
from yinzi_train.ngram.merging import merge_shards, sum_by_key

__all__ = [
    "ShardSummary",
    "count_runs",
    "count_shard",
    "count_shards",
    "count_shards_with_ray",
    "is_counted",
    "merge_shards",
    "read_shard_summary",
    "shard_name",
]

FLUSH_TOKENS: Final = 12_000_000
"""N-grams held one by one before they are sorted and added up; bounds a worker's memory."""

_SUMMARY_NAME: Final = "shard.json"

_segmenter: Segmenter | None = None


@dataclass(frozen=True)
class ShardSummary:
    """What a shard was counted from.

    Attributes:
        fingerprint: of all that its counts depend on; "" where none was given.
        n_hanzi: hanzi in the text.
        n_runs: runs of hanzi in the text.
    """

    fingerprint: str
    n_hanzi: int
    n_runs: int


def shard_name(path: Path) -> str:
    """Return the name of a text file's shard.

    >>> shard_name(Path("corpora/chat__jokes.txt.xz"))
    'chat__jokes'
    """
    return path.name.split(".")[0]


def read_shard_summary(shard_path: Path) -> ShardSummary:
    """Read what a finished shard was counted from.

    Raises:
        ConfigError: the folder is no finished shard.
    """
    try:
        return ShardSummary(**json.loads((shard_path / _SUMMARY_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{str(shard_path)!r} is no finished shard ({error}): delete it and count again"
        ) from error


def is_counted(shard_path: Path, *, fingerprint: str) -> bool:
    """Tell whether a shard is finished and was counted from what the fingerprint stands for."""
    try:
        return read_shard_summary(shard_path).fingerprint == fingerprint
    except ConfigError:
        return False


def count_runs(
    word_ids: NDArray[np.int32], n_tokens: NDArray[np.int64], *, n_words: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]:
    """List the n-grams of segmented runs, each between a sentence start and a sentence end.

    Unknown words (id ``n_words``) are counted neither themselves nor in longer n-grams.

    Args:
        word_ids: int32, the words of all runs one after another.
        n_tokens: int64 [n_runs], how many of them belong to each run.
        n_words: size of the vocabulary; the ids of start and end follow it.

    Returns:
        unigram counts int64 [n_words + 2], bigram keys and trigram keys (one per occurrence).

    >>> unigrams, bigrams, trigrams = count_runs(
    ...     np.array([0, 1], dtype=np.int32), np.array([2]), n_words=2
    ... )
    >>> unigrams.tolist(), len(bigrams), len(trigrams)
    ([1, 1, 1, 1], 3, 2)
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
    is_known = ~(is_word & (flat == n_words))
    is_predicted = is_known.copy()
    is_predicted[run_start] = False
    unigrams = np.bincount(flat[is_predicted], minlength=n_words + 2)
    unigrams[bos_id] = n_runs
    # A sentence end is followed by a start, which is never predicted: pairs stay inside runs.
    is_pair = is_known[:-1] & is_predicted[1:]
    bigrams = pack_bigrams(flat[:-1][is_pair], flat[1:][is_pair])
    is_triple = is_pair[:-1] & is_pair[1:]
    trigrams = pack_trigrams(flat[:-2][is_triple], flat[1:-1][is_triple], flat[2:][is_triple])
    return unigrams, bigrams, trigrams


class _KeyCounter:
    """Count keys that come in parts; at most `FLUSH_TOKENS` wait to be sorted."""

    def __init__(self) -> None:
        self._keys = np.zeros(0, dtype=np.uint64)
        self._counts = np.zeros(0, dtype=np.int64)
        self._pending: list[NDArray[np.uint64]] = []
        self._n_pending = 0

    def add(self, keys: NDArray[np.uint64]) -> None:
        self._pending.append(keys)
        self._n_pending += len(keys)
        if self._n_pending > FLUSH_TOKENS:
            self._flush()

    def totals(self) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """Return the distinct keys, sorted, and how often each came."""
        self._flush()
        return self._keys, self._counts.astype(np.uint32)

    def _flush(self) -> None:
        if not self._pending:
            return
        keys, counts = np.unique(np.concatenate(self._pending), return_counts=True)
        self._pending, self._n_pending = [], 0
        if len(self._keys):
            keys = np.concatenate((self._keys, keys))
            counts = np.concatenate((self._counts, counts))
            keys, (counts,) = sum_by_key(keys, [counts])
        self._keys, self._counts = keys, counts


def count_shard(
    path: Path,
    shard_path: Path,
    *,
    segmenter: Segmenter,
    fingerprint: str = "",
    left_out: Fold | None = None,
) -> ShardSummary:
    """Count one text file and save its counts; a finished shard is not counted again.

    Args:
        path: text file, UTF-8, plain or .xz.
        shard_path: folder for the counts; written under another name, then renamed, so that it
            is whole if it is there.
        segmenter: cuts runs of hanzi into words.
        fingerprint: of all that the counts depend on: text, lexicon, settings. A finished shard
            with another one is counted again.
        left_out: lines that are not counted.

    Raises:
        ConfigError: the text cannot be read.
    """
    if is_counted(shard_path, fingerprint=fingerprint):
        return read_shard_summary(shard_path)
    unigrams = np.zeros(segmenter.n_words + 2, dtype=np.int64)
    bigrams, trigrams = _KeyCounter(), _KeyCounter()
    n_hanzi = n_runs = 0
    for runs in read_hanzi_runs(path, left_out=left_out):
        block_unigrams, block_bigrams, block_trigrams = count_runs(
            *segmenter.segment(runs.codes, runs.starts, runs.lengths), n_words=segmenter.n_words
        )
        unigrams += block_unigrams
        bigrams.add(block_bigrams)
        trigrams.add(block_trigrams)
        n_hanzi += int(runs.lengths.sum())
        n_runs += len(runs.lengths)
    arrays: dict[str, NDArray[np.generic]] = {"unigram_count": unigrams.astype(np.uint32)}
    arrays["bigram_keys"], arrays["bigram_count"] = bigrams.totals()
    arrays["trigram_keys"], arrays["trigram_count"] = trigrams.totals()
    summary = ShardSummary(fingerprint, n_hanzi, n_runs)
    _save_shard(shard_path, arrays, summary)
    return summary


def _save_shard(
    shard_path: Path, arrays: dict[str, NDArray[np.generic]], summary: ShardSummary
) -> None:
    """Write a shard beside its place and rename it; what a killed job left there goes."""
    for left_over in shard_path.parent.glob(f"{shard_path.name}.*.part"):
        shutil.rmtree(left_over, ignore_errors=True)
    part_path = shard_path.with_name(f"{shard_path.name}.{os.getpid()}.part")
    part_path.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(part_path / f"{name}.npy", array)
    (part_path / _SUMMARY_NAME).write_text(json.dumps(asdict(summary)), encoding="utf-8")
    if shard_path.exists():
        shutil.rmtree(shard_path)
    part_path.rename(shard_path)


def count_shards(
    paths: Iterable[Path],
    counts_folder: Path,
    *,
    segmenter: Segmenter,
    n_workers: int = 1,
    fingerprints: dict[Path, str] | None = None,
    left_out: Fold | None = None,
    on_shard: Callable[[Path], None] | None = None,
) -> list[Path]:
    """Count text files on this machine, the largest first.

    Args:
        paths: text files; each becomes the folder ``counts_folder/<shard_name>``.
        counts_folder: where shards go; finished ones there are kept.
        segmenter: cuts runs of hanzi into words.
        n_workers: processes; with 1 no other process is started.
        fingerprints: of each file, as `count_shard` takes it.
        left_out: lines of every file that are not counted.
        on_shard: called with each file that is done.

    Returns:
        the folders of the shards, in the order of `paths`.

    Raises:
        ConfigError: a text cannot be read, or two files have the same shard name.
        YinziError: a process was killed from outside.
    """
    paths = list(paths)
    shards = _shard_paths(paths, counts_folder)
    arguments = [
        (path, shards[path], (fingerprints or {}).get(path, "")) for path in _largest_first(paths)
    ]
    if n_workers == 1:
        for path, shard_path, fingerprint in arguments:
            count_shard(
                path,
                shard_path,
                segmenter=segmenter,
                fingerprint=fingerprint,
                left_out=left_out,
            )
            if on_shard is not None:
                on_shard(path)
        return [shards[path] for path in paths]
    with worker_pool(n_workers, initializer=_start_worker, arguments=(segmenter,)) as pool:
        futures = {pool.submit(_count_in_worker, *row, left_out): row[0] for row in arguments}
        for future in concurrent.futures.as_completed(futures):
            future.result()
            if on_shard is not None:
                on_shard(futures[future])
    return [shards[path] for path in paths]


def _start_worker(segmenter: Segmenter) -> None:
    global _segmenter  # noqa: PLW0603 - one segmenter a worker process, not one a task
    _segmenter = segmenter


def _count_in_worker(
    path: Path, shard_path: Path, fingerprint: str, left_out: Fold | None
) -> ShardSummary:
    assert _segmenter is not None
    return count_shard(
        path, shard_path, segmenter=_segmenter, fingerprint=fingerprint, left_out=left_out
    )


def count_shards_with_ray(
    paths: Iterable[Path],
    counts_folder: Path,
    *,
    segmenter: Segmenter,
    fingerprints: dict[Path, str] | None = None,
    left_out: Fold | None = None,
    on_shard: Callable[[Path], None] | None = None,
) -> list[Path]:
    """Count text files as Ray tasks, the largest first, on the cluster Ray is connected to.

    Args, returns and raises as `count_shards`. The paths must be absolute, and readable and
    writable on every worker.

    Raises:
        MissingExtra: Ray is not installed.
    """
    ray = _import_ray()
    paths = list(paths)
    shards = _shard_paths(paths, counts_folder)
    task = ray.remote(count_shard)
    shared_segmenter = ray.put(segmenter)  # one copy a machine, mapped by its workers
    waiting = _largest_first(paths)[::-1]
    pending: dict[Any, Path] = {}
    # Few at a time: what runs when a text turns out bad just ends. (Cancelling a task that ends at
    # the same moment takes this process down: Ray 2.60, task_manager.cc, CompletePendingTask.)
    n_at_once = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
    while waiting or pending:
        while waiting and len(pending) < n_at_once:
            path = waiting.pop()
            fingerprint = (fingerprints or {}).get(path, "")
            reference = task.remote(
                path,
                shards[path],
                segmenter=shared_segmenter,
                fingerprint=fingerprint,
                left_out=left_out,
            )
            pending[reference] = path
        (finished,), _ = ray.wait(list(pending), num_returns=1)
        try:
            ray.get(finished)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, YinziError):
                raise error.cause from error
            raise
        path = pending.pop(finished)
        if on_shard is not None:
            on_shard(path)
    return [shards[path] for path in paths]


def _import_ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise MissingExtra("counting with Ray needs it: pip install 'yinzi[train]'") from error


def _shard_paths(paths: Sequence[Path], counts_folder: Path) -> dict[Path, Path]:
    shards = {path: counts_folder / shard_name(path) for path in paths}
    names = [shard_path.name for shard_path in shards.values()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"several texts are named {twice[:5]} before their first dot: give each its own name"
        )
    return shards


def _largest_first(paths: Sequence[Path]) -> list[Path]:
    """Order files so that workers end at about the same time."""
    try:
        return sorted(paths, key=lambda path: (-path.stat().st_size, path.name))
    except OSError as error:
        raise ConfigError(f"cannot read text {error.filename!r}: {error.strerror}") from error
