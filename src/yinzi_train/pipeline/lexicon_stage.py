"""Build the lexicon of a build, and the word counts that later stages segment with."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from yinzi_train.lexicon import readings
from yinzi_train.lexicon.build import build_lexicon
from yinzi_train.pipeline.build import Build, Finished, ReportProgress, replaced_folder
from yinzi_train.pipeline.records import StageRecord, code_digest, file_digests

__all__ = ["inputs", "run"]

_CODE: Final = (
    "yinzi.lexicon.segmentation",
    "yinzi.pinyin.inventory",
    "yinzi.pinyin.letters",
    "yinzi.pinyin.syllable",
    "yinzi.pinyin.zhuyin",
    "yinzi.text",
    "yinzi_train.corpus.hanzi_runs",
    "yinzi_train.lexicon.build",
    "yinzi_train.lexicon.frequencies",
    "yinzi_train.lexicon.readings",
    "yinzi_train.lexicon.sources",
    "yinzi_train.lexicon.tables",
)


def inputs(build: Build, records: Mapping[str, StageRecord]) -> dict[str, Any]:
    """Return what the lexicon depends on."""
    del records
    tables = Path(readings.__file__).parent.glob("*.tsv")
    return {
        "options": asdict(build.config.lexicon),
        "texts": file_digests(corpus.path for corpus in build.data.corpora()),
        "word lists": file_digests(word_list.path for word_list in build.data.word_lists()),
        "tables": file_digests(tables),
        "pypinyin": importlib.metadata.version("pypinyin"),
        "code": code_digest(_CODE),
    }


def run(build: Build, records: Mapping[str, StageRecord], on_progress: ReportProgress) -> Finished:
    """Build the lexicon."""
    del records
    paths = [corpus.path for corpus in build.data.corpora()]
    options = build.config.lexicon
    n_done, n_total = 0, len(paths) * options.n_rounds

    def count_file(path: Path) -> None:
        nonlocal n_done
        n_done += 1
        on_progress(n_done, n_total)

    on_progress(0, n_total)
    tables, word_counts, report = build_lexicon(
        build.data.lexicons_path,
        paths,
        options=options,
        n_workers=build.n_workers,
        on_file=count_file,
    )
    with replaced_folder(build.words_path) as folder:
        (folder / "words.txt").write_text("\n".join(tables.words), encoding="utf-8")
        np.save(folder / "counts.npy", word_counts)
    with replaced_folder(build.lexicon_path) as folder:
        for name, array in tables.arrays.items():
            np.save(folder / f"{name}.npy", array)
    files = [*build.lexicon_path.iterdir(), *build.words_path.iterdir()]
    n_bytes = sum(path.stat().st_size for path in build.lexicon_path.iterdir())
    return Finished(file_digests(files, folder=build.out), {**asdict(report), "n_bytes": n_bytes})
