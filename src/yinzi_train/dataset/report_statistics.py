"""Turn the counts of a dataset into the figures of its report: plain data, written as JSON.

Every list is sorted and every share rounded, so that equal datasets give equal bytes.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.pinyin import SYLLABLES
from yinzi_train.dataset.report_counts import DatasetCounts, GroupCount
from yinzi_train.dataset.report_lexicon import ReportLexicon
from yinzi_train.dataset.schema import SPLITS

__all__ = ["counted_statistics", "frequency_curve"]

MIN_READING_SHARE: Final = 0.01
"""A reading with a smaller share of a hanzi's occurrences does not make it a polyphone."""

N_CURVE_POINTS: Final = 80
N_LISTED: Final = 30
N_SHOWN_LENGTHS: Final = 120
COVERAGE_STEPS: Final = (1, 10, 100, 1000, 10000)
_SHARES: Final = (0.5, 0.9, 0.99, 0.999)
_QUANTILES: Final = (0.05, 0.5, 0.95, 0.99)

_Table = Mapping[str, NDArray[np.int64]]


def counted_statistics(
    counts: DatasetCounts,
    *,
    lexicon: ReportLexicon | None = None,
    word_counts: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """Return all figures that come from the rows themselves.

    Args:
        counts: of all rows.
        lexicon: to measure coverage against; without it that part is left out.
        word_counts: int64 [n], occurrences of its words in a sample of the rows.
    """
    table = counts.readings.table()
    total = GroupCount()
    for part in counts.groups.values():
        total.add(part)
    hanzi_counts = _sums(table, "hanzi")
    statistics: dict[str, Any] = {
        "totals": {
            "rows": total.rows,
            "hanzi": total.hanzi,
            "characters": counts.n_characters,
            "runs": sum(counts.run_lengths.values()),
            "distinct_hanzi": len(hanzi_counts),
            "doubtful": total.doubtful,
        },
        "domains": _groups(counts, "domain", total),
        "licences": _groups(counts, "licence", total),
        "licence_families": _licence_families(counts, total),
        "sources": _groups(counts, "source", total, "domain", "licence"),
        "splits": sorted(
            _groups(counts, "split", total), key=lambda row: SPLITS.index(row["split"])
        ),
        "folds": _train_folds(counts),
        "lengths": {
            "sentence": _lengths(counts.sentence_lengths),
            "run": _lengths(counts.run_lengths),
        },
        "zipf": {"hanzi": frequency_curve(list(hanzi_counts.values()))},
        "coverage": _coverage(table, lexicon),
        "homophones": _homophones(table),
        "polyphones": _polyphones(table, total),
        "repeats": counts.repeats.summary(),
    }
    if word_counts is not None:
        statistics["zipf"]["words"] = frequency_curve(word_counts[word_counts > 0].tolist())
    return statistics


def frequency_curve(counts: Sequence[int]) -> dict[str, Any]:
    """Describe how unevenly the occurrences of some types are spread.

    >>> curve = frequency_curve([1, 6, 3])
    >>> curve["points"], curve["types_for_share"]["0.9"]
    ([[1, 6], [2, 3], [3, 1]], 2)

    Returns:
        types, occurrences; points: [rank, count] at ranks spread evenly on a log scale; slope: of
        the line through log count over log rank from rank 10 to 1,000 (Zipf's law: -1), None where
        there are fewer types; types_for_share: how many of the most frequent types make up a share
        of all occurrences; once: types that occur once.
    """
    sizes = np.sort(np.asarray(counts, dtype=np.int64))[::-1]
    n_types = len(sizes)
    if not n_types:
        return {"types": 0, "occurrences": 0, "points": [], "slope": None, "types_for_share": {}}
    ranks = np.unique(np.geomspace(1, n_types, N_CURVE_POINTS).round().astype(np.int64))
    slope = None
    if n_types >= 100:
        fitted = ranks[(ranks >= 10) & (ranks <= 1000)]
        slope = round(float(np.polyfit(np.log(fitted), np.log(sizes[fitted - 1]), 1)[0]), 2)
    sums = np.cumsum(sizes)
    needed = {str(share): int(np.searchsorted(sums, share * sums[-1])) + 1 for share in _SHARES}
    return {
        "types": n_types,
        "occurrences": int(sums[-1]),
        "once": int((sizes == 1).sum()),
        "points": [[int(rank), int(sizes[rank - 1])] for rank in ranks],
        "slope": slope,
        "types_for_share": needed,
    }


def _groups(
    counts: DatasetCounts, column: str, total: GroupCount, *others: str
) -> list[dict[str, Any]]:
    return [
        {
            **dict(zip((column, *others), key, strict=True)),
            "rows": group.rows,
            "hanzi": group.hanzi,
            "share": _share(group.hanzi, total.hanzi),
            "doubtful": group.doubtful,
        }
        for key, group in counts.by(column, *others).items()
    ]


def licence_family(licence: str) -> str:
    """Return a licence without what is noted beside it.

    >>> licence_family("[open] MIT (repo); news lines"), licence_family("[unstated] fan-made")
    ('[open] MIT', '[unstated]')
    """
    if licence.startswith("[unstated]"):
        return "[unstated]"
    return re.sub(r"\s*\(.*?\)", "", licence.partition(";")[0]).strip()


def _licence_families(counts: DatasetCounts, total: GroupCount) -> list[dict[str, Any]]:
    families: dict[str, GroupCount] = {}
    n_sources: Counter[str] = Counter()
    for (licence, _), group in counts.by("licence", "source").items():
        family = licence_family(licence)
        n_sources[family] += 1
        families.setdefault(family, GroupCount()).add(group)
    return [
        {
            "licence": family,
            "sources": n_sources[family],
            "rows": group.rows,
            "hanzi": group.hanzi,
            "share": _share(group.hanzi, total.hanzi),
        }
        for family, group in sorted(families.items(), key=lambda item: (-item[1].hanzi, item[0]))
    ]


def _train_folds(counts: DatasetCounts) -> list[dict[str, Any]]:
    """Return the sizes of the folds, which divide the train split alone."""
    folds = {key: group for key, group in counts.by("split", "fold").items() if key[0] == SPLITS[0]}
    n_hanzi = sum(group.hanzi for group in folds.values())
    return [
        {
            "fold": int(fold),
            "rows": group.rows,
            "hanzi": group.hanzi,
            "share": _share(group.hanzi, n_hanzi),
        }
        for (_, fold), group in sorted(folds.items())
    ]


def _lengths(histogram: Counter[int]) -> dict[str, Any]:
    """Describe lengths in hanzi; the histogram ends with all that are longer."""
    if not histogram:
        return {"n": 0, "mean": 0.0, "max": 0, "quantiles": {}, "histogram": []}
    lengths = np.array(sorted(histogram), dtype=np.int64)
    sizes = np.array([histogram[length] for length in lengths.tolist()], dtype=np.int64)
    sums = np.cumsum(sizes)
    shown = [histogram.get(length, 0) for length in range(N_SHOWN_LENGTHS + 1)]
    return {
        "n": int(sums[-1]),
        "mean": round(float((lengths * sizes).sum() / sums[-1]), 2),
        "max": int(lengths[-1]),
        "quantiles": {
            str(share): int(lengths[np.searchsorted(sums, share * sums[-1])])
            for share in _QUANTILES
        },
        "histogram": [*shown, int(sums[-1]) - sum(shown)],
    }


def _sums(table: _Table, *columns: str, of: str = "count") -> dict[Any, int]:
    """Sum a column of the table of readings by others, largest first."""
    keys = np.stack([table[column] for column in columns], axis=1)
    distinct, owners = np.unique(keys, axis=0, return_inverse=True)
    sums = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(sums, owners.reshape(-1), table[of])
    order = np.argsort(-sums, kind="stable")
    found: list[tuple[Any, int]] = []
    for key, size in zip(distinct[order].tolist(), sums[order].tolist(), strict=True):
        found.append((key[0] if len(key) == 1 else tuple(key), size))
    return dict(found)


def _coverage(table: _Table, lexicon: ReportLexicon | None) -> dict[str, Any]:
    by_syllable = _sums(table, "syllable")
    unread = by_syllable.pop(-1, 0)
    toned = _sums(table, "syllable", "tone")
    coverage: dict[str, Any] = {
        "syllables": {
            "inventory": len(SYLLABLES),
            "seen": len(by_syllable),
            "missing": [name for index, name in enumerate(SYLLABLES) if index not in by_syllable],
            "at_least": _at_least(list(by_syllable.values())),
        },
        "toned_syllables": {"seen": sum(1 for syllable, tone in toned if syllable >= 0 and tone)},
        "hanzi_without_reading": unread,
    }
    seen = {
        (syllable, hanzi): count
        for (syllable, hanzi), count in _sums(table, "syllable", "hanzi").items()
        if syllable >= 0
    }
    coverage["readings"] = {"seen": len(seen)}
    if lexicon is None:
        return coverage
    known = set(zip(*(column.tolist() for column in lexicon.hanzi_readings()), strict=True))
    hanzi_seen = {hanzi for _, hanzi in seen}
    hanzi_known = {hanzi for _, hanzi in known}
    unknown = {pair: count for pair, count in seen.items() if pair not in known}
    both = [count for pair, count in seen.items() if pair in known]
    coverage["readings"] |= {
        "lexicon_name": lexicon.name,
        "lexicon": len(known),
        "of_lexicon_seen": len(both),
        "of_seen_hanzi": sum(1 for _, hanzi in known if hanzi in hanzi_seen),
        "at_least": _at_least(both),
        "outside_lexicon": len(unknown),
        "outside_lexicon_occurrences": sum(unknown.values()),
        "outside_lexicon_largest": [
            {"hanzi": chr(hanzi), "syllable": SYLLABLES[syllable], "count": count}
            for (syllable, hanzi), count in list(unknown.items())[:10]
        ],
    }
    coverage["hanzi"] = {
        "lexicon": len(hanzi_known),
        "of_lexicon_seen": len(hanzi_known & hanzi_seen),
        "outside_lexicon": len(hanzi_seen - hanzi_known),
    }
    return coverage


def _at_least(counts: Sequence[int]) -> dict[str, int]:
    return {str(step): sum(1 for count in counts if count >= step) for step in COVERAGE_STEPS}


def _homophones(table: _Table) -> dict[str, Any]:
    """Describe how many hanzi share a syllable, and how hard it is to guess which is meant."""
    of_syllable: dict[int, list[tuple[int, int]]] = {}
    for (syllable, hanzi), count in _sums(table, "syllable", "hanzi").items():
        if syllable >= 0:
            of_syllable.setdefault(syllable, []).append((hanzi, count))
    rows: list[dict[str, Any]] = []
    for syllable, hanzi_counts in of_syllable.items():
        sizes = np.array([count for _, count in hanzi_counts], dtype=np.float64)
        shares = sizes / sizes.sum()
        entropy = float(-(shares * np.log2(shares)).sum())
        rows.append(
            {
                "syllable": SYLLABLES[syllable],
                "count": int(sizes.sum()),
                "hanzi": len(sizes),
                "entropy_bits": abs(round(entropy, 3)),
                "perplexity": round(2**entropy, 2),
                "most_frequent": "".join(chr(hanzi) for hanzi, _ in hanzi_counts[:8]),
            }
        )
    rows.sort(key=lambda row: (-row["perplexity"], row["syllable"]))
    n_read = sum(row["count"] for row in rows)
    mean_entropy = sum(row["count"] * row["entropy_bits"] for row in rows) / max(n_read, 1)
    return {
        "mean_hanzi": round(sum(row["hanzi"] for row in rows) / max(len(rows), 1), 1),
        "mean_entropy_bits": round(mean_entropy, 3),
        "mean_perplexity": round(2**mean_entropy, 2),
        "one_hanzi_only": sum(1 for row in rows if row["hanzi"] == 1),
        "syllables": rows,
    }


def _polyphones(table: _Table, total: GroupCount) -> dict[str, Any]:
    """Describe the hanzi with several readings and how often their reading is doubtful."""
    readings: dict[int, list[tuple[str, int]]] = {}
    for (hanzi, syllable, tone), count in _sums(table, "hanzi", "syllable", "tone").items():
        if syllable >= 0:
            name = f"{SYLLABLES[syllable]}{tone or ''}"
            readings.setdefault(hanzi, []).append((name, count))
    doubtful = _sums(table, "hanzi", of="doubtful")
    rows: list[dict[str, Any]] = []
    n_occurrences = 0
    for hanzi, named in readings.items():
        n_all = sum(count for _, count in named)
        kept = [(name, count) for name, count in named if count >= MIN_READING_SHARE * n_all]
        if len(kept) < 2:
            continue
        n_occurrences += n_all
        rows.append(
            {
                "hanzi": chr(hanzi),
                "count": n_all,
                "doubtful": doubtful[hanzi],
                "share": _share(doubtful[hanzi], n_all),
                "readings": {name: _share(count, n_all) for name, count in kept},
            }
        )
    rows.sort(key=lambda row: (-row["doubtful"], -row["count"], row["hanzi"]))
    shares = [row["share"] for row in rows]
    return {
        "min_reading_share": MIN_READING_SHARE,
        "hanzi": len(rows),
        "occurrences": n_occurrences,
        "occurrence_share": _share(n_occurrences, total.hanzi),
        "doubtful": sum(row["doubtful"] for row in rows),
        "doubtful_share": _share(sum(row["doubtful"] for row in rows), n_occurrences),
        "doubtful_share_of_all": _share(total.doubtful, total.hanzi),
        "by_doubtful_share": {
            str(step): sum(1 for share in shares if share >= step)
            for step in (0.01, 0.05, 0.1, 0.25, 0.5)
        },
        "listed": rows[:N_LISTED],
    }


def _share(part: float, whole: float) -> float:
    """Return a share with five significant digits, 0 of nothing.

    >>> _share(1, 3), _share(0, 0)
    (0.33333, 0.0)
    """
    if not part or not whole:
        return 0.0
    share = part / whole
    return round(share, 4 - math.floor(math.log10(abs(share))))
