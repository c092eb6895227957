"""Read the general rows that an adaptation must not make worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from yinzi.errors import ConfigError
from yinzi.evaluation import Row, read_rows
from yinzi.pinyin import SYLLABLES
from yinzi_train.adaptation.texts import MIN_RUN_HANZI
from yinzi_train.dataset.reader import open_dataset

__all__ = ["GeneralRows", "read_general_rows"]


@dataclass(frozen=True)
class GeneralRows:
    """General sets in two halves.

    Attributes:
        tune: by name of the set, rows that weights are fitted on.
        report: by name of the set, rows that the result is measured on.
    """

    tune: Mapping[str, Sequence[Row]]
    report: Mapping[str, Sequence[Row]]

    @property
    def is_empty(self) -> bool:
        """There is none: what is lost elsewhere is not known."""
        return not self.report


def read_general_rows(dev: Sequence[Path], data: Path | None, *, max_rows: int) -> GeneralRows:
    """Read development sets, or the validation split of a dataset; every second row is for tuning.

    Args:
        dev: TSV sets.
        data: a dataset, read if there are no sets; None for none.
        max_rows: rows of all sets together in each half, spread evenly over them.

    Raises:
        EvaluationError: a set cannot be read.
        DatasetError: the dataset cannot be read.
        ConfigError: two sets have one name, or the validation split is empty.
    """
    names = [path.stem for path in dev]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"several --dev sets are named {twice[:5]}: give each its own name")
    sets = {path.stem: read_rows(path) for path in dev}
    if not sets and data is not None:
        sets = {"validation": _validation_rows(data, 2 * max_rows)}
    n_each = max(1, max_rows // max(1, len(sets)))
    return GeneralRows(
        {name: _spread(rows[1::2], n_each) for name, rows in sets.items() if len(rows) > 1},
        {name: _spread(rows[::2], n_each) for name, rows in sets.items()},
    )


def _spread(rows: Sequence[Row], limit: int) -> list[Row]:
    n_taken = min(limit, len(rows))
    return [rows[index * len(rows) // n_taken] for index in range(n_taken)]


def _validation_rows(folder: Path, n_rows: int) -> list[Row]:
    dataset = open_dataset(folder)
    columns = ("hanzi", "run_lengths", "syllables")
    rows: list[Row] = []
    for number, sentence in enumerate(dataset.iter_rows(split="validation", columns=columns)):
        start = 0
        for at, length in enumerate(sentence["run_lengths"]):
            syllables = sentence["syllables"][start : start + length]
            if length >= MIN_RUN_HANZI and min(syllables) >= 0:
                rows.append(
                    Row(
                        f"validation.{number}.{at}",
                        sentence["hanzi"][start : start + length],
                        " ".join(SYLLABLES[syllable] for syllable in syllables),
                    )
                )
            start += length
    if not rows:
        raise ConfigError(
            f"dataset {str(folder)!r} has no validation rows to compare on: give --dev sets"
        )
    return _spread(rows, n_rows)
