"""Write a comparison as a page with pictures: Markdown, or one HTML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from yinzi_train.dataset.report_blocks import (
    Block,
    Bullets,
    Heading,
    Paragraph,
    Picture,
    Table,
    to_html,
    to_markdown,
)
from yinzi_train.dataset.storage import atomic_path
from yinzi_train.shift.comparison import Comparison, Overrepresented
from yinzi_train.shift.measures import MEASURES
from yinzi_train.shift.plots import draw_plots
from yinzi_train.shift.reference import Reference

__all__ = ["accuracy_cells", "page_blocks", "write_page"]

_TITLE: Final = "A text beside the training text"
_PICTURES: Final = {
    "position.png": "The text among the development sets: perplexity and homophones.",
    "words.png": "Words and syllables that the text has more of than the training text.",
}
_NAMES: Final = {"character_accuracy": "characters", "miu_accuracy@1": "whole runs (MIU@1)"}


def write_page(
    comparison: Comparison, reference: Reference, folder: Path, *, has_html: bool = False
) -> list[Path]:
    """Write compare.json, compare.md, the pictures and, if wanted, compare.html.

    Args:
        comparison: what to write.
        reference: the sets that are drawn beside the text.
        folder: where to; made if it is not there.
        has_html: write one HTML file with the pictures in it, too.

    Returns:
        The files, the page first.

    Raises:
        MissingExtra: matplotlib is not installed.
        DatasetError: a file cannot be written.
    """
    pictures = draw_plots(comparison, reference)
    blocks = page_blocks(comparison, pictures=tuple(pictures))
    texts = {
        "compare.md": to_markdown(blocks),
        "compare.json": json.dumps(comparison.to_dict(), ensure_ascii=False, indent=1) + "\n",
    }
    if has_html:
        texts["compare.html"] = to_html(blocks, title=_TITLE, pictures=pictures)
    for name, text in texts.items():
        with atomic_path(folder / name) as part:
            part.write_text(text, encoding="utf-8")
    for name, data in pictures.items():
        with atomic_path(folder / name) as part:
            part.write_bytes(data)
    return [folder / name for name in (*texts, *pictures)]


def page_blocks(comparison: Comparison, *, pictures: tuple[str, ...] = ()) -> list[Block]:
    """Return the page of a comparison."""
    blocks: list[Block] = [
        Heading(_TITLE, 1),
        Paragraph(
            f"{comparison.n_hanzi:,} hanzi in {comparison.n_sentences:,} sentences, beside the "
            f"training text of {comparison.artifact}: {comparison.verdict}. Most like the sets "
            f"{', '.join(comparison.nearest)}."
        ),
    ]
    if comparison.warnings:
        blocks += [Heading("Mind"), Bullets(comparison.warnings)]
    blocks += [Heading("Expected accuracy"), _accuracy_table(comparison)]
    blocks += [Heading("Measures"), _measure_table(comparison)]
    blocks += [Picture(name, _PICTURES[name]) for name in pictures]
    for title, listed in (("Words", comparison.words), ("Syllables", comparison.syllables)):
        if listed:
            blocks += [Heading(f"{title} the text has more of"), _listed_table(listed)]
    if comparison.domains:
        rows = [[name, f"{value:.3f}"] for name, value in comparison.domains]
        blocks += [Heading("Domains of the dataset"), Table(["domain", "divergence"], rows, 1)]
    return [*blocks, Heading("What to do"), Bullets(comparison.suggestions)]


def accuracy_cells(comparison: Comparison) -> list[list[str]]:
    """Return a row for each accuracy: name, expected, 95 % and, if measured, value and 95 %."""
    rows = []
    for name, title in _NAMES.items():
        expected = comparison.expected[name]
        row = [title, f"{expected.value:.1%}", f"{expected.low:.1%} to {expected.high:.1%}"]
        if comparison.measured:
            found = comparison.measured[name]
            row += [f"{found.value:.1%}", f"{found.low:.1%} to {found.high:.1%}"]
        rows.append(row)
    return rows


def _accuracy_table(comparison: Comparison) -> Table:
    header = ["accuracy", "expected", "95 %"]
    if comparison.measured:
        header += ["measured", "95 %"]
    return Table(header, accuracy_cells(comparison), len(header) - 1)


def _measure_table(comparison: Comparison) -> Table:
    has_training = bool(comparison.training)
    rows = []
    for one in comparison.measures:
        show = MEASURES[one.name].show
        row = [MEASURES[one.name].title, one.verdict, show(one.value)]
        row += [show(comparison.training[one.name])] if has_training else []
        rows.append([*row, show(one.low), show(one.median), show(one.high)])
    header = ["measure", "verdict", "text", *["training text"] * has_training]
    return Table([*header, "sets: 10 %", "50 %", "90 %"], rows, 4 + has_training)


def _listed_table(listed: tuple[Overrepresented, ...]) -> Table:
    rows = [
        [one.text, f"{one.count:,}", f"{one.share:.3%}", f"{one.training_share:.3%}"]
        for one in listed
    ]
    return Table(["", "times", "share", "in training"], rows, 3)
