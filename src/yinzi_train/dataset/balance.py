"""Weigh rows and classes, so that rare hanzi, rare readings and small domains are learnt too.

The weight of a row is how often it should be seen in one epoch. Two things make it:

- rarity: a pair of syllable and hanzi that is a share f of all hanzi of the text asks for
  (threshold / f) ^ exponent copies; a row gets what the rarest of its pairs asks for, within limits
  (repeat factor sampling: Gupta, Dollár and Girshick 2019, LVIS, arXiv:1908.03195, section 5.3,
  where the exponent is one half). As the hanzi of a pair is rarer or its reading is, this serves
  both. Rows of frequent pairs only are thinned out if the lower limit is below 1.
- domains: their shares are the natural ones to the power 1 / temperature (as in the training of
  multilingual models: Arivazhagan et al. 2019, arXiv:1907.05019, section 4.2), times a factor.
  Shares are met exactly: rarity moves rows within a domain, never from one to another.

Class weights act on the loss, not on the rows. Sentences are kept whole: what could be put between
two of them, as SMOTE puts points between points, is no sentence (docs/augmentation.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi_train.dataset.augmentation_draws import check_rate
from yinzi_train.dataset.augmentation_rows import hanzi_codes
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.sampling import Shards

__all__ = [
    "BalanceOptions",
    "RowWeights",
    "class_weights",
    "effective_number_weights",
    "inverse_sqrt_weights",
    "pair_ids",
    "read_balance_tables",
    "weigh_rows",
]

_COLUMNS = ("split", "domain", "hanzi", "syllables")


@dataclass(frozen=True)
class BalanceOptions:
    """How rows are weighed.

    Attributes:
        threshold: share of all hanzi below which a pair is rare, above 0 up to 1.
        exponent: 0 ignores rarity, 0.5 is that of the paper, 1 makes rare pairs as frequent as the
            threshold, up to the limit.
        max_copies: upper limit of what rarity asks for, at least 1.
        min_copies: lower limit, above 0 up to 1; below 1 rows of frequent pairs are thinned out.
        temperature: 1 keeps the natural shares of domains; more brings them together; at least 1.
        domain_factors: factor ≥ 0 on the share of a domain; 1 for those not named.
        rows_per_epoch: sum of all weights; None for as many as there are rows.
    """

    threshold: float = 1e-5
    exponent: float = 0.5
    max_copies: float = 4.0
    min_copies: float = 1.0
    temperature: float = 1.0
    domain_factors: Mapping[str, float] = field(default_factory=dict)
    rows_per_epoch: int | None = None

    def __post_init__(self) -> None:
        check_rate("balance.exponent", self.exponent)
        for name, value, low, high in (
            ("threshold", self.threshold, 0.0, 1.0),
            ("min_copies", self.min_copies, 0.0, 1.0),
        ):
            if not low < value <= high:
                raise ConfigError(f"balance.{name} is {value!r}: expected above 0 up to 1")
        for name, value in (("max_copies", self.max_copies), ("temperature", self.temperature)):
            if not value >= 1 or math.isnan(value):
                raise ConfigError(f"balance.{name} is {value!r}: expected at least 1")
        if math.isinf(self.max_copies):
            raise ConfigError("balance.max_copies is infinite: expected a limit such as 4")
        for domain, factor in self.domain_factors.items():
            check_rate(f"balance.domain_factors.{domain}", factor, upper=1e6)
        if self.rows_per_epoch is not None and self.rows_per_epoch < 1:
            raise ConfigError(
                f"balance.rows_per_epoch is {self.rows_per_epoch}: expected at least 1"
            )


@dataclass(frozen=True, eq=False)
class RowWeights:
    """How often every row is to be seen in an epoch.

    Attributes:
        weights: float32 [n_rows], ≥ 0; rows of another split have 0.
        is_used: bool [n_rows], of the split that was weighed.
        domain_of: int16 [n_rows], index into `domains`.
        domains: names.
    """

    weights: NDArray[np.float32]
    is_used: NDArray[np.bool_]
    domain_of: NDArray[np.int16]
    domains: tuple[str, ...]


def read_balance_tables(folder: Path) -> Callable[[], Iterable[pa.Table]]:
    """Return a function that reads a folder's rows from the first on, a row group at a time.

    Only the columns that balancing needs are read. The order is that of `Shards`.

    Raises:
        ConfigError: the folder has no Parquet file.
    """
    shards = Shards.from_folder(folder)

    def read() -> Iterable[pa.Table]:
        for path, n_groups in zip(shards.paths, shards.n_groups, strict=True):
            with pq.ParquetFile(path) as file:
                names = [name for name in _COLUMNS if name in file.schema_arrow.names]
                for group in range(n_groups):
                    yield file.read_row_group(group, columns=names)

    return read


def weigh_rows(
    tables: Iterable[pa.Table],
    pairs: PairVocabulary,
    options: BalanceOptions | None = None,
    *,
    split: str | None = "train",
) -> RowWeights:
    """Weigh all rows, given table by table; keeps 7 bytes a row.

    Args:
        tables: columns domain, hanzi, syllables, and split if one is asked for.
        pairs: counted on the same rows.
        options: how.
        split: rows of other splits get weight 0; None weighs all.

    >>> rows = pa.table({"domain": ["a", "b"], "hanzi": ["中", "国"], "syllables": [[0], [1]]})
    >>> weighed = weigh_rows([rows], PairVocabulary.from_tables([rows]), split=None)
    >>> weighed.weights.tolist()
    [1.0, 1.0]

    Raises:
        ConfigError: a domain that has a factor is not there, or no row is left.
    """
    options = options or BalanceOptions()
    copies_of = _copies_of_pairs(pairs, options)
    domains: dict[str, int] = {}
    copies_parts, domain_parts, used_parts = [], [], []
    for table in tables:
        texts = table.column("hanzi").to_pylist()
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        ids = pair_ids(table, pairs, texts)
        copies = np.full(len(texts), options.min_copies, dtype=np.float32)
        np.maximum.at(copies, np.repeat(np.arange(len(texts)), lengths), copies_of[ids])
        copies_parts.append(copies)
        column = table.column("domain").combine_chunks().dictionary_encode()
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        names = column.dictionary.to_pylist()
        codes = np.array([domains.setdefault(name, len(domains)) for name in names], dtype=np.int16)
        domain_parts.append(codes[column.indices.to_numpy(zero_copy_only=False)])
        used_parts.append(_is_of_split(table, split))
    copies = np.concatenate([*copies_parts, np.zeros(0, np.float32)])
    domain_of = np.concatenate([*domain_parts, np.zeros(0, np.int16)])
    is_used = np.concatenate([*used_parts, np.zeros(0, np.bool_)])
    factors = _domain_factors(copies * is_used, is_used, domain_of, tuple(domains), options)
    weights = (copies * factors[domain_of] * is_used).astype(np.float32)
    total = float(weights.sum(dtype=np.float64))
    if not total:
        raise ConfigError(
            f"no row of split {split!r} has a weight above 0: name a split that is there"
        )
    wanted = options.rows_per_epoch or int(is_used.sum())
    weights *= np.float32(wanted / total)
    return RowWeights(weights, is_used, domain_of, tuple(domains))


def pair_ids(table: pa.Table, pairs: PairVocabulary, texts: list[str]) -> NDArray[np.int64]:
    """Return the pair ids of all hanzi of a table, -1 for unknown ones."""
    syllables = table.column("syllables").combine_chunks()
    if isinstance(syllables, pa.ChunkedArray):  # of no rows
        return np.zeros(0, dtype=np.int64)
    flat = syllables.flatten().to_numpy(zero_copy_only=False)
    return pairs.ids(flat, hanzi_codes(texts))


def _is_of_split(table: pa.Table, split: str | None) -> NDArray[np.bool_]:
    if split is None:
        return np.ones(len(table), dtype=np.bool_)
    if "split" not in table.column_names:
        raise ConfigError(
            f"rows have no column 'split', so none is of {split!r}: pass split=None for all rows"
        )
    return np.array([name == split for name in table.column("split").to_pylist()], dtype=np.bool_)


def _copies_of_pairs(pairs: PairVocabulary, options: BalanceOptions) -> NDArray[np.float32]:
    """Return what each pair asks for, float32 [n_pairs + 1]; an unknown pair (-1) asks nothing."""
    shares = pairs.counts / max(1, int(pairs.counts.sum()))
    copies = (options.threshold / np.maximum(shares, 1e-300)) ** options.exponent
    copies = np.clip(copies, options.min_copies, options.max_copies)
    return np.append(copies, options.min_copies).astype(np.float32)


def _domain_factors(
    copies: NDArray[np.float32],
    is_used: NDArray[np.bool_],
    domain_of: NDArray[np.int16],
    domains: tuple[str, ...],
    options: BalanceOptions,
) -> NDArray[np.float64]:
    """Return the factor that brings each domain to its share, whatever rarity asked for."""
    for name in options.domain_factors:
        if name not in domains:
            raise ConfigError(
                f"unknown key balance.domain_factors.{name}: the rows have domains such as "
                f"{', '.join(sorted(domains)[:5])}"
            )
    n_rows = np.bincount(domain_of[is_used], minlength=len(domains)).astype(np.float64)
    wanted = np.where(n_rows > 0, np.maximum(n_rows, 1) ** (1.0 / options.temperature), 0.0)
    wanted *= np.array([options.domain_factors.get(name, 1.0) for name in domains])
    asked = np.bincount(domain_of, weights=copies, minlength=len(domains))
    return wanted / np.maximum(asked, 1e-300)


def effective_number_weights(
    counts: NDArray[np.int64], *, beta: float = 0.9999, max_ratio: float = 20.0
) -> NDArray[np.float32]:
    """Weigh classes by the inverse effective number of their examples.

    The weight is (1 - beta) / (1 - beta ^ n) (Cui et al. 2019, arXiv:1901.05555, equation 3), cut
    at `max_ratio` times the mean, and scaled so that the mean over all examples is 1: the loss
    keeps its size.

    Args:
        counts: int64 [n_classes], examples of each.
        beta: from 0 (no weights) to below 1 (inverse frequency).
        max_ratio: limit of a weight, in means; at least 1.

    Returns:
        float32 [n_classes]; classes without examples weigh as much as with one.

    Raises:
        ConfigError: a setting is out of range, or there are no examples.
    """
    if not 0 <= beta < 1:
        raise ConfigError(f"beta is {beta!r}: expected 0 up to but without 1")
    n = np.maximum(counts, 1).astype(np.float64)
    return class_weights(counts, (1 - beta) / -np.expm1(n * math.log(max(beta, 1e-300))), max_ratio)


def inverse_sqrt_weights(
    counts: NDArray[np.int64], *, max_ratio: float = 20.0
) -> NDArray[np.float32]:
    """Weigh classes by one over the root of their count, cut and scaled like the others.

    >>> inverse_sqrt_weights(np.array([1, 9])).tolist()
    [2.5, 0.8333333134651184]

    Raises:
        ConfigError: a setting is out of range, or there are no examples.
    """
    return class_weights(counts, 1.0 / np.sqrt(np.maximum(counts, 1)), max_ratio)


def class_weights(
    counts: NDArray[np.int64], raw: NDArray[np.float64], max_ratio: float
) -> NDArray[np.float32]:
    """Cut raw weights of classes at a multiple of their mean, and scale the mean to 1.

    Raises:
        ConfigError: `max_ratio` is below 1, or there are no examples.
    """
    if not max_ratio >= 1:
        raise ConfigError(f"max_ratio is {max_ratio!r}: expected at least 1")
    total = int(counts.sum())
    if not total:
        raise ConfigError("no class has an example: count the rows first")
    mean = float((raw * counts).sum()) / total
    cut = np.minimum(raw, max_ratio * mean)
    weights: NDArray[np.float64] = cut * (total / float((cut * counts).sum()))
    return weights.astype(np.float32)
