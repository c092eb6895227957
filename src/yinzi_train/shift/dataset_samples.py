"""Take a few sentences of each domain of a dataset, with the pinyin they were labelled with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.pinyin import SYLLABLES
from yinzi_train.dataset.reader import Dataset
from yinzi_train.shift.errors import ShiftError
from yinzi_train.shift.sample import Sample

__all__ = ["domain_samples", "mixed_sample"]

_COLUMNS: Final = ("text", "domain", "syllables", "run_lengths")

_Row = Mapping[str, Any]


def domain_samples(
    dataset: Dataset, *, split: str, n_sentences: int, seed: int = 0
) -> dict[str, Sample]:
    """Return random sentences of each domain; domains with fewer than that are left out.

    Args:
        dataset: where from.
        split: "train", "validation" or "test".
        n_sentences: of each domain.
        seed: the same gives the same sentences.
    """
    domains = _domains(dataset, split)
    generator = np.random.default_rng(seed)
    chosen = {}
    for domain in sorted(set(domains.tolist())):
        rows = np.flatnonzero(domains == domain)
        if len(rows) >= n_sentences:
            chosen[domain] = np.sort(generator.choice(rows, n_sentences, replace=False))
    taken = _rows(dataset, split, np.sort(np.concatenate([np.zeros(0, int), *chosen.values()])))
    return {domain: _sample([taken[at] for at in rows]) for domain, rows in chosen.items()}


def mixed_sample(dataset: Dataset, *, split: str, n_sentences: int, seed: int = 0) -> Sample:
    """Return random sentences of all domains, as the dataset mixes them."""
    n_rows = len(_domains(dataset, split))
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.choice(n_rows, min(n_sentences, n_rows), replace=False))
    return _sample(list(_rows(dataset, split, chosen).values()))


def _domains(dataset: Dataset, split: str) -> NDArray[np.str_]:
    """Return the domain of every row of a split."""
    tables = dataset.iter_tables(split=split, columns=["domain"])
    names = [name for table in tables for name in table.column("domain").to_pylist()]
    if not names:
        raise ShiftError(f"dataset {dataset.path.name!r} has no rows in its {split} split")
    return np.array(names)


def _rows(dataset: Dataset, split: str, chosen: NDArray[np.int64]) -> dict[int, _Row]:
    """Return rows by their number in the split; the numbers must rise."""
    found: dict[int, _Row] = {}
    first = 0
    for table in dataset.iter_tables(split=split, columns=list(_COLUMNS)):
        low, high = np.searchsorted(chosen, (first, first + len(table)))
        numbers = chosen[low:high]
        found.update(zip(numbers.tolist(), table.take(numbers - first).to_pylist(), strict=True))
        first += len(table)
    return found


def _sample(rows: Sequence[_Row]) -> Sample:
    """Return the sentences with pinyin, but for those that have a hanzi without a reading."""
    chosen = [row for row in rows if min(row["syllables"]) >= 0]
    pinyin = []
    for row in chosen:
        spelled = [SYLLABLES[one] for one in row["syllables"]]
        ends = np.cumsum(row["run_lengths"]).tolist()
        pinyin += [
            " ".join(spelled[end - length : end])
            for end, length in zip(ends, row["run_lengths"], strict=True)
        ]
    sample = Sample.from_sentences([row["text"] for row in chosen])
    return replace(sample, pinyin=tuple(pinyin))
