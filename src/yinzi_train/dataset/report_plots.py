"""Draw the pictures of a dataset report: small PNG files, the same bytes for the same figures.

Colours are those of Okabe and Ito, which people with colour-blindness can tell apart; what matters
is told by position or a label as well. Hanzi are drawn only where a font has them; elsewhere their
readings stand for them, so that nobody sees empty boxes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from yinzi.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PLOTS", "draw_plots", "find_hanzi_font"]

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#8C8C8C"
SIZE: Final = (7.0, 3.6)
DPI: Final = 100
N_BARS: Final = 30
HANZI_FONTS: Final = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "PingFang SC", "Microsoft YaHei", "SimHei"),
    *("Droid Sans Fallback", "AR PL UMing CN"),
)


@contextmanager
def needing_matplotlib() -> Iterator[None]:
    """Tell what to install if what is imported in the block is missing.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtra(
            "the pictures need matplotlib: install it with pip install 'yinzi[train]'"
        ) from error


def find_hanzi_font() -> str | None:
    """Return the name of an installed font with hanzi, or None."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in HANZI_FONTS if name in installed), None)


def draw_plots(report: Mapping[str, Any], *, hanzi_font: str | None = None) -> dict[str, bytes]:
    """Draw the pictures of a report.

    Args:
        report: the figures, as in report.json.
        hanzi_font: name of a font with hanzi; without it readings stand for hanzi.

    Returns:
        The PNG files by name; pictures of things that the report lacks are left out.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with needing_matplotlib():
        import matplotlib
        from matplotlib.figure import Figure
    style: Any = {  # the keys are literals in some versions of matplotlib only
        "font.family": [name for name in ("DejaVu Sans", hanzi_font) if name],
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#E3E3E3",
        "grid.linewidth": 0.6,
        "legend.frameon": False,
    }
    pictures = {}
    for name, draw in PLOTS.items():
        with matplotlib.rc_context(style):
            figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
            if draw(figure.subplots(), report, hanzi_font is not None):
                file = io.BytesIO()
                figure.savefig(file, format="png", metadata={"Software": None})
                pictures[name] = _with_palette(file)
    return pictures


def _with_palette(file: io.BytesIO) -> bytes:
    """Return the picture with 64 colours: a third of the bytes, and nobody sees a difference."""
    from PIL import Image

    small = io.BytesIO()
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(
            small, "png", optimize=True
        )
    return small.getvalue()


def _draw_domains(axes: Axes, report: Mapping[str, Any], has_hanzi: bool) -> bool:
    """Draw hanzi by domain; sources with an open licence apart from the others."""
    del has_hanzi
    is_open: dict[str, int] = {}
    for source in report["sources"]:
        if source["licence"].startswith("[open]"):
            is_open[source["domain"]] = is_open.get(source["domain"], 0) + source["hanzi"]
    rows = report["domains"][:N_BARS]
    if not rows:
        return False
    names = [row["domain"] for row in rows]
    opened = [is_open.get(name, 0) / 1e6 for name in names]
    others = [row["hanzi"] / 1e6 - part for row, part in zip(rows, opened, strict=True)]
    _grow(axes, len(rows))
    axes.barh(names, opened, color=BLUE, label="open licence")
    axes.barh(names, others, left=opened, color=ORANGE, label="no licence stated, or other")
    axes.invert_yaxis()
    _title(axes, "Million hanzi by domain", report["domains"])
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right")
    return True


def _draw_licences(axes: Axes, report: Mapping[str, Any], has_hanzi: bool) -> bool:
    del has_hanzi
    rows = report["licence_families"][:N_BARS]
    if not rows:
        return False
    _grow(axes, len(rows))
    colors = [BLUE if row["licence"].startswith("[open]") else ORANGE for row in rows]
    names = [_shortened(row["licence"].removeprefix("[open] ")) for row in rows]
    bars = axes.barh(range(len(rows)), [row["hanzi"] / 1e6 for row in rows], color=colors)
    axes.bar_label(bars, [_percent(row["share"]) for row in rows], padding=3, fontsize=8)
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    _title(axes, "Million hanzi by licence (open ones in blue)", report["licence_families"])
    axes.grid(axis="y", visible=False)
    return True


def _draw_zipf(axes: Axes, report: Mapping[str, Any], has_hanzi: bool) -> bool:
    del has_hanzi
    curves = report["zipf"]
    for name, color in (("hanzi", BLUE), ("words", ORANGE)):
        points = curves.get(name, {}).get("points")
        if points:
            ranks, counts = zip(*points, strict=True)
            total = curves[name]["occurrences"]
            shares = [count / total for count in counts]
            label = f"{name} ({_short(curves[name]['types'])} distinct)"
            axes.loglog(ranks, shares, color=color, linewidth=2, label=label)
    if not axes.lines:
        return False
    axes.set_title("Zipf curve: share of all occurrences by rank")
    axes.set_xlabel("rank by frequency")
    axes.xaxis.set_major_formatter(lambda value, _: _short(int(value)))
    axes.yaxis.set_major_formatter(lambda value, _: _percent(value))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(_no_ticks())
    axes.legend(loc="lower left")
    return True


def _draw_lengths(axes: Axes, report: Mapping[str, Any], has_hanzi: bool) -> bool:
    del has_hanzi
    lengths = report["lengths"]
    if not lengths["sentence"]["n"]:
        return False
    end = 1
    for name, color, label in (("run", ORANGE, "runs (MIU)"), ("sentence", BLUE, "sentences")):
        figures = lengths[name]
        shown = figures["histogram"][:-1]
        end = max(end, min(len(shown), figures["quantiles"]["0.99"] + 2))
        shares = [count / figures["n"] for count in shown]
        median = figures["quantiles"]["0.5"]
        axes.stairs(
            shares,
            [index - 0.5 for index in range(len(shown) + 1)],
            color=color,
            linewidth=1.8,
            label=f"{label}, median {median}",
        )
        axes.plot(median, shares[median] if median < len(shares) else 0, "o", color=color)
    axes.set_xlim(0.5, end)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_title("Share of sentences and of runs by length")
    axes.set_xlabel("hanzi")
    axes.legend()
    return True


def _draw_coverage(axes: Axes, report: Mapping[str, Any], has_hanzi: bool) -> bool:
    del has_hanzi
    coverage = report["coverage"]
    series = [("syllables", coverage["syllables"], coverage["syllables"]["inventory"], GREEN)]
    readings = coverage["readings"]
    if readings.get("lexicon"):
        series.append(
            ("(syllable, hanzi) readings of the lexicon", readings, readings["lexicon"], BLUE)
        )
    width = 0.8 / len(series)
    for index, (label, figures, total, color) in enumerate(series):
        shares = [count / total for count in figures["at_least"].values()]
        places = [place + (index - (len(series) - 1) / 2) * width for place in range(len(shares))]
        bars = axes.bar(places, shares, width * 0.95, color=color, label=f"{label} ({total:,})")
        axes.bar_label(bars, [f"{share:.0%}" for share in shares], padding=2, fontsize=8)
    steps = list(coverage["syllables"]["at_least"])
    axes.set_xticks(range(len(steps)), [f"≥ {int(step):,}" for step in steps])
    axes.set_ylim(0, 1.25)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    axes.grid(axis="x", visible=False)
    axes.set_title("Share of syllables and of readings that are seen at least so many times")
    axes.legend(loc="upper right", ncols=2)
    return True


def _draw_homophones(axes: Axes, report: Mapping[str, Any], has_hanzi: bool) -> bool:
    """Draw for each syllable the distinct hanzi against those that one has to choose from."""
    del has_hanzi
    rows = report["homophones"]["syllables"]
    if not rows:
        return False
    largest = max(row["count"] for row in rows)
    axes.scatter(
        [row["hanzi"] for row in rows],
        [row["perplexity"] for row in rows],
        s=[4 + 80 * row["count"] / largest for row in rows],
        color=BLUE,
        alpha=0.55,
        linewidth=0,
    )
    axes.set_xscale("log")
    axes.set_xticks((1, 2, 5, 10, 20, 50, 100, 200))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(_no_ticks())
    frequent = sorted(rows, key=lambda row: -row["count"])[:4]
    for row in [*rows[:6], *(row for row in frequent if row not in rows[:6])]:
        axes.annotate(
            row["syllable"],
            (row["hanzi"], row["perplexity"]),
            xytext=(6, 3),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_ylim(bottom=0)
    axes.set_title("Homophones: each dot is a syllable, its size how often it occurs")
    axes.set_xlabel("distinct hanzi read so")
    axes.set_ylabel("perplexity (2^entropy)")
    return True


def _draw_polyphones(axes: Axes, report: Mapping[str, Any], has_hanzi: bool) -> bool:
    rows = [row for row in report["polyphones"]["listed"] if row["doubtful"]][:N_BARS]
    if not rows:
        return False
    _grow(axes, len(rows))
    names = [_polyphone_name(row, has_hanzi) for row in rows]
    places = range(len(rows))
    bars = axes.barh(places, [row["share"] for row in rows], color=ORANGE)
    axes.bar_label(bars, [f"{_short(row['doubtful'])}" for row in rows], padding=3, fontsize=7)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, max(row["share"] for row in rows) * 1.12)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="y", visible=False)
    axes.set_title("Polyphones with most doubtful readings: doubtful share, and how many")
    return True


def _draw_drops(axes: Axes, report: Mapping[str, Any], has_hanzi: bool) -> bool:
    del has_hanzi
    rows = [row for row in report["drops"]["reasons"] if row["rows"]][:N_BARS]
    if not rows:
        return False
    _grow(axes, len(rows))
    colors = [BLUE if row["is_duplicate"] else GREY for row in rows]
    bars = axes.barh(
        [row["reason"] for row in rows], [row["rows"] for row in rows], color=colors, log=True
    )
    axes.bar_label(
        bars,
        [f"{_short(row['rows'])}, {_percent(row['share'])}" for row in rows],
        padding=3,
        fontsize=8,
    )
    axes.invert_yaxis()
    most = max(row["rows"] for row in rows)
    axes.set_xlim(0.7, 3 * most**1.2)
    axes.xaxis.set_major_formatter(lambda value, _: _short(int(value)))
    axes.xaxis.set_minor_locator(_no_ticks())
    axes.grid(axis="y", visible=False)
    axes.set_title("Rows dropped by reason (duplicates in blue)")
    return True


PLOTS: Final[Mapping[str, Callable[[Axes, Mapping[str, Any], bool], bool]]] = {
    "domains.png": _draw_domains,
    "licences.png": _draw_licences,
    "drops.png": _draw_drops,
    "zipf.png": _draw_zipf,
    "lengths.png": _draw_lengths,
    "coverage.png": _draw_coverage,
    "homophones.png": _draw_homophones,
    "polyphones.png": _draw_polyphones,
}
"""The pictures by file name; each function tells whether there was anything to draw."""


def _polyphone_name(row: Mapping[str, Any], has_hanzi: bool) -> str:
    readings = "/".join(list(row["readings"])[:3])
    return f"{row['hanzi']} {readings}" if has_hanzi else readings


def _grow(axes: Axes, n_bars: int) -> None:
    """Give every bar room."""
    figure = axes.figure
    figure.set_size_inches(SIZE[0], max(1.8, 0.7 + 0.17 * n_bars))  # type: ignore[union-attr]
    axes.tick_params(axis="y", labelsize=8, length=0)
    axes.margins(y=0.5 / n_bars)


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _title(axes: Axes, text: str, rows: Sequence[Any]) -> None:
    hidden = len(rows) - N_BARS
    axes.set_title(f"{text} (the {N_BARS} largest of {len(rows)})" if hidden > 0 else text)


def _short(count: int) -> str:
    """Return a count in few letters.

    >>> _short(1_000), _short(12_345), _short(2_500_000)
    ('1k', '12k', '2.5M')
    """
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.{0 if count >= 9.95 * size else 1}f}".removesuffix(".0") + unit
    return str(count)


def _percent(share: float) -> str:
    """Return a share in percent with two digits.

    >>> _percent(0.123), _percent(0.00045), _percent(1.0)
    ('12%', '0.045%', '100%')
    """
    digits = f"{share * 100:.2g}"
    return f"{float(digits):.10f}".rstrip("0").rstrip(".") + "%"


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()
