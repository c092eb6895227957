"""Put lexicon, language model, settings and sources of a build together into its artifact."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

import yinzi
from yinzi.artifact import Source
from yinzi.errors import ConfigError
from yinzi_train.export import write_artifact
from yinzi_train.pipeline.build import Build, Finished, ReportProgress
from yinzi_train.pipeline.data_folder import OPEN_MARK
from yinzi_train.pipeline.records import StageRecord

__all__ = ["BUDGET_BYTES", "check_budgets", "commit_of", "inputs", "run"]

BUDGET_BYTES: Final = {"lexicon": 8 << 20, "language_model": 26 << 20}
"""Largest size of each section."""


def inputs(build: Build, records: Mapping[str, StageRecord]) -> dict[str, Any]:
    """Return what the artifact depends on."""
    return {
        "config": build.config.to_dict(),
        "texts": records["lexicon"].inputs["texts"],
        "word lists": records["lexicon"].inputs["word lists"],
        "lexicon": records["lexicon"].outputs,
        "language model": [
            records["language-model"].outputs,
            records["language-model"].report["parameters"],
        ],
        "sources": [asdict(source) for source in _sources(build, records)],
        "place": str(build.artifact_path),
    }


def run(build: Build, records: Mapping[str, StageRecord], on_progress: ReportProgress) -> Finished:
    """Write the artifact."""
    on_progress(0, 1)
    sections = {"lexicon": build.lexicon_path, "language_model": build.language_model_path}
    sizes = {
        name: sum(path.stat().st_size for path in folder.glob("*.npy"))
        for name, folder in sections.items()
    }
    check_budgets(sizes)
    language_model, lexicon = records["language-model"].report, records["lexicon"]
    config = build.config
    manifest = write_artifact(
        build.artifact_path,
        name=config.artifact.name,
        version=config.artifact.version,
        created=build.created,
        components=sections,
        parameters={
            "language_model": language_model["parameters"],
            "decoder": asdict(config.decoder),
        },
        sources=_sources(build, records),
        training={
            "config": config.to_dict(),
            "seed": config.language_model.tables.seed,
            "commit": commit_of(Path(__file__).parent),
            "versions": {
                "yinzi": yinzi.__version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
                "pypinyin": lexicon.inputs["pypinyin"],
            },
            "n_hanzi": sum(records["count"].report["n_hanzi"].values()),
            "n_words": lexicon.report["n_words"],
            "n_ngrams_counted": language_model["n_counted"],
            "n_ngrams": language_model["n_ngrams"],
            "n_bytes": sizes,
            "sha256": {
                "corpora": lexicon.inputs["texts"],
                "lexicons": lexicon.inputs["word lists"],
            },
        },
    )
    on_progress(1, 1)
    folder = build.artifact_path
    digests = {str(folder / name): entry.sha256 for name, entry in manifest.files.items()}
    report = {"path": str(folder), "n_bytes": {**sizes, "total": manifest.total_bytes}}
    return Finished(digests, report)


def check_budgets(sizes: Mapping[str, int]) -> None:
    """Check the sizes of sections against `BUDGET_BYTES`.

    >>> check_budgets({"lexicon": 9 << 20})
    Traceback (most recent call last):
    ...
    yinzi.errors.ConfigError: lexicon has 9.00 MiB, at most 8 MiB may ship: ...

    Raises:
        ConfigError: a section is too large.
    """
    advice = {
        "lexicon": "lower lexicon.max_words",
        "language_model": "lower language_model.n_ngrams, or raise language_model.min_count",
    }
    for name, budget in BUDGET_BYTES.items():
        if sizes.get(name, 0) > budget:
            raise ConfigError(
                f"{name} has {sizes[name] / 2**20:.2f} MiB, at most {budget / 2**20:.0f} MiB may "
                f"ship: {advice[name]}"
            )


def commit_of(folder: Path) -> str | None:
    """Return the git commit that a folder is at; None outside of a work tree.

    A work tree with changes has ``-dirty`` behind it.
    """

    def git(*arguments: str) -> str:
        ended = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
        return ended.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return f"{commit}-dirty" if git("status", "--porcelain") else commit
    except (OSError, subprocess.CalledProcessError):
        return None


def _sources(build: Build, records: Mapping[str, StageRecord]) -> list[Source]:
    """List every source; the share of a text is that of its weighted hanzi among all."""
    n_hanzi, weights = records["count"].report["n_hanzi"], build.shard_weights()
    corpora = build.data.corpora()
    total = sum(weight * n_hanzi[shard] for shard, weight in weights.items())
    sources = [
        Source(
            corpus.path.name,
            corpus.source,
            corpus.licence,
            round(weights.get(corpus.shard, 0.0) * n_hanzi[corpus.shard] / max(total, 1.0), 7),
            "word frequencies, n-gram counts" if corpus.shard in weights else "word frequencies",
        )
        for corpus in corpora
    ]
    sources += [
        Source(listed.path.name, listed.source, listed.licence, None, listed.use)
        for listed in build.data.word_lists()
    ]
    version = importlib.metadata.version("pypinyin")
    sources.append(
        Source(
            "pypinyin",
            f"pypi:pypinyin {version}",
            f"{OPEN_MARK} MIT",
            None,
            "main readings of words",
        )
    )
    return sources
