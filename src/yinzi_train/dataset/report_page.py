"""Lay out the page of a dataset report. Every figure on it is one of report.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from yinzi_train.dataset.report_blocks import Block, Bullets, Heading, Paragraph, Picture, Table

__all__ = ["TITLE", "page_blocks"]

_Report = Mapping[str, Any]

TITLE: Final = "Dataset report · 数据集报告"
N_LISTED: Final = 12
_PICTURES: Final = {
    "domains.png": "Bars: million hanzi by domain, sources with an open licence apart",
    "licences.png": "Bars: million hanzi by licence",
    "drops.png": "Bars: rows dropped, by reason",
    "zipf.png": "Zipf curve: share of all occurrences over rank, on log scales",
    "lengths.png": "Share of sentences and of runs by their number of hanzi",
    "coverage.png": "Share of syllables and of readings that are seen 1, 10, 100, … times",
    "homophones.png": "Dots: distinct hanzi and perplexity of each syllable",
    "polyphones.png": "Bars: share of doubtful readings of the polyphones that have most of them",
}


def page_blocks(report: _Report) -> list[Block]:
    """Return the page.

    Args:
        report: the figures, as in report.json.
    """
    return [
        Heading(TITLE, 1),
        *_overview(report),
        *_sizes(report),
        *_splits(report),
        *_drops(report),
        *_contamination(report),
        *_frequencies(report),
        *_lengths(report),
        *_coverage(report),
        *_homophones(report),
        *_polyphones(report),
        *_sources(report),
    ]


def _overview(report: _Report) -> Iterator[Block]:
    totals, dataset = report["totals"], report["dataset"]
    labeller = " ".join(str(part) for part in dataset["labeller"].values())
    yield Paragraph(
        f"Counted from the rows and compared with the dataset's manifest; built "
        f"{dataset['created']}, readings by {labeller or 'an unnamed labeller'}; sha256 of the "
        f"manifest `{report['manifest_sha256'][:12]}…`. Made by `yinzi-train report`; the same "
        "figures are in `report.json`."
    )
    yield Table(
        ["", "total"],
        [
            ["sentences", _count(totals["rows"])],
            ["hanzi", _count(totals["hanzi"])],
            ["characters, all kinds", _count(totals["characters"])],
            ["runs of hanzi (MIU)", _count(totals["runs"])],
            ["distinct hanzi", _count(totals["distinct_hanzi"])],
            ["hanzi with a doubtful reading", _with_share(totals["doubtful"], totals["hanzi"])],
            ["sources", _count(len(report["sources"]))],
            ["Parquet shards", f"{_count(dataset['shards'])}, {dataset['bytes'] / 2**20:,.1f} MiB"],
        ],
        n_numbers=1,
    )


def _sizes(report: _Report) -> Iterator[Block]:
    yield Heading("Sizes · 规模")
    yield from _picture(report, "domains.png")
    yield _group_table(report, "domain")
    yield Heading("By licence · 许可", 3)
    opened = [row for row in report["licences"] if row["licence"].startswith("[open]")]
    n_open = sum(row["hanzi"] for row in opened)
    yield Paragraph(
        "`[open]`: the source has an open licence; `[unstated]`: it was published without one. "
        f"Open: {_with_share(n_open, report['totals']['hanzi'])} of the hanzi. The table "
        "of sources below says what else is known of a licence."
    )
    yield from _picture(report, "licences.png")
    yield Table(
        ["licence", "sources", "sentences", "hanzi", "share"],
        [
            [
                row["licence"],
                *(_count(row[key]) for key in ("sources", "rows", "hanzi")),
                _percent(row["share"]),
            ]
            for row in report["licence_families"]
        ],
        n_numbers=4,
    )


def _splits(report: _Report) -> Iterator[Block]:
    yield Heading("Splits and folds · 划分")
    repeats = report["repeats"]
    yield _group_table(report, "split")
    if report["folds"]:
        rows = [row["rows"] for row in report["folds"]]
        yield Paragraph(
            f"The train split has {len(rows)} folds for cross-validation, of "
            f"{_count(min(rows))} to {_count(max(rows))} sentences."
        )
    yield Paragraph(
        f"Of {_count(repeats['rows'])} sentences with at least {repeats['min_hanzi']} hanzi, "
        f"{_count(repeats['repeated_rows'])} have the same hanzi as another one (punctuation and "
        f"letters may differ), and {_count(repeats['rows_in_several_splits'])} occur in more than "
        "one split."
    )


def _drops(report: _Report) -> Iterator[Block]:
    drops = report["drops"]
    yield Heading("Dropped rows and duplicates · 剔除与去重")
    if not drops["reasons"]:
        yield Paragraph(f"Of {_count(drops['rows_read'])} rows that were read, none was dropped.")
        return
    kept = report["totals"]["rows"]
    rest = (
        f"; {_count(kept)} are left" if drops["rows_read"] - drops["rows_dropped"] == kept else ""
    )
    yield Paragraph(
        f"Of {_count(drops['rows_read'])} rows that were read, {_count(drops['rows_dropped'])} "
        f"({_percent(drops['rows_dropped'] / max(drops['rows_read'], 1))}) were dropped, "
        f"{_count(drops['duplicates'])} of them as duplicates{rest}."
    )
    yield from _picture(report, "drops.png")
    yield Table(
        ["reason", "rows", "share of rows read"],
        [
            [f"`{row['reason']}`", _count(row["rows"]), _percent(row["share"])]
            for row in drops["reasons"]
        ],
        n_numbers=2,
    )
    samples = {reason: texts for reason, texts in drops.get("samples", {}).items() if texts}
    if samples:
        yield Heading("Samples", 3)
        yield Paragraph("Shortened; numbers and addresses are masked.")
        yield Table(
            ["reason", "text"],
            [[f"`{reason}`", text] for reason, texts in samples.items() for text in texts],
        )


def _contamination(report: _Report) -> Iterator[Block]:
    yield Heading("Contamination check · 测试集污染")
    if not report["contamination"]:
        yield Paragraph("The dataset was not compared with any evaluation set.")
        return
    yield Paragraph(
        "Training sentences that share text with an evaluation set are dropped. Items are the runs "
        "of hanzi of the set that are long enough to be looked for; a sentence may count for "
        "several sets."
    )
    yield Table(
        ["evaluation set", "items", "too short", "found in the text", "sentences dropped"],
        [
            [
                f"`{record['name']}`",
                *(_count(record[key]) for key in ("items", "short", "found", "rows")),
            ]
            for record in report["contamination"]
        ],
        n_numbers=4,
    )


def _frequencies(report: _Report) -> Iterator[Block]:
    yield Heading("Frequencies · 齐夫曲线")
    yield from _picture(report, "zipf.png")
    curves = report["zipf"]
    names = [name for name in ("hanzi", "words") if curves.get(name, {}).get("types")]
    if not names:
        return
    shares = list(curves[names[0]]["types_for_share"])
    yield Table(
        [
            "",
            "distinct",
            "seen once",
            "slope",
            *(f"for {_percent(float(share))}" for share in shares),
        ],
        [
            [
                name,
                _count(curves[name]["types"]),
                _count(curves[name]["once"]),
                "" if curves[name]["slope"] is None else f"{curves[name]['slope']:.2f}",
                *(_count(n_types) for n_types in curves[name]["types_for_share"].values()),
            ]
            for name in names
        ],
        n_numbers=3 + len(shares),
    )
    sample = (
        f" Words are counted in a sample of {_count(curves['sampled_hanzi'])} hanzi, segmented "
        "with the lexicon."
        if "words" in names
        else ""
    )
    yield Paragraph(
        "The last columns say how many of the most frequent make up that share of all occurrences; "
        "the slope is that of the curve between ranks 10 and 1,000." + sample
    )


def _lengths(report: _Report) -> Iterator[Block]:
    yield Heading("Lengths · 长度")
    yield from _picture(report, "lengths.png")
    rows = []
    for name, label in (("sentence", "sentence"), ("run", "run (MIU)")):
        figures = report["lengths"][name]
        quantiles = [
            _count(figures["quantiles"].get(q, 0)) for q in ("0.05", "0.5", "0.95", "0.99")
        ]
        mean = f"{figures['mean']:.2f}"
        rows.append([label, _count(figures["n"]), mean, *quantiles, _count(figures["max"])])
    yield Table(["hanzi of a", "number", "mean", "5 %", "median", "95 %", "99 %", "max"], rows, 7)


def _coverage(report: _Report) -> Iterator[Block]:
    coverage = report["coverage"]
    syllables, readings = coverage["syllables"], coverage["readings"]
    yield Heading("Coverage · 音节与读音覆盖")
    yield from _picture(report, "coverage.png")
    items = [
        f"Syllables without tone: {_of(syllables['seen'], syllables['inventory'])} of the "
        f"inventory; with tone: {_count(coverage['toned_syllables']['seen'])}."
    ]
    if syllables["missing"]:
        missing = syllables["missing"]
        shown = ", ".join(f"`{name}`" for name in missing[:40])
        items.append(f"Never seen: {shown}{', …' if len(missing) > 40 else ''}.")
    if "lexicon" in readings:
        hanzi = coverage["hanzi"]
        items += [
            f"(syllable, hanzi) readings of the lexicon `{readings['lexicon_name']}`: "
            f"{_of(readings['of_lexicon_seen'], readings['lexicon'])}; of those of "
            f"hanzi that occur: {_of(readings['of_lexicon_seen'], readings['of_seen_hanzi'])}.",
            f"Hanzi of the lexicon: {_of(hanzi['of_lexicon_seen'], hanzi['lexicon'])}; hanzi that "
            f"it lacks: {_count(hanzi['outside_lexicon'])}.",
            f"Readings that the lexicon has not for the hanzi alone: "
            f"{_count(readings['outside_lexicon'])}, with "
            f"{_count(readings['outside_lexicon_occurrences'])} occurrences.",
        ]
    else:
        items.append(f"(syllable, hanzi) readings: {_count(readings['seen'])}.")
    if coverage["hanzi_without_reading"]:
        items.append(f"Hanzi left without a reading: {_count(coverage['hanzi_without_reading'])}.")
    yield Bullets(items)
    listed = readings.get("outside_lexicon_largest")
    if listed:
        yield Table(
            ["reading outside the lexicon", "occurrences"],
            [[f"{row['hanzi']} {row['syllable']}", _count(row["count"])] for row in listed],
            n_numbers=1,
        )


def _homophones(report: _Report) -> Iterator[Block]:
    homophones = report["homophones"]
    yield Heading("Homophones · 同音字")
    yield from _picture(report, "homophones.png")
    yield Paragraph(
        f"A syllable without tone is read by {homophones['mean_hanzi']} distinct hanzi on average; "
        f"{_count(homophones['one_hanzi_only'])} have a single one. Without context, a "
        f"syllable of running text leaves {homophones['mean_entropy_bits']:.2f} bits, as many as a "
        f"choice among {homophones['mean_perplexity']:.1f} equally likely hanzi. The hardest:"
    )
    yield Table(
        ["syllable", "most frequent hanzi", "occurrences", "distinct hanzi", "bits", "perplexity"],
        [
            [
                row["syllable"],
                row["most_frequent"],
                _count(row["count"]),
                _count(row["hanzi"]),
                f"{row['entropy_bits']:.2f}",
                f"{row['perplexity']:.1f}",
            ]
            for row in homophones["syllables"][:N_LISTED]
        ],
        n_numbers=4,
    )


def _polyphones(report: _Report) -> Iterator[Block]:
    polyphones = report["polyphones"]
    yield Heading("Polyphones and confidence · 多音字")
    yield Paragraph(
        f"{_count(polyphones['hanzi'])} hanzi have two or more readings with at least "
        f"{_percent(polyphones['min_reading_share'])} of their occurrences each; they make up "
        f"{_percent(polyphones['occurrence_share'])} of all hanzi. The reading of "
        f"{_percent(polyphones['doubtful_share'])} of them is marked doubtful "
        f"({_percent(polyphones['doubtful_share_of_all'])} of all hanzi are)."
    )
    yield from _picture(report, "polyphones.png")
    steps = polyphones["by_doubtful_share"]
    listed = ", ".join(f"{_count(n)} with at least {_percent(float(s))}" for s, n in steps.items())
    yield Paragraph(f"Polyphones by doubtful share: {listed}. Those with most doubtful readings:")
    yield Table(
        ["hanzi", "readings", "occurrences", "doubtful", "doubtful share"],
        [
            [
                row["hanzi"],
                ", ".join(f"{name} {_percent(share)}" for name, share in row["readings"].items()),
                _count(row["count"]),
                _count(row["doubtful"]),
                _percent(row["share"]),
            ]
            for row in polyphones["listed"][:N_LISTED]
        ],
        n_numbers=3,
    )


def _sources(report: _Report) -> Iterator[Block]:
    yield Heading("Sources · 来源")
    yield Table(
        ["source", "licence", "sentences", "hanzi", "share", "doubtful"],
        [
            [
                f"`{row['source']}`",
                row["licence"],
                _count(row["rows"]),
                _count(row["hanzi"]),
                _percent(row["share"]),
                _percent(row["doubtful"] / max(row["hanzi"], 1)),
            ]
            for row in report["sources"]
        ],
        n_numbers=4,
    )


def _group_table(report: _Report, column: str) -> Table:
    rows: Sequence[Mapping[str, Any]] = report[f"{column}s"]
    return Table(
        [column, "sentences", "hanzi", "share", "doubtful"],
        [
            [
                str(row[column]),
                _count(row["rows"]),
                _count(row["hanzi"]),
                _percent(row["share"]),
                _percent(row["doubtful"] / max(row["hanzi"], 1)),
            ]
            for row in rows
        ],
        n_numbers=4,
    )


def _picture(report: _Report, file: str) -> Iterator[Picture]:
    if file in report["pictures"]:
        yield Picture(file, _PICTURES[file])


def _count(number: int) -> str:
    return f"{number:,}"


def _percent(share: float) -> str:
    """Return a share in percent, with more digits where it is small.

    >>> _percent(0.1234), _percent(0.00123), _percent(0), _percent(1)
    ('12.3 %', '0.123 %', '0 %', '100 %')
    """
    if not share:
        return "0 %"
    if share == 1 or share * 100 % 1 == 0:
        return f"{share * 100:.0f} %"
    return f"{share * 100:.1f} %" if share >= 0.01 else f"{share * 100:.3g} %"


def _with_share(part: int, whole: int) -> str:
    return f"{_count(part)} ({_percent(part / max(whole, 1))})"


def _of(part: int, whole: int) -> str:
    return f"{_count(part)} of {_count(whole)} ({_percent(part / max(whole, 1))})"
