"""Tell what balancing changes: domains, rare hanzi and readings, and how often rows are seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi_train.dataset.balance import RowWeights, pair_ids
from yinzi_train.dataset.pair_vocabulary import PairVocabulary

__all__ = ["BalanceReport", "BandChange", "DomainChange", "report_balance"]

_BANDS: Final = (0, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
RARE_READING_SHARE: Final = 0.05
"""A reading is rare if its hanzi is read so in less than this share of its uses."""
_MIN_COUNTED: Final = 20


@dataclass(frozen=True)
class DomainChange:
    """A domain before and after: shares of the rows and of the hanzi of an epoch, 0 to 1."""

    domain: str
    rows: int
    row_share_before: float
    row_share_after: float
    hanzi_share_before: float
    hanzi_share_after: float


@dataclass(frozen=True)
class BandChange:
    """Classes of one band of counts before and after.

    Attributes:
        name: which classes, such as `10–99`.
        n_classes: how many.
        share_before: of all hanzi of an epoch, 0 to 1.
        share_after: the same with weights.
        mean_before: occurrences of a class in an epoch.
        mean_after: the same with weights.
        loss_share_after: of the loss, if class weights come on top and every place costs the same.
    """

    name: str
    n_classes: int
    share_before: float
    share_after: float
    mean_before: float
    mean_after: float
    loss_share_after: float


@dataclass(frozen=True)
class BalanceReport:
    """What weights change.

    Attributes:
        n_rows: rows that were weighed, without those of other splits.
        rows_per_epoch: rows of an epoch with weights.
        effective_rows: (Σw)² / Σw², the number of equally weighted rows that tells as much (Kish).
        weight_quantiles: smallest, 5 %, median, 95 % and largest weight: expected views an epoch.
        epochs_to_see: epochs until a row of the 5 % quantile is expected once.
        domains: by falling number of rows.
        hanzi_bands: hanzi by count.
        pair_bands: pairs of syllable and hanzi by count.
        rare_readings: readings that their hanzi seldom has.
    """

    n_rows: int
    rows_per_epoch: float
    effective_rows: float
    weight_quantiles: tuple[float, float, float, float, float]
    epochs_to_see: float
    domains: tuple[DomainChange, ...]
    hanzi_bands: tuple[BandChange, ...]
    pair_bands: tuple[BandChange, ...]
    rare_readings: BandChange

    def to_markdown(self) -> str:
        """Return the report as Markdown tables."""
        quantiles = " / ".join(f"{value:.2f}" for value in self.weight_quantiles)
        lines = [
            f"- rows: {self.n_rows:,}; rows of an epoch: {self.rows_per_epoch:,.0f}",
            f"- effective sample size: {self.effective_rows:,.0f} rows "
            f"({self.effective_rows / max(self.n_rows, 1):.1%})",
            f"- views of a row in an epoch (least / 5 % / median / 95 % / most): {quantiles}",
            f"- epochs until a row of the 5 % quantile is expected once: {self.epochs_to_see:.1f}",
            "",
            "| domain | rows | row share before | after | hanzi share before | after |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *(
                f"| {one.domain} | {one.rows:,} | {one.row_share_before:.2%} "
                f"| {one.row_share_after:.2%} | {one.hanzi_share_before:.2%} "
                f"| {one.hanzi_share_after:.2%} |"
                for one in self.domains
            ),
        ]
        for title, bands in (
            ("hanzi with a count of", self.hanzi_bands),
            ("pairs (syllable, hanzi) with a count of", self.pair_bands),
            ("readings", (self.rare_readings,)),
        ):
            lines += [
                "",
                f"| {title} | classes | share before | after | views each before | after "
                "| share of the loss |",
                "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
                *(
                    f"| {one.name} | {one.n_classes:,} | {one.share_before:.3%} "
                    f"| {one.share_after:.3%} | {one.mean_before:,.1f} | {one.mean_after:,.1f} "
                    f"| {one.loss_share_after:.3%} |"
                    for one in bands
                ),
            ]
        return "\n".join(lines) + "\n"


def report_balance(
    tables: Iterable[pa.Table],
    pairs: PairVocabulary,
    weighed: RowWeights,
    *,
    class_weights: NDArray[np.float32] | None = None,
) -> BalanceReport:
    """Compare an epoch without weights with one with weights, in expectation.

    Args:
        tables: the rows that were weighed, in the same order.
        pairs: counted on the same rows.
        weighed: their weights.
        class_weights: float32 [n_pairs], of the loss; None for 1 each.

    Raises:
        ConfigError: there are other rows than weights.
    """
    before = np.zeros(len(pairs) + 1)  # the last for pairs that are not known
    after = np.zeros(len(pairs) + 1)
    hanzi_before = np.zeros(len(weighed.domains))
    hanzi_after = np.zeros(len(weighed.domains))
    first = 0
    for table in tables:
        texts = table.column("hanzi").to_pylist()
        rows = slice(first, first + len(texts))
        first += len(texts)
        if first > len(weighed.weights):
            break
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        ids = pair_ids(table, pairs, texts)
        ids[ids < 0] = len(pairs)
        domain_of = weighed.domain_of[rows]
        for by_pair, by_domain, weights in (
            (before, hanzi_before, weighed.is_used[rows].astype(np.float64)),
            (after, hanzi_after, weighed.weights[rows].astype(np.float64)),
        ):
            of_hanzi = np.repeat(weights, lengths)
            by_pair[:] += np.bincount(ids, of_hanzi, minlength=len(by_pair))
            by_domain[:] += np.bincount(domain_of, weights * lengths, minlength=len(by_domain))
    if first != len(weighed.weights):
        raise ConfigError(
            f"{len(weighed.weights)} weights for other rows ({first} or more): "
            "give the tables that were weighed"
        )
    loss = after[:-1] * (1.0 if class_weights is None else class_weights)
    weights = weighed.weights[weighed.is_used].astype(np.float64)
    points = np.quantile(weights, [0, 0.05, 0.5, 0.95, 1])
    codes, _, hanzi_of = pairs.hanzi_counts
    by_hanzi = [
        np.bincount(hanzi_of, values, minlength=len(codes)).astype(np.float64)
        for values in (before[:-1], after[:-1], loss)
    ]
    totals = by_hanzi[0][hanzi_of]
    is_rare = (before[:-1] < RARE_READING_SHARE * totals) & (totals >= _MIN_COUNTED)
    return BalanceReport(
        n_rows=len(weights),
        rows_per_epoch=float(weights.sum()),
        effective_rows=float(weights.sum() ** 2 / np.square(weights).sum()),
        weight_quantiles=(*(float(point) for point in points),),  # type: ignore[arg-type]
        epochs_to_see=float(1.0 / max(points[1], 1e-9)),
        domains=_domain_changes(weighed, hanzi_before, hanzi_after),
        hanzi_bands=_bands(by_hanzi[0], by_hanzi[1], by_hanzi[2]),
        pair_bands=_bands(before[:-1], after[:-1], loss),
        rare_readings=_band(
            f"less than {RARE_READING_SHARE:.0%} of the uses of their hanzi",
            is_rare,
            before[:-1],
            after[:-1],
            loss,
        ),
    )


def _domain_changes(
    weighed: RowWeights, hanzi_before: NDArray[np.float64], hanzi_after: NDArray[np.float64]
) -> tuple[DomainChange, ...]:
    n = len(weighed.domains)
    rows = np.bincount(weighed.domain_of[weighed.is_used], minlength=n)
    after = np.bincount(weighed.domain_of, weighed.weights, minlength=n)
    shares = [
        values / max(float(values.sum()), 1e-300)
        for values in (rows, after, hanzi_before, hanzi_after)
    ]
    return tuple(
        DomainChange(weighed.domains[i], int(rows[i]), *(float(share[i]) for share in shares))
        for i in np.argsort(-rows, kind="stable")
        if rows[i]
    )


def _bands(
    before: NDArray[np.float64], after: NDArray[np.float64], loss: NDArray[np.float64]
) -> tuple[BandChange, ...]:
    """Return the bands that have a class, by rising count; without classes that never occur."""
    bands = []
    for low, high in zip(_BANDS, (*_BANDS[1:], None), strict=True):
        name = f"{max(low, 1):,} or more" if high is None else f"{max(low, 1):,} to {high - 1:,}"
        inside = (before > 0) & (before >= low)
        if high is not None:
            inside &= before < high
        if inside.any():
            bands.append(_band(name, inside, before, after, loss))
    return tuple(bands)


def _band(
    name: str,
    inside: NDArray[np.bool_],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    loss: NDArray[np.float64],
) -> BandChange:
    n = int(inside.sum())
    sums = [float(values[inside].sum()) for values in (before, after, loss)]
    shares = [
        part / max(float(values.sum()), 1e-300)
        for part, values in zip(sums, (before, after, loss), strict=True)
    ]
    return BandChange(
        name, n, shares[0], shares[1], sums[0] / max(n, 1), sums[1] / max(n, 1), shares[2]
    )
