"""Cut a small domain out of a dataset: sentences to tune on, and held-out rows to measure on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from yinzi.evaluation import Row
from yinzi.pinyin import SYLLABLES
from yinzi.text import miu_spans
from yinzi_train.dataset.reader import Dataset, open_dataset
from yinzi_train.dataset.subset import subset_dataset

__all__ = ["HELD_OUT", "N_VALIDATION", "domain_dataset", "sentence_rows", "spread", "write_rows"]

HELD_OUT: Final = "held-out"
N_VALIDATION: Final = 200
_N_HELD_OUT: Final = (200, 400)
"""Sentences held out, and rows made of them at most."""
_MIN_HANZI: Final = 3
_UNSEEN: Final = ("test", "validation")


def domain_dataset(large: Dataset, source: str, n_sentences: int, folder: Path) -> tuple[Path, int]:
    """Make the dataset of a source in `dataset`, its set beside it as `held-out.tsv`.

    What no model was trained on, the splits test and validation, is held out first and trained on
    last. A small source has less of it than is asked for; its training split fills up.

    Returns:
        the set; how many sentences to train on are of unseen splits.
    """
    place = folder / "dataset"
    if not place.exists():
        n_rows = {"train": n_sentences, "validation": N_VALIDATION, "test": _N_HELD_OUT[0]}
        order = (*_UNSEEN, "train")
        subset_dataset(large, place, n_rows, sources=[source], drawn_from=order)
    small = open_dataset(place)
    drawn = small.manifest.config["subset"]["drawn"]["train"]
    rows = sentence_rows(list(small.iter_rows(split="test")), name=folder.name)
    path = folder / f"{HELD_OUT}.tsv"
    write_rows(path, spread(rows, _N_HELD_OUT[1]))
    return path, sum(drawn[split] for split in _UNSEEN)


def sentence_rows(sentences: Sequence[Mapping[str, Any]], *, name: str) -> list[Row]:
    """Return the runs of three and more hanzi of labelled sentences as rows of a set.

    Args:
        sentences: with text, hanzi, run_lengths and syllables, as in a dataset.
        name: before the number of the sentence in the ids.
    """
    rows = []
    for number, sentence in enumerate(sentences):
        first = 0
        for at, (start, end) in enumerate(miu_spans(sentence["text"])):
            syllables = sentence["syllables"][first : first + end - start]
            first += end - start
            if end - start >= _MIN_HANZI and min(syllables) >= 0:
                pinyin = " ".join(SYLLABLES[one] for one in syllables)
                text = sentence["text"]
                left = " ".join(text[:start].split())
                rows.append(Row(f"{name}{number}.{at}", text[start:end], pinyin, left))
    return rows


def spread(rows: Sequence[Row], limit: int) -> list[Row]:
    """Return at most so many rows at even distances; 0 for all."""
    n_taken = min(limit or len(rows), len(rows))
    return [rows[index * len(rows) // n_taken] for index in range(n_taken)]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write a TSV set."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join((row.id, row.hanzi, row.pinyin, row.left_context)) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
