"""Fit the weights of the ranker on development sets.

Candidates are ranked by a weighted sum of features (see `yinzi.decoding.FEATURES`). The weights
that make the right candidates of given lists most probable, if the sum is read as the log of a
probability, are found exactly: it is a convex problem with eleven unknowns (conditional maximum
likelihood; Och 2002, ACL P02-1038, "Discriminative training and maximum entropy models"). New
weights give new lists, so this is repeated. The same fit calibrates: it says how much a difference
of one in the sum is worth as a probability.

Features that go together keep one weight: penalties are part of what the language model says of a
line and of how it is typed, so both have the weight 1 and all else is measured against them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinzi.artifact import Artifact
from yinzi.converter import Converter
from yinzi.decoding import BeamOptions, DecoderOptions, explain, feature_weights
from yinzi.errors import ConfigError
from yinzi.evaluation import InputForm, Row, read_rows
from yinzi.evaluation.inputs import typed_input
from yinzi_train.export import update_manifest

__all__ = [
    "CandidateLists",
    "RankerFit",
    "RankerRound",
    "fit_weights",
    "search_rows",
    "spread_rows",
    "store_tuned",
    "tune_ranker",
    "weights_of",
]

_OPTIONS = {
    "sentence_end": "end_logprob_weight",
    "encoder": "encoder_weight",
    "encoder_prior": "prior_weight",
    "words": "word_logprob",
    "stored_affinity": "stored_affinity",
    "new_affinity": "new_affinity",
    "new_pairs": "new_pair",
    "unknown_pairs": "unknown_pair",
    "stored_skip_affinity": "stored_skip_affinity",
    "new_skip_affinity": "new_skip_affinity",
}
"""The option of a search that holds the weight of each feature."""
FITTED = ("base", *_OPTIONS)
"""What is fitted: the language model with the penalties, and all other features against it."""

_BINS = 10
_LINES_AT_ONCE = 128
_MAX_STEPS = 50
_SHARES = (0.85, 0.7, 0.55)
"""Shares of the fitted weights of the encoder that are tried too: likelihood is won in the depth of
the lists, and the first place often wants a little less of it."""
_RIDGE = 1e-3


@dataclass(frozen=True)
class RankerFit:
    """Fitted weights.

    Attributes:
        options: of a search with these weights; those of the language model and of penalties are 1.
        temperature: what the weighted sum is multiplied by to be the log of a probability.
        log_likelihood: mean over the lists that hold the right text, natural log.
    """

    options: BeamOptions
    temperature: float
    log_likelihood: float

    @classmethod
    def from_weights(
        cls, weights: NDArray[np.float64], log_likelihood: float, *, searched: BeamOptions
    ) -> RankerFit:
        """Take weights, float64 by `FITTED`, into the options of the search they were fitted on."""
        ratio = dict(zip(FITTED, (weights / weights[0]).tolist(), strict=True))
        values = {option: round(ratio[name], 3) for name, option in _OPTIONS.items()}
        for option in ("end_logprob_weight", "encoder_weight"):
            values[option] = max(0.0, values[option])
        return cls(replace(searched, **values), float(weights[0]), log_likelihood)

    def scaled(self, share: float) -> BeamOptions:
        """Return the options with a share of the weights of the neural model."""
        return replace(
            self.options,
            encoder_weight=round(self.options.encoder_weight * share, 3),
            prior_weight=round(self.options.prior_weight * share, 3),
        )


@dataclass(frozen=True)
class RankerRound:
    """One search with some weights, and the weights fitted on what it found.

    Attributes:
        searched: the options of the search.
        accuracy: MIU accuracy @1 by set, segmented.
        accuracy_at_5: @5.
        calibration_error: mean difference of probability and share of right ones, over ten bins of
            first candidates (expected calibration error; Guo et al. 2017, arXiv 1706.04599).
        fit: the weights fitted.
    """

    searched: BeamOptions
    accuracy: Mapping[str, float]
    accuracy_at_5: Mapping[str, float]
    calibration_error: float
    fit: RankerFit


@dataclass(frozen=True, eq=False)
class CandidateLists:
    """Candidates of many rows.

    Attributes:
        texts: of the candidates.
        rows: what was to be found.
        set_of_row: name of the set of each row.
        features: float64 [n_candidates, n_features], by `FITTED`.
        row: int64 [n_candidates], rising.
        is_right: bool [n_candidates].
        weight: float64 [n_rows], so that all sets count alike.
    """

    texts: Sequence[str]
    rows: Sequence[Row]
    set_of_row: Sequence[str]
    features: NDArray[np.float64]
    row: NDArray[np.int64]
    is_right: NDArray[np.bool_]
    weight: NDArray[np.float64]


def fit_weights(
    features: NDArray[np.float64],
    row: NDArray[np.int64],
    is_right: NDArray[np.bool_],
    weight: NDArray[np.float64],
    *,
    start: NDArray[np.float64],
    ridge: float = _RIDGE,
) -> tuple[NDArray[np.float64], float]:
    """Return the weights under which right candidates are most probable, by Newton's method.

    >>> features = np.array([[1.0], [0.0], [1.0], [0.0], [1.0], [0.0]])
    >>> row, is_right = np.array([0, 0, 1, 1, 2, 2]), np.array([1, 0, 1, 0, 0, 1], dtype=bool)
    >>> weights, _ = fit_weights(features, row, is_right, np.ones(3), start=np.zeros(1))
    >>> bool(abs(weights[0] - np.log(2)) < 0.01)
    True

    Args:
        features: float64 [n_candidates, n_features].
        row: int64 [n_candidates], which list each candidate is in, rising from 0.
        is_right: bool [n_candidates]; lists without a right one teach nothing.
        weight: float64 [n_rows], how much a list counts.
        start: float64 [n_features], weights to start from, and to stay near where nothing is known.
        ridge: pull of each weight to its start, in units of the mean log-likelihood.

    Returns:
        float64 [n_features]; the mean log-likelihood.

    Raises:
        ConfigError: no list has a right candidate.
    """
    n_rows = len(weight)
    has_right = np.bincount(row[is_right], minlength=n_rows) > 0
    if not has_right.any():
        raise ConfigError("no list of candidates holds its right text: nothing can be fitted")
    kept = has_right[row]
    features, row, is_right = features[kept], row[kept], is_right[kept]
    shares = np.where(has_right, weight, 0.0)
    shares = shares / shares.sum()
    of_candidate = shares[row]
    weights = start.astype(np.float64)
    likelihood = -np.inf
    for _ in range(_MAX_STEPS):
        probability, likelihood = _probabilities(features, row, is_right, shares, weights)
        gradient = (of_candidate * (is_right - probability)) @ features
        gradient -= ridge * (weights - start)
        means = np.zeros((n_rows, features.shape[1]))
        np.add.at(means, row, probability[:, None] * features)
        centred = features - means[row]
        hessian = (centred * (of_candidate * probability)[:, None]).T @ centred
        hessian += ridge * np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        while True:  # half the step until it does not make things worse
            _, reached = _probabilities(features, row, is_right, shares, weights + step)
            if reached >= likelihood - 1e-9 or np.abs(step).max() < 1e-9:
                break
            step /= 2
        weights = weights + step
        if np.abs(step).max() < 1e-6:
            break
    return weights, likelihood


def _probabilities(
    features: NDArray[np.float64],
    row: NDArray[np.int64],
    is_right: NDArray[np.bool_],
    shares: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Return the probability of each candidate in its list, and the mean log-likelihood."""
    sums = features @ weights
    highest = np.full(len(shares), -np.inf)
    np.maximum.at(highest, row, sums)
    raised = np.exp(sums - highest[row])
    totals = np.bincount(row, weights=raised, minlength=len(shares))
    probability = raised / totals[row]
    right = np.bincount(row[is_right], weights=probability[is_right], minlength=len(shares))
    taught = shares > 0
    return probability, float((shares[taught] * np.log(right[taught] + 1e-300)).sum())


def tune_ranker(
    artifact: Path,
    paths: Sequence[Path],
    *,
    n_rounds: int = 3,
    n_best: int = 20,
    limit: int | None = None,
    uses_encoder: bool = True,
    on_round: Callable[[RankerRound], None] = lambda found: None,
) -> RankerFit:
    """Fit the ranker of an artifact on sets and store the weights in its manifest.

    An artifact with an encoder has two searches, with it and without, and one is fitted at a time.
    After the rounds of the search with it, smaller shares of its weights are tried; what was best
    at MIU accuracy @1, and half as much @5, is taken.

    Args:
        artifact: folder of the artifact.
        paths: TSV sets; see docs/metrics.md.
        n_rounds: searches, each with the weights fitted on the one before; at least 2.
        n_best: candidates of each row that are learned from.
        limit: rows to take of each set, spread evenly over it; None takes all.
        uses_encoder: fit the search with the encoder, if there is one; else the one without. The
            temperature is that of the search that people use, so the other one leaves it alone.
        on_round: called after each search.

    Raises:
        ConfigError: there are too few rounds, or the sets have no right candidate.
        ArtifactError: the artifact is missing or damaged.
        EvaluationError: a set cannot be read.
    """
    if n_rounds < 2:
        raise ConfigError(f"{n_rounds} rounds: expected at least 2, one to fit and one to check")
    sets = {path.stem: spread_rows(read_rows(path), limit) for path in paths}
    opened = Artifact.open(artifact)
    converter = Converter(opened)
    options = converter.decoder.options
    scorer = converter.decoder.scorer if uses_encoder else None
    has_encoder = scorer is not None
    is_other = not has_encoder and converter.decoder.scorer is not None
    beam = options.fused_beam if has_encoder else options.beam
    best: tuple[float, RankerFit] | None = None
    fit: RankerFit | None = None
    fitted: RankerFit | None = None
    n_searches = n_rounds + (len(_SHARES) if has_encoder else 0)
    for number in range(n_searches):
        if fit is None:
            searched = beam
        elif fitted is None:
            searched = fit.options
        else:
            searched = fitted.scaled(_SHARES[number - n_rounds])
        converter = Converter(
            opened,
            options=_with_beam(options, searched, has_encoder),
            scorer=scorer,
            uses_encoder=has_encoder,
        )
        lists, accuracy, accuracy_at_5 = search_rows(converter, sets, n_best)
        start = weights_of(searched)
        weights, likelihood = fit_weights(
            lists.features, lists.row, lists.is_right, lists.weight, start=start
        )
        if weights[0] <= 0:
            raise ConfigError("the fit gives the language model no weight: the sets are too small")
        # The first place counts twice as much as the first five.
        mean = float(np.mean(list(accuracy.values())) + np.mean(list(accuracy_at_5.values())) / 2)
        if best is None or mean > best[0]:
            best = mean, RankerFit(searched, float(weights[0]), likelihood)
        fit = RankerFit.from_weights(weights, likelihood, searched=searched)
        if number == n_rounds - 1:
            fitted = best[1]
        error = _calibration_error(lists, start * weights[0])
        on_round(RankerRound(searched, accuracy, accuracy_at_5, error, fit))
    assert best is not None
    table = "fused_beam" if has_encoder else "beam"
    temperature = None if is_other else best[1].temperature
    store_tuned(artifact, opened, table, vars(best[1].options), temperature)
    return best[1]


def spread_rows(rows: Sequence[Row], limit: int | None) -> list[Row]:
    """Return at most so many rows at even distances: sets may be sorted by domain."""
    n_taken = len(rows) if limit is None else min(limit, len(rows))
    return [rows[index * len(rows) // n_taken] for index in range(n_taken)]


def _with_beam(options: DecoderOptions, beam: BeamOptions, has_encoder: bool) -> DecoderOptions:
    return replace(options, fused_beam=beam) if has_encoder else replace(options, beam=beam)


def weights_of(options: BeamOptions) -> NDArray[np.float64]:
    """Return float64 [n_features], the weights of a search, by `FITTED`."""
    weights = {"base": 1.0, **feature_weights(options)}
    return np.array([weights[name] for name in FITTED])


def store_tuned(
    folder: Path,
    artifact: Artifact,
    table: str,
    values: Mapping[str, Any],
    temperature: float | None,
) -> None:
    """Put values into a table of the decoder's options in the manifest, and the temperature.

    Without a temperature, the one that is there stays.
    """
    parameters: dict[str, Any] = dict(artifact.manifest.parameters)
    decoder = {name: dict(options) for name, options in parameters.get("decoder", {}).items()}
    decoder[table] = {**decoder.get(table, {}), **values}
    parameters["decoder"] = decoder
    if temperature is not None:
        parameters["ranker"] = {"temperature": round(temperature, 4)}
    update_manifest(folder, parameters=parameters)


def search_rows(
    converter: Converter, sets: Mapping[str, Sequence[Row]], n_best: int
) -> tuple[CandidateLists, dict[str, float], dict[str, float]]:
    """Search all rows; return the candidates, and MIU accuracy @1 and @5 by set."""
    decoder = converter.decoder
    texts: list[str] = []
    features: list[list[float]] = []
    row_of: list[int] = []
    is_right: list[bool] = []
    weight: list[float] = []
    accuracy: dict[str, float] = {}
    accuracy_at_5: dict[str, float] = {}
    for name, rows in sets.items():
        n_first = n_among_5 = 0
        for line, row in enumerate(rows):
            if not line % _LINES_AT_ONCE:
                batch = rows[line : line + _LINES_AT_ONCE]
                graphs = [converter.graph(typed_input(one, InputForm.SEGMENTED)) for one in batch]
                decoding = decoder.decode(graphs, [decoder.left_context("")] * len(graphs))
            found = explain(decoding, line % _LINES_AT_ONCE, n_best)
            texts += [one.text for one in found]
            for rank, one in enumerate(found):
                values = one.features
                base = values["language_model"] + values["penalties"]
                features.append([base, *(values[name] for name in _OPTIONS)])
                row_of.append(len(weight))
                is_right.append(one.text == row.hanzi)
                n_first += is_right[-1] and rank == 0
                n_among_5 += is_right[-1] and rank < 5
            weight.append(1 / len(rows))
        accuracy[name] = n_first / len(rows)
        accuracy_at_5[name] = n_among_5 / len(rows)
    lists = CandidateLists(
        texts,
        [row for rows in sets.values() for row in rows],
        [name for name, rows in sets.items() for _ in rows],
        np.array(features).reshape(-1, len(FITTED)),
        np.array(row_of, dtype=np.int64),
        np.array(is_right, dtype=np.bool_),
        np.array(weight),
    )
    return lists, accuracy, accuracy_at_5


def _calibration_error(lists: CandidateLists, weights: NDArray[np.float64]) -> float:
    """Return the expected calibration error of the first candidates."""
    n_rows = len(lists.weight)
    probability, _ = _probabilities(
        lists.features, lists.row, lists.is_right, np.zeros(n_rows), weights
    )
    rows, first = np.unique(lists.row, return_index=True)
    confidence, right = probability[first], lists.is_right[first]
    weight = lists.weight[rows] / lists.weight[rows].sum()
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    share = np.bincount(bins, weights=weight, minlength=_BINS)
    gaps = np.bincount(bins, weights=weight * (confidence - right), minlength=_BINS)
    return float(np.abs(gaps)[share > 0].sum())
