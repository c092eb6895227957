"""Turn the counts of a build into the tables of its language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from yinzi_train.ngram.kneser_ney import estimate
from yinzi_train.ngram.merging import merge_shards
from yinzi_train.ngram.model import NgramModel
from yinzi_train.ngram.pruning import HistoryLogprobs, history_logprobs, prune_entropy
from yinzi_train.ngram.tables import write_tables
from yinzi_train.ngram.word_vectors import VectorReport, write_vectors
from yinzi_train.pipeline.build import Build, Finished, ReportProgress, replaced_folder
from yinzi_train.pipeline.records import StageRecord, code_digest, file_digests

__all__ = ["inputs", "run"]

_CODE: Final = (
    "yinzi.language_model.cells",
    "yinzi.language_model.fuse",
    "yinzi.language_model.hashing",
    "yinzi_train.ngram.context_slices",
    "yinzi_train.ngram.counts",
    "yinzi_train.ngram.discounts",
    "yinzi_train.ngram.kneser_ney",
    "yinzi_train.ngram.merging",
    "yinzi_train.ngram.pruning",
    "yinzi_train.ngram.tables",
    "yinzi_train.ngram.word_vectors",
)


def inputs(build: Build, records: Mapping[str, StageRecord]) -> dict[str, Any]:
    """Return what the language model depends on."""
    return {
        "options": asdict(build.config.language_model),
        "weights": build.shard_weights(),
        "counts": records["count"].outputs,
        "code": code_digest(_CODE),
    }


def run(build: Build, records: Mapping[str, StageRecord], on_progress: ReportProgress) -> Finished:
    """Merge the shards, estimate, prune and write; and make the vectors of the words."""
    del records
    options = build.config.language_model
    n_done, n_total = 0, 2 * build.config.counting.n_ranges + 3 + (options.n_ngrams is not None)

    def step() -> None:
        nonlocal n_done
        n_done += 1
        on_progress(n_done, n_total)

    on_progress(0, n_total)
    with replaced_folder(build.language_model_path) as folder:
        model, history, n_counted, vectors = _estimate(build, folder, step)
        step()
        if options.n_ngrams is not None:
            model = prune_entropy(model, n_ngrams=options.n_ngrams, history=history)
            step()
        tables = write_tables(model, folder, options=options.tables)
    step()
    report = {
        "parameters": tables.parameters,
        "n_counted": n_counted,
        "n_ngrams": {"bigram": len(model.bigrams), "trigram": len(model.trigrams)},
        "n_bytes": tables.total_bytes + (vectors.n_bytes if vectors else 0),
        "vectors": asdict(vectors) if vectors else None,
        "rmse": tables.rmse,
        "false_positive_rate": tables.false_positive_rate,
        "n_dropped_without_suffix": tables.n_dropped_without_suffix,
        "n_dropped_without_context": tables.n_dropped_without_context,
    }
    files = build.language_model_path.iterdir()
    return Finished(file_digests(files, folder=build.out), report)


def _estimate(
    build: Build, folder: Path, step: Any
) -> tuple[NgramModel, HistoryLogprobs | None, dict[str, int], VectorReport | None]:
    """Estimate the model in a scope of its own, so that the counts are let go behind it.

    The vectors are made of the same counts; they are written at once.
    """
    options = build.config.language_model
    weights = build.shard_weights()
    counts = merge_shards(
        [build.counts_path / shard for shard in weights],
        weights=weights,
        n_ranges=build.config.counting.n_ranges,
        on_range=step,
    )
    model = estimate(counts, options=options.kneser_ney())
    history = history_logprobs(model, counts=counts) if options.n_ngrams is not None else None
    n_counted = {"bigram": len(counts.bigram_keys), "trigram": len(counts.trigram_keys)}
    vectors = None
    if options.vectors.n_words:
        vectors = write_vectors(counts, folder, options=options.vectors)
    step()
    return model, history, n_counted, vectors
