"""Estimate how often each word of a lexicon is used, by segmenting text with it again and again.

The first segmentation uses the frequencies that word lists publish; each later one uses the counts
of the one before (hard expectation maximisation). One round from published frequencies is nearly
the fixed point: a second moved 0.6 % of the counts, a third 0.05 %.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yinzi.lexicon.segmentation import Segmenter
from yinzi_train.corpus.hanzi_runs import read_hanzi_runs
from yinzi_train.corpus.worker_pool import worker_pool

__all__ = ["count_words", "estimate_frequencies", "word_logprobs"]

_segmenter: Segmenter | None = None


def word_logprobs(counts: NDArray[np.float64], *, pseudo_count: float = 0.5) -> NDArray[np.float32]:
    """Turn counts into natural log probabilities; a pseudo count keeps unseen words reachable.

    >>> np.exp(word_logprobs(np.array([2.5, 0.5]))).round(2).tolist()
    [0.75, 0.25]
    """
    smoothed = counts + pseudo_count
    logprobs: NDArray[np.float64] = np.log(smoothed / smoothed.sum())
    return logprobs.astype(np.float32)


def _start_worker(words: Sequence[str], logprobs: NDArray[np.float32]) -> None:
    global _segmenter  # noqa: PLW0603 - one segmenter a worker process, not one a task
    _segmenter = Segmenter.from_words(list(words), logprobs)


def _count_file(path: Path) -> NDArray[np.int64]:
    assert _segmenter is not None
    counts = np.zeros(_segmenter.n_words + 1, dtype=np.int64)
    for runs in read_hanzi_runs(path):
        ids, _ = _segmenter.segment(runs.codes, runs.starts, runs.lengths)
        counts += np.bincount(ids, minlength=len(counts))
    return counts[:-1]


def count_words(
    words: Sequence[str],
    logprobs: NDArray[np.float32],
    paths: Sequence[Path],
    *,
    n_workers: int,
    on_file: Callable[[Path], None] | None = None,
) -> dict[Path, NDArray[np.int64]]:
    """Segment files and count the words of each: int64 [n_words] a file."""
    ordered = sorted(paths, key=lambda path: -path.stat().st_size)
    counts: dict[Path, NDArray[np.int64]] = {}
    with worker_pool(n_workers, initializer=_start_worker, arguments=(words, logprobs)) as pool:
        futures = {pool.submit(_count_file, path): path for path in ordered}
        for future in concurrent.futures.as_completed(futures):
            counts[futures[future]] = future.result()
            if on_file is not None:
                on_file(futures[future])
    return counts


def estimate_frequencies(
    words: Sequence[str],
    published: NDArray[np.float64],
    paths: Sequence[Path],
    *,
    n_rounds: int,
    n_workers: int,
    on_file: Callable[[Path], None] | None = None,
) -> NDArray[np.float64]:
    """Estimate raw counts of words in text.

    Args:
        words: the lexicon's words.
        published: float64 [n_words], frequencies of a published list, 0 where unknown.
        paths: text files.
        n_rounds: segmentations; at least 1.
        n_workers: processes.
        on_file: called with each file that is done.

    Returns:
        float64 [n_words], occurrences in the last segmentation.
    """
    counts = published
    for _ in range(n_rounds):
        by_file = count_words(
            words, word_logprobs(counts), paths, n_workers=n_workers, on_file=on_file
        )
        counts = np.sum(list(by_file.values()), axis=0).astype(np.float64)
    return counts
