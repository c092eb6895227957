"""Write an n-gram model as the arrays that `yinzi.language_model` reads.

Values are rounded to a few levels (Lloyd's algorithm in one dimension) and n-grams become fuse
tables, both described in the runtime package's `format.md`. An n-gram's value is its difference
from what the runtime, with everything below already rounded, would give without it. A table of
10 million n-grams is built in 12 s within 0.6 GB beside the n-grams (one core of a 2020s Xeon).

Long for a module: fitting levels and building tables are each of use to the writer alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.language_model.cells import MAX_WIDTH, MIN_WIDTH, pack_cells
from yinzi.language_model.fuse import FuseHash, FuseShape, FuseTable
from yinzi.language_model.hashing import MAX_IDS, Multipliers
from yinzi_train.ngram.model import NgramModel

__all__ = [
    "TableBits",
    "TableOptions",
    "TableReport",
    "build_fuse_cells",
    "fit_levels",
    "nearest_levels",
    "write_tables",
]

_LOGGER = logging.getLogger(__name__)

_BLOCK: Final = 1 << 18  # n-grams hashed and looked up at once
_LLOYD_ROUNDS: Final = 200
_NOT_ZERO: Final = -1e-9  # stands for a backoff weight of 0 where 0 means "no context"


@dataclass(frozen=True)
class TableBits:
    """Bits of a fuse table's cells; 8 or 16 in all are read fastest.

    Attributes:
        value_bits: 2^value_bits levels, 1 to 16.
        fingerprint_bits: unknown n-grams are found with probability 2^-fingerprint_bits.
    """

    value_bits: int = 5
    fingerprint_bits: int = 11

    def __post_init__(self) -> None:
        width = self.value_bits + self.fingerprint_bits
        if not 1 <= self.value_bits <= 16:
            raise ConfigError(f"value_bits is {self.value_bits}, expected 1 to 16")
        if self.fingerprint_bits < 1 or not MIN_WIDTH <= width <= MAX_WIDTH:
            raise ConfigError(
                f"value_bits + fingerprint_bits is {self.value_bits} + {self.fingerprint_bits}, "
                f"expected {MIN_WIDTH} to {MAX_WIDTH} together, and a fingerprint of 1 or more"
            )


@dataclass(frozen=True)
class TableOptions:
    """How finely a model is written.

    Attributes:
        bigram: cells of the (w1, w2) table.
        trigram: cells of the (w1, w2, w3) table.
        context: cells of the table of trigram contexts with their backoff weights.
        unigram_logprob_bits: 2^bits levels, 1 to 16; above 8 a word takes two bytes.
        unigram_backoff_bits: likewise.
        sample_size: values that levels are fitted on.
        n_probes: random n-grams that measure false finds.
        n_attempts: seeds tried for a table before giving up.
        seed: first seed tried, and of the samples.
    """

    bigram: TableBits = field(default_factory=TableBits)
    trigram: TableBits = field(default_factory=TableBits)
    context: TableBits = field(default_factory=TableBits)
    unigram_logprob_bits: int = 8
    unigram_backoff_bits: int = 8
    sample_size: int = 1_000_000
    n_probes: int = 1_000_000
    n_attempts: int = 20
    seed: int = 1

    def __post_init__(self) -> None:
        for key in ("unigram_logprob_bits", "unigram_backoff_bits"):
            if not 1 <= getattr(self, key) <= 16:
                raise ConfigError(f"{key} is {getattr(self, key)}, expected 1 to 16")
        for key in ("sample_size", "n_probes", "n_attempts"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key} is {getattr(self, key)}, expected 1 or more")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}, expected 0 or more")


@dataclass
class TableReport:
    """What was written, and how well.

    Attributes:
        parameters: the manifest's ``language_model`` parameters.
        file_bytes: size of each file, by name.
        n_ngrams: n-grams written, by table.
        rmse: root mean square rounding error in nats, by array.
        false_positive_rate: share of random unknown n-grams that a table finds, by table.
        n_dropped_without_suffix: trigrams left out because (w2, w3) is no stored bigram.
        n_dropped_without_context: further trigrams left out because (w1, w2) is none.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    file_bytes: dict[str, int] = field(default_factory=dict)
    n_ngrams: dict[str, int] = field(default_factory=dict)
    rmse: dict[str, float] = field(default_factory=dict)
    false_positive_rate: dict[str, float] = field(default_factory=dict)
    n_dropped_without_suffix: int = 0
    n_dropped_without_context: int = 0

    @property
    def total_bytes(self) -> int:
        """Size of all files."""
        return sum(self.file_bytes.values())


def write_tables(
    model: NgramModel,
    folder: Path,
    *,
    options: TableOptions = TableOptions(),
) -> TableReport:
    """Write the model's arrays into a folder and report sizes, errors and what was left out.

    Trigrams whose last or first two words are no stored bigram are left out, since the runtime
    would never ask for them; the report counts them.

    Raises:
        ConfigError: the vocabulary is larger than keys have room for.
        ValueError: an n-gram occurs twice, or a logprob is not finite.
    """
    return _Writer(model, folder, options).write()


class _Writer:
    """State of one `write_tables`: the report as it grows."""

    def __init__(self, model: NgramModel, folder: Path, options: TableOptions) -> None:
        self._model = model
        self._folder = folder
        self._options = options
        self._rng = np.random.default_rng(options.seed)
        self._report = TableReport(parameters={"n_words": model.n_words})

    def write(self) -> TableReport:
        model = self._model
        n_ids = model.n_words + 2
        if n_ids > MAX_IDS:
            raise ConfigError(
                f"the model has {model.n_words} words, expected at most {MAX_IDS - 2}; "
                "use a smaller lexicon"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        w1, w2 = model.bigrams[:, 0], model.bigrams[:, 1]

        unigram_logprob = model.unigram_logprob.copy()
        unigram_logprob[model.bos_id] = unigram_logprob[model.eos_id]  # never predicted
        unigram = self._save_per_word("unigram_logprob", unigram_logprob, np.ones(n_ids, np.bool_))
        continues = model.unigram_backoff != 0
        continues[w1] = True
        backoff = self._save_per_word("unigram_backoff", model.unigram_backoff, continues)
        has_predecessor = np.zeros(n_ids, dtype=np.bool_)
        has_predecessor[w2] = True
        self._save("has_predecessor", np.packbits(has_predecessor, bitorder="little"))

        by_backoff = backoff[w1] + unigram[w2]
        deltas = model.bigram_logprob - by_backoff
        bigram_logprob = by_backoff + self._save_table("bigram", model.bigrams, deltas, "delta")

        suffix_at = _find(model.bigrams, model.trigrams[:, 1:])
        context_at = _find(model.bigrams, model.trigrams[:, :2])
        self._report.n_dropped_without_suffix = int((suffix_at < 0).sum())
        self._report.n_dropped_without_context = int(((suffix_at >= 0) & (context_at < 0)).sum())
        kept = (suffix_at >= 0) & (context_at >= 0)
        suffix_at, context_at = suffix_at[kept], context_at[kept]

        is_context = model.bigram_backoff != 0
        is_context[context_at] = True
        context_backoff = np.zeros_like(model.bigram_backoff)
        context_backoff[is_context] = self._save_table(
            "context",
            model.bigrams[is_context],
            model.bigram_backoff[is_context],
            "backoff",
            zero_is_taken=True,
        )
        deltas = model.trigram_logprob[kept]
        deltas -= context_backoff[context_at]
        deltas -= bigram_logprob[suffix_at]
        self._save_table("trigram", model.trigrams[kept], deltas, "delta")
        return self._report

    def _save(self, name: str, array: NDArray[Any]) -> None:
        path = self._folder / f"{name}.npy"
        np.save(path, array, allow_pickle=False)
        self._report.file_bytes[path.name] = path.stat().st_size

    def _fit(self, name: str, values: NDArray[np.float32], n_levels: int) -> NDArray[np.float32]:
        if not np.isfinite(values).all():
            raise ValueError(f"the model's values for {name} are not all finite")
        sample = values
        if values.size > self._options.sample_size:
            sample = values[self._rng.integers(0, values.size, self._options.sample_size)]
        return fit_levels(sample, n_levels=n_levels)

    def _save_per_word(
        self, name: str, values: NDArray[np.float32], is_given: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Save one value a word and return it rounded; where none is given, exactly 0."""
        bits = getattr(self._options, f"{name}_bits")
        given = values[is_given]
        levels = self._fit(name, given, (1 << bits) - 1)
        levels[levels == 0] = _NOT_ZERO
        codes = np.zeros(values.size, dtype=np.uint8 if bits <= 8 else np.uint16)
        codes[is_given] = nearest_levels(given, levels) + 1
        levels = np.concatenate((np.zeros(1, np.float32), levels))
        self._save(f"{name}_codes", codes)
        self._save(f"{name}_levels", levels)
        self._report.rmse[name] = _rmse(values, levels[codes])
        return levels[codes]

    def _save_table(
        self,
        name: str,
        ngrams: NDArray[np.int32],
        values: NDArray[np.float32],
        value_name: str,
        *,
        zero_is_taken: bool = False,
    ) -> NDArray[np.float32]:
        """Save a fuse table and return its values rounded."""
        options = self._options
        bits: TableBits = getattr(options, name)
        levels = self._fit(name, values, 1 << bits.value_bits)
        if zero_is_taken:
            levels[levels == 0] = _NOT_ZERO
        codes = nearest_levels(values, levels)
        cells, parameters = build_fuse_cells(
            ngrams, codes, bits=bits, seed=options.seed, n_attempts=options.n_attempts
        )
        self._save(f"{name}_cells", cells)
        self._save(f"{name}_{value_name}_levels", levels)
        report = self._report
        report.parameters[name] = parameters
        report.n_ngrams[name] = len(ngrams)
        report.rmse[name] = _rmse(values, levels[codes])

        table = FuseTable(cells, parameters, name=name)
        if not np.array_equal(_lookup(table, ngrams), codes):
            raise AssertionError(f"the {name} table does not give back what was put in")
        report.false_positive_rate[name] = self._false_positive_rate(table, ngrams)
        _LOGGER.info(
            "%s table: %d n-grams, %d bytes, rmse %.4f, false finds %.2e",
            *(name, len(ngrams), cells.nbytes, report.rmse[name]),
            report.false_positive_rate[name],
        )
        return levels[codes]

    def _false_positive_rate(self, table: FuseTable, ngrams: NDArray[np.int32]) -> float:
        shape = (self._options.n_probes, ngrams.shape[1])
        probes = self._rng.integers(0, self._model.n_words + 2, shape, dtype=np.int32)
        is_unknown = _find(ngrams, probes) < 0
        found = _lookup(table, probes) < table.n_codes
        return float(found[is_unknown].mean()) if is_unknown.any() else 0.0


def build_fuse_cells(
    ngrams: NDArray[np.int32],
    codes: NDArray[np.integer[Any]],
    *,
    bits: TableBits,
    seed: int,
    n_attempts: int,
) -> tuple[NDArray[Any], dict[str, Any]]:
    """Build the cells of a table that gives each n-gram its code, and the table's parameters.

    Args:
        ngrams: int32 [n_ngrams, order], in any order, without repetition.
        codes: [n_ngrams], below 2^value_bits.
        bits: of the cells.
        seed: first seed to try; the one that worked is in the parameters.
        n_attempts: seeds to try.

    Raises:
        ValueError: an n-gram occurs twice.

    >>> ngrams = np.array([[1, 2], [2, 1]], dtype=np.int32)
    >>> cells, parameters = build_fuse_cells(
    ...     ngrams, np.array([3, 30]), bits=TableBits(5, 11), seed=1, n_attempts=20
    ... )
    >>> table = FuseTable(cells, parameters, name="bigram")
    >>> sums = table.multipliers.part(np.array([1, 2]), 1)
    >>> table.lookup(sums + table.multipliers.part(np.array([2, 1]), 0)).tolist()
    [3, 30]
    """
    width = bits.value_bits + bits.fingerprint_bits
    shape = FuseShape.for_keys(len(ngrams))
    for attempt_seed in range(seed, seed + n_attempts):
        fuse_hash = FuseHash(shape, seed=attempt_seed)
        hashes = _sums(fuse_hash.multipliers, ngrams)
        places = fuse_hash.positions(hashes)
        order = np.argsort(hashes)  # neighbours in the cells become neighbours in memory
        hashes = hashes[order]
        if (hashes[1:] == hashes[:-1]).any():
            twice = ngrams[order[1:][hashes[1:] == hashes[:-1]][0]]
            raise ValueError(f"n-gram {twice.tolist()} occurs twice, expected each once")
        positions = np.stack([part[order].astype(np.int32) for part in places])
        positions += np.int32(shape.segment_length) * np.arange(3, dtype=np.int32)[:, None]
        rounds = _peel(positions, shape.n_cells)
        if rounds is None:
            _LOGGER.info("seed %d leaves a knot among %d n-grams", attempt_seed, len(ngrams))
            continue
        targets = (hashes & np.uint64((1 << width) - 1)).astype(np.uint32)
        targets ^= codes[order].astype(np.uint32)
        cells = np.zeros(shape.n_cells, dtype=np.uint32)
        for keys, own_cells in reversed(rounds):
            of_keys = positions[:, keys]
            own = targets[keys]
            for part in of_keys:  # a key's own cell is still 0 here
                own ^= cells[part]
            cells[own_cells] = own
        parameters = {
            "n_ngrams": len(ngrams),
            "seed": attempt_seed,
            "value_bits": bits.value_bits,
            "fingerprint_bits": bits.fingerprint_bits,
            "segment_length": shape.segment_length,
            "n_segments": shape.n_segments,
        }
        return pack_cells(cells, width=width), parameters
    raise RuntimeError(
        f"no seed from {seed} to {seed + n_attempts - 1} fits {len(ngrams)} n-grams; "
        "raise n_attempts or change seed"
    )


def _peel(
    positions: NDArray[np.int32], n_cells: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]] | None:
    """Take keys off, round by round, each with a cell that no remaining key has.

    Args:
        positions: int32 [3, n_keys].
        n_cells: number of cells.

    Returns:
        (keys, own cells) of each round, or None if some keys share all their cells with others.
    """
    n_keys = positions.shape[1]
    degree = np.zeros(n_cells, dtype=np.int32)
    key_sum = np.zeros(n_cells, dtype=np.int64)  # of the keys that have the cell
    for part in positions:
        degree += np.bincount(part, minlength=n_cells).astype(np.int32)
        sums = np.bincount(part, weights=np.arange(n_keys, dtype=np.float64), minlength=n_cells)
        key_sum += sums.astype(np.int64)  # exact: below 2^53
    owner = np.zeros(n_keys, dtype=np.int64)
    rounds = []
    n_peeled = 0
    own_cells = np.flatnonzero(degree == 1)
    while own_cells.size:
        keys = key_sum[own_cells]
        ranks = np.arange(keys.size)
        owner[keys] = ranks  # of a key's several cells the last one written stays
        is_owner = owner[keys] == ranks
        keys, own_cells = keys[is_owner], own_cells[is_owner]
        rounds.append((keys, own_cells))
        n_peeled += keys.size
        touched = positions[:, keys].reshape(-1)
        np.subtract.at(degree, touched, np.int32(1))
        np.subtract.at(key_sum, touched, np.tile(keys, 3))
        own_cells = touched[degree[touched] == 1].astype(np.int64)
    return rounds if n_peeled == n_keys else None


def fit_levels(values: NDArray[np.float32], *, n_levels: int) -> NDArray[np.float32]:
    """Fit levels that round the values with the least mean square error.

    Starts where the density's cube root puts them (Panter and Dite 1951), then Lloyd's algorithm
    (Lloyd 1982). If there are no more distinct values than levels, they are the levels.

    Returns:
        float32 [n_levels], rising; the last one is repeated if fewer are needed, and levels of
        an empty array are 0.

    >>> fit_levels(np.array([3.0, 1.0, 3.0], dtype=np.float32), n_levels=4).tolist()
    [1.0, 3.0, 3.0, 3.0]
    """
    distinct = np.unique(values)
    if distinct.size <= n_levels:
        padding = distinct[-1] if distinct.size else 0.0
        return np.append(distinct, np.full(n_levels - distinct.size, padding)).astype(np.float32)
    ordered = np.sort(values).astype(np.float64)
    sums = np.concatenate(([0.0], np.cumsum(ordered)))
    counts, edges = np.histogram(ordered, bins=4096)
    mass = np.concatenate(([0.0], np.cumsum(np.cbrt(counts))))
    levels = np.interp((np.arange(n_levels) + 0.5) / n_levels * mass[-1], mass, edges)
    for _ in range(_LLOYD_ROUNDS):
        middles = (levels[1:] + levels[:-1]) / 2
        borders = np.concatenate(([0], np.searchsorted(ordered, middles), [ordered.size]))
        sizes = np.diff(borders)
        means = np.diff(sums[borders]) / np.maximum(sizes, 1)
        moved = np.where(sizes > 0, means, levels)
        is_settled = np.abs(moved - levels).max() < 1e-6
        levels = moved
        if is_settled:
            break
    return np.sort(levels).astype(np.float32)


def nearest_levels(values: NDArray[np.float32], levels: NDArray[np.float32]) -> NDArray[np.int64]:
    """Give the index of the level nearest to each value.

    >>> nearest_levels(np.float32([0.4, 9]), np.float32([0, 1, 2])).tolist()
    [0, 2]
    """
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, values)


def _rmse(values: NDArray[np.float32], rounded: NDArray[np.float32]) -> float:
    errors = (values - rounded).astype(np.float64)
    return float(np.sqrt(np.mean(errors * errors))) if errors.size else 0.0


def _sums(multipliers: Multipliers, ngrams: NDArray[np.int32]) -> NDArray[np.uint64]:
    order = ngrams.shape[1]
    sums = multipliers.part(ngrams[:, -1], 0)
    for distance in range(1, order):
        sums += multipliers.part(ngrams[:, order - 1 - distance], distance)
    return sums


def _lookup(table: FuseTable, ngrams: NDArray[np.int32]) -> NDArray[np.uint32]:
    found = np.empty(len(ngrams), dtype=np.uint32)
    for start in range(0, len(ngrams), _BLOCK):
        block = slice(start, start + _BLOCK)
        found[block] = table.lookup(_sums(table.multipliers, ngrams[block]))
    return found


def _find(ngrams: NDArray[np.int32], wanted: NDArray[np.int32]) -> NDArray[np.int64]:
    """Give the row of each wanted n-gram among sorted n-grams, -1 where it is not there."""
    keys, wanted_keys = (_pack(part) for part in (ngrams, wanted))
    if not keys.size:
        return np.full(len(wanted), -1, dtype=np.int64)
    rows = np.minimum(np.searchsorted(keys, wanted_keys), keys.size - 1)
    return np.where(keys[rows] == wanted_keys, rows, -1)


def _pack(ngrams: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pack rows of word ids into integers that sort like the rows."""
    keys = np.zeros(len(ngrams), dtype=np.int64)
    for column in ngrams.T:
        keys *= MAX_IDS
        keys += column
    return keys
