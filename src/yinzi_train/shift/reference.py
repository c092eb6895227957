"""Hold what a text is compared with: measures and accuracy of development sets, and the fit.

All of it is small and ships with the package, so that a comparison needs no training data. Figures
of one artifact say little about another; `Reference.fits` tells.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.artifact import Artifact
from yinzi.converter import Converter
from yinzi.evaluation import Row
from yinzi_train.dataset.storage import atomic_path
from yinzi_train.shift.accuracy import measure_accuracy
from yinzi_train.shift.errors import ShiftError
from yinzi_train.shift.measures import MEASURES, measure_text
from yinzi_train.shift.profile import WordDistribution
from yinzi_train.shift.regression import (
    FEATURES,
    AccuracyModel,
    features,
    fit_accuracy,
    leave_one_out,
    logit,
    sampling_covariance,
)
from yinzi_train.shift.run_counts import RunCounter
from yinzi_train.shift.sample import Sample

__all__ = [
    "REFERENCE_NAME",
    "TARGETS",
    "Reference",
    "ReferenceSet",
    "artifact_digest",
    "expected_without",
    "fit_reference",
    "fit_sets",
    "load_reference",
    "measure_set",
    "save_reference",
    "set_logits",
]

TARGETS: Final = ("character_accuracy", "miu_accuracy@1")
MIN_SETS: Final = 8
REFERENCE_NAME: Final = "reference.json"
_FORMAT: Final = 1
_SECTIONS: Final = ("lexicon/", "language_model/", "encoder/")


@dataclass(frozen=True)
class ReferenceSet:
    """One set of rows, measured in both ways.

    Attributes:
        name: of the domain or file.
        n_rows: runs.
        n_hanzi: hanzi.
        values: measures by name.
        features: of the regression.
        accuracy: measured, by the names of `yinzi.evaluation.outcomes.METRICS`.
    """

    name: str
    n_rows: int
    n_hanzi: int
    values: Mapping[str, float]
    features: tuple[float, ...]
    accuracy: Mapping[str, float]


@dataclass(frozen=True)
class Reference:
    """What a text is compared with.

    Attributes:
        artifact: name and version of the artifact that was measured.
        digest: of its lexicon and models.
        sets: development sets.
        training: measures of held-out text of the training mix; empty if it was not measured.
        models: regression by name of the accuracy.
    """

    artifact: str
    digest: str
    sets: tuple[ReferenceSet, ...]
    training: Mapping[str, float]
    models: Mapping[str, AccuracyModel]

    def fits(self, artifact: Artifact) -> bool:
        """Tell whether it was measured with this very artifact."""
        return self.digest == artifact_digest(artifact)

    def values(self, measure: str) -> NDArray[np.float64]:
        """Return one measure of all sets, float64 [n_sets]."""
        return np.array([one.values[measure] for one in self.sets])


def artifact_digest(artifact: Artifact) -> str:
    """Return a digest of lexicon, language model and encoder, as the manifest has them."""
    files = artifact.manifest.files
    lines = [f"{path} {files[path].sha256}" for path in sorted(files) if path.startswith(_SECTIONS)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def measure_set(
    name: str,
    sample: Sample,
    rows: Sequence[Row],
    *,
    converter: Converter,
    counter: RunCounter,
    distribution: WordDistribution,
) -> tuple[ReferenceSet, NDArray[np.float64]]:
    """Measure a set and the accuracy on it.

    Args:
        name: of the set.
        sample: the set as text.
        rows: the same with pinyin.
        converter: whose accuracy is measured.
        counter: of the same artifact.
        distribution: of words in the training text.

    Returns:
        The set, and the covariance of the features of one sentence.
    """
    counts = counter.count(sample)
    found = features(counts.table.sum(axis=0))
    one = ReferenceSet(
        name,
        len(rows),
        sample.n_hanzi,
        dict(measure_text(counts, distribution).values),
        tuple(found.tolist()),
        measure_accuracy(converter, list(rows)).metrics(),
    )
    return one, sampling_covariance(counts) * sample.n_sentences


def fit_reference(
    sets: Mapping[str, Sequence[Row]],
    *,
    converter: Converter,
    distribution: WordDistribution,
    training: Sample | None = None,
    on_sets: Callable[[int, int], None] = lambda n_done, n_total: None,
) -> Reference:
    """Measure sets with an artifact and fit what accuracy to expect from measures.

    Args:
        sets: rows by name of the set; at least eight, of different kinds.
        converter: the artifact.
        distribution: of words in the training text.
        training: held-out text of the training mix.
        on_sets: told sets done and sets in all.

    Raises:
        ShiftError: there are too few sets.
    """
    if len(sets) < MIN_SETS:
        raise ShiftError(
            f"{len(sets)} sets to fit on ({', '.join(list(sets)[:5])}): give at least {MIN_SETS} "
            "of different kinds; the rows of a file are grouped by what their ids start with"
        )
    counter = RunCounter(converter, distribution.common)
    measured, covariances = [], []
    for at, (name, rows) in enumerate(sets.items()):
        one, covariance = measure_set(
            name,
            Sample.from_rows(rows),
            rows,
            converter=converter,
            counter=counter,
            distribution=distribution,
        )
        measured.append(one)
        covariances.append(covariance)
        on_sets(at + 1, len(sets))
    values = dict(measure_text(counter.count(training), distribution).values) if training else {}
    manifest = converter.artifact.manifest
    return Reference(
        f"{manifest.name} {manifest.version}",
        artifact_digest(converter.artifact),
        tuple(measured),
        values,
        fit_sets(measured, np.mean(covariances, axis=0)),
    )


def fit_sets(
    sets: Sequence[ReferenceSet], sentence_covariance: NDArray[np.float64]
) -> dict[str, AccuracyModel]:
    """Fit the regressions on sets that were measured."""
    table = np.array([one.features for one in sets])
    return {
        target: fit_accuracy(table, set_logits(sets, target), _weights(sets), sentence_covariance)
        for target in TARGETS
    }


def set_logits(sets: Sequence[ReferenceSet], target: str) -> NDArray[np.float64]:
    """Return the logits of a measured accuracy, float64 [n_sets]."""
    return np.array(
        [
            logit(one.accuracy[target], one.n_hanzi if target == TARGETS[0] else one.n_rows)
            for one in sets
        ]
    )


def expected_without(sets: Sequence[ReferenceSet], target: str) -> NDArray[np.float64]:
    """Return what a fit on the other sets expects of each, as an accuracy, float64 [n_sets]."""
    table = np.array([one.features for one in sets])
    logits = leave_one_out(table, set_logits(sets, target), _weights(sets))
    expected: NDArray[np.float64] = 1 / (1 + np.exp(-logits))
    return expected


def save_reference(reference: Reference, path: Path) -> None:
    """Write a reference as JSON."""
    content = {
        "format": _FORMAT,
        "artifact": reference.artifact,
        "digest": reference.digest,
        "features": FEATURES,
        "training": _rounded(reference.training),
        "sets": [
            {
                **asdict(one),
                "values": _rounded(one.values),
                "features": [round(value, 6) for value in one.features],
                "accuracy": _rounded(one.accuracy),
            }
            for one in reference.sets
        ],
        "models": {name: model.to_dict() for name, model in reference.models.items()},
    }
    with atomic_path(path) as part:
        part.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def load_reference(path: Path | None = None) -> Reference:
    """Read a reference; that of base if no path is given.

    Raises:
        ShiftError: the file is missing or damaged, or of another version.
    """
    file = importlib.resources.files("yinzi_train.shift") / REFERENCE_NAME if path is None else path
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT or tuple(content["features"]) != FEATURES:
            raise ValueError(f"format {content['format']!r} with other features than this version")
        sets = tuple(
            ReferenceSet(**{**one, "features": tuple(one["features"])}) for one in content["sets"]
        )
        if len(sets) < MIN_SETS or any(set(one.values) != set(MEASURES) for one in sets):
            raise ValueError("sets or measures are missing")
        return Reference(
            content["artifact"],
            content["digest"],
            sets,
            content["training"],
            {name: AccuracyModel.from_dict(content["models"][name]) for name in TARGETS},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ShiftError(
            f"cannot read the figures to compare with from {file.name!r} "
            f"({type(error).__name__}: {error}); install yinzi again, or write them anew with "
            "yinzi-train compare --fit"
        ) from error


def _weights(sets: Sequence[ReferenceSet]) -> NDArray[np.float64]:
    """Return weights by size; beyond 200 rows, differences between sets outweigh their noise."""
    sizes = np.array([min(one.n_rows, 200) for one in sets], np.float64)
    weights: NDArray[np.float64] = sizes / sizes.mean()
    return weights


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in values.items()}
