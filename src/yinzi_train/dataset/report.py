"""Report on a dataset: one page with pictures, its figures as JSON, and the dataset card.

The rows are read once, with one row group in memory at a time. What is counted is compared with the
manifest before anything is written.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import ConfigError
from yinzi_train.dataset.card import CARD_NAME, dataset_card
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.manifest import MANIFEST_NAME
from yinzi_train.dataset.reader import Dataset, open_dataset
from yinzi_train.dataset.report_blocks import to_html, to_markdown
from yinzi_train.dataset.report_counts import COLUMNS, DatasetCounts, SentenceBatch
from yinzi_train.dataset.report_lexicon import ReportLexicon, WordSample
from yinzi_train.dataset.report_manifest import (
    differences,
    manifest_statistics,
    read_dropped_samples,
)
from yinzi_train.dataset.report_page import TITLE, page_blocks
from yinzi_train.dataset.report_plots import draw_plots, find_hanzi_font
from yinzi_train.dataset.report_statistics import counted_statistics
from yinzi_train.dataset.storage import atomic_path, read_json, write_json
from yinzi_train.dataset.units import ReportProgress

__all__ = [
    "PAGE_NAME",
    "REPORT_NAME",
    "ReportOptions",
    "check_page",
    "check_report",
    "report_dataset",
]

REPORT_NAME: Final = "report.json"
PAGE_NAME: Final = "report.md"
HTML_NAME: Final = "report.html"

FORMAT_VERSION: Final = 1
_BATCH_ROWS: Final = 1 << 15
_READ_AS_DICTIONARY: Final = ["source", "domain", "licence", "split"]


@dataclass(frozen=True)
class ReportOptions:
    """What a report shows.

    Attributes:
        n_samples: texts shown of each reason for dropping; 0 keeps all text out of the report,
            which is what a public page of texts with unclear licences needs.
        n_word_hanzi: words are counted in a sample of about that many hanzi; 0 counts none.
        has_html: write report.html too, one file with all pictures in it.
    """

    n_samples: int = 1
    n_word_hanzi: int = 4_000_000
    has_html: bool = False

    def __post_init__(self) -> None:
        for name in ("n_samples", "n_word_hanzi"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}, expected 0 or more")


def report_dataset(
    folder: Path,
    *,
    out: Path | None = None,
    lexicon: ReportLexicon | None = None,
    options: ReportOptions = ReportOptions(),
    on_progress: ReportProgress = lambda n_done, n_total: None,
) -> list[Path]:
    """Count a dataset and write report.json, report.md, the pictures and README.md.

    The same dataset gives the same text and figures each time.

    Args:
        folder: the dataset.
        out: where the files go; the dataset's folder if not given.
        lexicon: to measure coverage against and to count words with; without it both are left out.
        options: what is shown.
        on_progress: told how far it is.

    Returns:
        The files, the page first.

    Raises:
        DatasetError: it is no dataset, damaged, or its rows are not what its manifest says.
        MissingExtra: matplotlib is not installed.
    """
    dataset = open_dataset(folder)
    report = _count(dataset, lexicon=lexicon, options=options, on_progress=on_progress)
    wrong = differences(report, dataset.manifest)
    if wrong:
        raise DatasetError(
            f"dataset {folder.name!r}: its rows are not what its manifest says; {wrong[0]}"
            f"{f' ({len(wrong) - 1} more)' if wrong[1:] else ''}; build it again"
        )
    report["drops"]["samples"] = read_dropped_samples(folder, n_samples=options.n_samples)
    pictures = draw_plots(report, hanzi_font=find_hanzi_font())
    report["pictures"] = list(pictures)
    out = folder if out is None else out
    blocks = page_blocks(report)
    texts = {PAGE_NAME: to_markdown(blocks), CARD_NAME: dataset_card(dataset.manifest)}
    if options.has_html:
        texts[HTML_NAME] = to_html(blocks, title=TITLE, pictures=pictures)
    for name, text in texts.items():
        with atomic_path(out / name) as part:
            part.write_text(text, encoding="utf-8")
    for name, data in pictures.items():
        with atomic_path(out / name) as part:
            part.write_bytes(data)
    write_json(out / REPORT_NAME, report)
    return [out / name for name in (*texts, *pictures, REPORT_NAME)]


def check_report(folder: Path, *, out: Path | None = None) -> list[str]:
    """List what the written report says otherwise than the dataset's manifest; empty if they agree.

    The figures of report.json are compared with the manifest, and the page and the card with what
    these figures give. The rows are not counted again.

    Args:
        folder: the dataset.
        out: where the report is; the dataset's folder if not given.

    Raises:
        DatasetError: there is no dataset or no report, or report.json is damaged.
    """
    out = folder if out is None else out
    manifest = open_dataset(folder).manifest
    found = check_page(out)
    report = _read_report(out)
    found += differences(report, manifest)
    digest = sha256_hex(folder / MANIFEST_NAME)
    if report["manifest_sha256"] != digest:
        found.append(
            f"{MANIFEST_NAME}: the report is of one with sha256 {report['manifest_sha256'][:8]}…, "
            f"this is {digest[:8]}…"
        )
    return found + _text_differences(out / CARD_NAME, dataset_card(manifest))


def check_page(out: Path) -> list[str]:
    """List what report.md says otherwise than report.json beside it; empty if they agree.

    Needs no dataset, so a published page can be checked anywhere.

    Raises:
        DatasetError: there is no report, or report.json is damaged.
    """
    report = _read_report(out)
    try:
        text = to_markdown(page_blocks(report))
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{REPORT_NAME} in {str(out)!r} is damaged ({type(error).__name__}: {error}): write it "
            "again with yinzi-train report"
        ) from error
    found = _text_differences(out / PAGE_NAME, text)
    return found + [
        f"{name}: the picture is missing"
        for name in report["pictures"]
        if not (out / name).is_file()
    ]


def _read_report(out: Path) -> dict[str, Any]:
    report = read_json(out / REPORT_NAME)
    if report is None or report.get("format_version") != FORMAT_VERSION:
        raise DatasetError(
            f"no {REPORT_NAME} of this version in {str(out)!r}: write one with yinzi-train report"
        )
    return dict(report)


def _count(
    dataset: Dataset,
    *,
    lexicon: ReportLexicon | None,
    options: ReportOptions,
    on_progress: ReportProgress,
) -> dict[str, Any]:
    """Return the figures of a report."""
    total = dataset.manifest.total
    counts = DatasetCounts()
    words = None
    if lexicon is not None and lexicon.word_logprobs is not None and options.n_word_hanzi:
        words = WordSample(lexicon, every=max(1, total.hanzi // options.n_word_hanzi))
    n_done = 0
    on_progress(0, total.rows)
    for shard in dataset.manifest.shards:
        n_shard = 0
        for batch in _read_batches(dataset.path, shard.file):
            counts.add(batch)
            if words is not None:
                words.add(batch)
            n_shard += batch.n_rows
            on_progress(n_done + n_shard, total.rows)
        if n_shard != shard.rows:
            raise DatasetError(
                f"{shard.file} has {n_shard} rows, the manifest says {shard.rows}; build it again"
            )
        n_done += n_shard
    report: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "manifest_sha256": sha256_hex(dataset.path / MANIFEST_NAME),
        **manifest_statistics(dataset.manifest),
        **counted_statistics(
            counts, lexicon=lexicon, word_counts=None if words is None else words.counts()
        ),
    }
    if words is not None:
        report["zipf"]["sampled_hanzi"] = words.n_hanzi
    return report


def _read_batches(folder: Path, file: str) -> Iterator[SentenceBatch]:
    try:
        with pq.ParquetFile(folder / file, read_dictionary=_READ_AS_DICTIONARY) as shard:
            columns = [name for name in COLUMNS if name in shard.schema_arrow.names]
            for batch in shard.iter_batches(
                batch_size=_BATCH_ROWS, columns=columns, use_threads=False
            ):
                yield SentenceBatch.from_arrow(batch, label=file)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"cannot read shard {file}: {error}; fetch or build it again") from error


def _text_differences(path: Path, expected: str) -> list[str]:
    """Say where a file first differs from what it should be."""
    try:
        given = path.read_text(encoding="utf-8")
    except OSError as error:
        return [f"{path.name}: cannot be read: {error.strerror}"]
    if given == expected:
        return []
    pairs = itertools.zip_longest(given.splitlines(), expected.splitlines(), fillvalue="")
    number, (ours, theirs) = next(
        (number, pair) for number, pair in enumerate(pairs, start=1) if pair[0] != pair[1]
    )
    return [f"{path.name} line {number}: {ours[:200]!r}, but the figures give {theirs[:200]!r}"]
