"""Fit how much likelier a few hanzi are in what people type than the model takes them to be.

The model learnt how often 他, 她 and 它 are meant from its training text, in which novels and news
say 它 more often than people do who talk about each other; no sentence tells which is meant. The
hanzi that are mistaken most often get a number each that is added to their score: those that make
the right candidates most probable, pulled towards 0, so that a few mistakes move nothing. (Adapting
a classifier to other class priors: Saerens et al. 2002, doi 10.1162/089976602753284446; the fit is
that of `ranker_tuning`.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.artifact import Artifact
from yinzi.converter import Converter
from yinzi.errors import ConfigError
from yinzi.evaluation import read_rows
from yinzi_train.pipeline.ranker_tuning import (
    CandidateLists,
    fit_weights,
    search_rows,
    spread_rows,
    store_tuned,
    weights_of,
)

__all__ = ["HanziFit", "tune_hanzi"]

_RIDGE: Final = 1.6e-2
"""Pull of each number to 0, in units of the mean log-likelihood."""
_STRETCHES: Final = 10
"""Parts of a set, of which every other one is measured with what the others give."""


@dataclass(frozen=True)
class HanziFit:
    """What was fitted.

    Attributes:
        logprobs: natural log that is added to the score of each hanzi.
        accuracy: MIU accuracy @1 by set without them, of the same candidates.
        checked: with what was fitted on the other half of the rows.
        n_rows: rows that were fitted on.
    """

    logprobs: Mapping[str, float]
    accuracy: Mapping[str, float]
    checked: Mapping[str, float]
    n_rows: int


def tune_hanzi(
    artifact: Path,
    paths: Sequence[Path],
    *,
    n_hanzi: int,
    n_best: int = 20,
    limit: int | None = None,
) -> HanziFit:
    """Fit numbers for the hanzi that are mistaken most often, and store them in the manifest.

    Args:
        artifact: folder of the artifact; it has an encoder, whose scores they are added to.
        paths: TSV sets; see docs/metrics.md.
        n_hanzi: how many hanzi, at least 1.
        n_best: candidates of each row that are learned from.
        limit: rows to take of each set, spread evenly over it; None takes all.

    Raises:
        ConfigError: the artifact has no encoder, or the sets have no right candidate.
        ArtifactError: the artifact is missing or damaged.
        EvaluationError: a set cannot be read.
    """
    if n_hanzi < 1:
        raise ConfigError(f"n_hanzi is {n_hanzi}: expected at least 1")
    opened = Artifact.open(artifact)
    converter = Converter(opened)
    options = converter.decoder.options
    if converter.decoder.scorer is None:
        raise ConfigError(
            f"artifact {str(artifact)!r} has no encoder: hanzi are fitted on top of its scores"
        )
    fusion = replace(options.fusion, hanzi_logprobs={})
    converter.decoder.options = replace(options, fusion=fusion)
    sets = {path.stem: spread_rows(read_rows(path), limit) for path in paths}
    lists, accuracy, _ = search_rows(converter, sets, n_best)
    sums = lists.features @ weights_of(options.fused_beam)
    hanzi = _mistaken(lists, sums, n_hanzi)
    counts = np.array([[text.count(one) for one in hanzi] for text in lists.texts])
    features = np.column_stack((sums, counts.reshape(len(sums), len(hanzi))))
    start = np.array([converter.temperature, *[0.0] * len(hanzi)])
    is_even = _every_other_stretch(lists.set_of_row)
    is_right = np.zeros(len(lists.rows), dtype=np.bool_)
    for half in (is_even, ~is_even):
        fitted = _fit(features, lists, start, np.where(half, 0.0, lists.weight))
        is_right |= half & _first_is_right(features @ fitted, lists)
    found = _fit(features, lists, start, lists.weight)
    logprobs = found[1:] / found[0] / options.fused_beam.encoder_weight
    table = {one: round(float(value), 3) for one, value in zip(hanzi, logprobs, strict=True)}
    store_tuned(artifact, opened, "fusion", {"hanzi_logprobs": table}, float(found[0]))
    names = np.array(lists.set_of_row)
    checked = {name: float(is_right[names == name].mean()) for name in sets}
    return HanziFit(table, accuracy, checked, len(lists.rows))


def _mistaken(lists: CandidateLists, sums: NDArray[np.float64], n_hanzi: int) -> list[str]:
    """Return the hanzi that the first candidates have wrong, or lack, most often."""
    found: Counter[str] = Counter()
    for number, first in _best(sums, lists).items():
        right, text = lists.rows[number].hanzi, lists.texts[first]
        if len(right) == len(text):
            for wanted, taken in zip(right, text, strict=True):
                if wanted != taken:
                    found.update((wanted, taken))
    return [one for one, _ in sorted(found.items(), key=lambda item: (-item[1], item[0]))][:n_hanzi]


def _best(sums: NDArray[np.float64], lists: CandidateLists) -> dict[int, int]:
    """Return the number of the likeliest candidate of each row that has one."""
    order = np.lexsort((-sums, lists.row))
    rows, first = np.unique(lists.row[order], return_index=True)
    return dict(zip(rows.tolist(), order[first].tolist(), strict=True))


def _first_is_right(sums: NDArray[np.float64], lists: CandidateLists) -> NDArray[np.bool_]:
    """Return bool [n_rows], the likeliest candidate is what was to be found."""
    is_right = np.zeros(len(lists.rows), dtype=np.bool_)
    for number, first in _best(sums, lists).items():
        is_right[number] = lists.is_right[first]
    return is_right


def _fit(
    features: NDArray[np.float64],
    lists: CandidateLists,
    start: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the weights of the sum and of the hanzi; rows of weight 0 are not learned from."""
    found, _ = fit_weights(features, lists.row, lists.is_right, weight, start=start, ridge=_RIDGE)
    if found[0] <= 0:
        raise ConfigError("the fit gives the decoder's sum no weight: the sets are too small")
    return found


def _every_other_stretch(set_of_row: Sequence[str]) -> NDArray[np.bool_]:
    """Return bool [n_rows]: sets are cut into stretches, as neighbours may be of one text.

    >>> _every_other_stretch(["a"] * 20 + ["b"]).tolist()[:6]
    [True, True, False, False, True, True]
    """
    sizes, seen = Counter(set_of_row), Counter[str]()
    is_even = np.zeros(len(set_of_row), dtype=np.bool_)
    for number, name in enumerate(set_of_row):
        is_even[number] = seen[name] * _STRETCHES // sizes[name] % 2 == 0
        seen[name] += 1
    return is_even
