"""Compare a text with the training text: measures, verdicts, expected accuracy and advice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.converter import Converter
from yinzi.evaluation.bootstrap import Estimate, estimate_metrics
from yinzi.pinyin import SYLLABLES
from yinzi_train.shift.accuracy import LabelledRows, measure_accuracy
from yinzi_train.shift.advice import suggestions, warnings_of
from yinzi_train.shift.divergence import jensen_shannon
from yinzi_train.shift.measures import TextMeasures, measure_text
from yinzi_train.shift.profile import WordDistribution
from yinzi_train.shift.reference import Reference
from yinzi_train.shift.regression import features, sampling_covariance
from yinzi_train.shift.run_counts import RunCounter
from yinzi_train.shift.sample import Sample
from yinzi_train.shift.verdicts import MeasuredValue, judge, overall_verdict

__all__ = ["Comparison", "Overrepresented", "compare", "with_measured"]

N_LISTED: Final = 20
N_NEAREST: Final = 3
_LIKENESS: Final = ("perplexity_hanzi", "homophone_hanzi", "rare_hanzi", "single_hanzi")
"""Measures that tell which sets a text is most like; taken as logarithms."""


@dataclass(frozen=True)
class Overrepresented:
    """A word or syllable that the text has more of than the training text.

    Attributes:
        text: the word or syllable.
        count: in the text.
        share: of all words or syllables of the text.
        training_share: of those of the training text.
    """

    text: str
    count: int
    share: float
    training_share: float


@dataclass(frozen=True)
class Comparison:
    """What is known of a text.

    Attributes:
        artifact: name and version.
        n_sentences, n_runs, n_hanzi: of the text.
        notes: what happened while it was read.
        verdict: "near", "usual" or "far", of all measures together.
        measures: with the range of the sets and a verdict each.
        divergences: raw, of the same size, corrected; of words and of syllables.
        order_shares: of words known to the model alone, in pairs, in triples.
        expected: accuracy by name, with 95 % intervals.
        measured: the same, measured on the text; empty if it was not.
        labels: rows measured, runs left out, share of doubtful readings; empty likewise.
        nearest: sets that are most like the text, the nearest first.
        domains: domains of a dataset by divergence of their words; empty without one.
        words: over-represented, the most telling first.
        syllables: likewise.
        unknown_hanzi: hanzi that no word of the lexicon has, with counts.
        training: measures of held-out text of the training mix.
        warnings: why figures may mislead.
        suggestions: what to do.
    """

    artifact: str
    n_sentences: int
    n_runs: int
    n_hanzi: int
    notes: Mapping[str, Any]
    verdict: str
    measures: tuple[MeasuredValue, ...]
    divergences: Mapping[str, Mapping[str, float]]
    order_shares: tuple[float, float, float]
    expected: Mapping[str, Estimate]
    nearest: tuple[str, ...]
    words: tuple[Overrepresented, ...]
    syllables: tuple[Overrepresented, ...]
    unknown_hanzi: tuple[tuple[str, int], ...]
    training: Mapping[str, float]
    warnings: tuple[str, ...]
    suggestions: tuple[str, ...]
    domains: tuple[tuple[str, float], ...] = ()
    measured: Mapping[str, Estimate] | None = None
    labels: Mapping[str, float] | None = None

    def value(self, name: str) -> float:
        """Return one measure."""
        return next(one.value for one in self.measures if one.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **_plain(asdict(self)),
            "expected": {name: one.to_dict() for name, one in self.expected.items()},
            "measured": {name: one.to_dict() for name, one in (self.measured or {}).items()},
        }


def compare(
    sample: Sample,
    converter: Converter,
    *,
    reference: Reference,
    distribution: WordDistribution,
    data: WordDistribution | None = None,
    domains: Mapping[str, NDArray[np.int64]] | None = None,
) -> Comparison:
    """Compare a text with the training text of an artifact.

    Args:
        sample: the text.
        converter: the artifact.
        reference: figures to compare with.
        distribution: of words in the training text, as it ships with the package.
        data: the same of a dataset; divergences and over-represented words are against it then.
        domains: counts by word id of each domain of that dataset.

    Raises:
        ShiftError: no word of the lexicon is in the text.
    """
    counter = RunCounter(converter, distribution.common)
    counts = counter.count(sample)
    against = data or distribution
    found = measure_text(counts, against)
    measures = judge(found.values, reference)
    totals = counts.table.sum(axis=0)
    covariance = sampling_covariance(counts)
    expected = {
        name: model.predict(features(totals), covariance=covariance, n_sentences=sample.n_sentences)
        for name, model in reference.models.items()
    }
    manifest = converter.artifact.manifest
    word_counts = counts.word_counts()
    result = Comparison(
        artifact=f"{manifest.name} {manifest.version}",
        n_sentences=sample.n_sentences,
        n_runs=len(sample.runs),
        n_hanzi=sample.n_hanzi,
        notes=asdict(sample.notes),
        verdict=overall_verdict(measures),
        measures=measures,
        divergences={"words": asdict(found.words), "syllables": asdict(found.syllables)},
        order_shares=found.order_shares,
        expected=expected,
        nearest=_nearest(found, reference),
        words=_overrepresented(word_counts, against.shares, against.lexicon.texts),
        syllables=_overrepresented(
            against.syllable_counts(word_counts).astype(np.int64),
            against.syllables,
            lambda ids: [SYLLABLES[one] for one in ids.tolist()],
        ),
        unknown_hanzi=_unknown_hanzi(sample, counter),
        training=reference.training,
        warnings=(),
        suggestions=(),
        domains=_domains(word_counts, against, domains or {}),
    )
    warnings = warnings_of(
        sample,
        fits=reference.fits(converter.artifact),
        artifact=result.artifact,
        reference=reference.artifact,
        has_encoder="encoder" in manifest.section_bytes(),
        measures=measures,
    )
    return replace(
        result,
        warnings=warnings,
        suggestions=suggestions(
            sample,
            verdict=result.verdict,
            measures=measures,
            words=[word.text for word in result.words],
            unknown=[hanzi for hanzi, _ in result.unknown_hanzi],
        ),
    )


def with_measured(
    comparison: Comparison, converter: Converter, labelled: LabelledRows, **options: Any
) -> Comparison:
    """Return the comparison with the accuracy measured on the text itself.

    Args:
        comparison: of the text.
        converter: with its neural model.
        labelled: the runs of the text with pinyin.
        options: for `measure_accuracy`.
    """
    outcomes = measure_accuracy(converter, labelled.rows, **options)
    return replace(
        comparison,
        measured=estimate_metrics(outcomes),
        labels={
            "rows": len(labelled.rows),
            "unread": labelled.n_unread,
            "doubtful_share": labelled.doubtful_share,
        },
    )


def _nearest(found: TextMeasures, reference: Reference) -> tuple[str, ...]:
    """Return the names of the sets most like the text."""
    distances = np.zeros(len(reference.sets))
    for name in _LIKENESS:
        logs = np.log(reference.values(name) + 0.01)
        own = np.log(found.values[name] + 0.01)
        distances += ((logs - own) / max(float(logs.std()), 1e-6)) ** 2
    return tuple(reference.sets[at].name for at in np.argsort(distances)[:N_NEAREST])


def _overrepresented(
    counts: NDArray[np.int64], shares: NDArray[np.float64], texts_of: Any
) -> tuple[Overrepresented, ...]:
    """Return what adds most to the relative entropy of the text to the training text."""
    at = np.flatnonzero(counts >= 2)
    if not len(at):
        return ()
    own = counts[at] / counts.sum()
    gains = own * np.log2(own / np.maximum(shares[at], 1e-12))
    order = np.argsort(-gains, kind="stable")[:N_LISTED]
    order = order[gains[order] > 0]
    chosen = at[order]
    return tuple(
        Overrepresented(text, int(counts[one]), float(share), float(shares[one]))
        for text, one, share in zip(texts_of(chosen), chosen, own[order], strict=True)
    )


def _unknown_hanzi(sample: Sample, counter: RunCounter) -> tuple[tuple[str, int], ...]:
    known = set(counter.lexicon.hanzi.tolist())
    counts = Counter(hanzi for run in sample.runs for hanzi in run)
    unknown = [(hanzi, n) for hanzi, n in counts.most_common() if ord(hanzi) not in known]
    return tuple(unknown[:N_LISTED])


def _domains(
    word_counts: NDArray[np.int64],
    against: WordDistribution,
    domains: Mapping[str, NDArray[np.int64]],
) -> tuple[tuple[str, float], ...]:
    """Return the domains of a dataset by the divergence of their words from those of the text."""
    own = against.class_counts(word_counts)
    found = []
    for name, counts in domains.items():
        theirs = against.class_counts(counts)
        if theirs.sum():
            found.append((name, jensen_shannon(own / own.sum(), theirs / theirs.sum())))
    return tuple(sorted(found, key=lambda pair: pair[1]))


def _plain(values: Any) -> Any:
    """Round figures for JSON."""
    if isinstance(values, dict):
        return {name: _plain(value) for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_plain(value) for value in values]
    return float(f"{values:.6g}") if isinstance(values, float) else values
