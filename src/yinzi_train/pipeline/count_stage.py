"""Count the n-grams of all texts of a build, one shard a text."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from yinzi.errors import MissingExtra
from yinzi.lexicon.segmentation import Segmenter
from yinzi_train.lexicon.frequencies import word_logprobs
from yinzi_train.ngram.counting import (
    count_shards,
    count_shards_with_ray,
    read_shard_summary,
)
from yinzi_train.pipeline.build import Build, Finished, ReportProgress
from yinzi_train.pipeline.records import StageRecord, code_digest, digest, file_digests

__all__ = ["inputs", "ray_connection", "run"]

_CODE: Final = (
    "yinzi.lexicon.segmentation",
    "yinzi.text",
    "yinzi_train.corpus.hanzi_runs",
    "yinzi_train.lexicon.frequencies",
    "yinzi_train.ngram.counting",
    "yinzi_train.ngram.counts",
)


def inputs(build: Build, records: Mapping[str, StageRecord]) -> dict[str, Any]:
    """Return what the counts depend on; a shard's fingerprint is of these and its own text."""
    outputs = records["lexicon"].outputs
    options = build.config.counting
    return {
        "options": {"pseudo_count": options.pseudo_count, "left_out": options.left_out},
        "texts": records["lexicon"].inputs["texts"],
        "words": {name: value for name, value in outputs.items() if name.startswith("words/")},
        "code": code_digest(_CODE),
    }


def run(build: Build, records: Mapping[str, StageRecord], on_progress: ReportProgress) -> Finished:
    """Count all texts; shards that are finished are kept."""
    depends = inputs(build, records)
    texts = depends.pop("texts")
    paths = [corpus.path for corpus in build.data.corpora()]
    fingerprints = {path: digest([depends, texts[path.name]]) for path in paths}
    n_done = 0

    def count_shard_done(path: Path) -> None:
        nonlocal n_done
        n_done += 1
        on_progress(n_done, len(paths))

    on_progress(0, len(paths))
    segmenter = _segmenter(build)
    left_out = build.config.counting.left_out_fold()
    if build.uses_ray:
        with ray_connection(n_workers=build.n_workers):
            shards = count_shards_with_ray(
                paths,
                build.counts_path,
                segmenter=segmenter,
                fingerprints=fingerprints,
                left_out=left_out,
                on_shard=count_shard_done,
            )
    else:
        shards = count_shards(
            paths,
            build.counts_path,
            segmenter=segmenter,
            n_workers=build.n_workers,
            fingerprints=fingerprints,
            left_out=left_out,
            on_shard=count_shard_done,
        )
    n_hanzi = {path.name: read_shard_summary(path).n_hanzi for path in shards}
    summaries = (file for path in shards for file in path.glob("*.json"))
    return Finished(file_digests(summaries, folder=build.out), {"n_hanzi": n_hanzi})


def _segmenter(build: Build) -> Segmenter:
    words = (build.words_path / "words.txt").read_text(encoding="utf-8").split("\n")
    counts = np.load(build.words_path / "counts.npy")
    logprobs = word_logprobs(counts, pseudo_count=build.config.counting.pseudo_count)
    return Segmenter.from_words(words, logprobs)


@contextmanager
def ray_connection(*, n_workers: int) -> Iterator[None]:
    """Connect to the cluster that RAY_ADDRESS names, or start workers on this machine.

    A connection that is there is used and stays. Ray's usage reports are switched off unless the
    environment asks for them.

    Raises:
        MissingExtra: Ray is not installed.
    """
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise MissingExtra("--ray needs Ray: pip install 'yinzi[train]'") from error
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, logging_level="WARNING")
    else:
        ray.init(
            "local",
            num_cpus=n_workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    try:
        yield
    finally:
        ray.shutdown()
