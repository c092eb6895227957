"""Draw where a text stands among the development sets, and what it has more of."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from yinzi_train.dataset.report_plots import find_hanzi_font, needing_matplotlib
from yinzi_train.shift.comparison import Comparison
from yinzi_train.shift.reference import Reference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_plots"]

_BLUE, _ORANGE, _GREEN, _GREY = "#0072B2", "#E69F00", "#009E73", "#8C8C8C"
_SIZE: Final = (7.0, 4.6)
_N_BARS: Final = 12


def draw_plots(comparison: Comparison, reference: Reference) -> dict[str, bytes]:
    """Draw the pictures of a comparison.

    Words in hanzi are drawn only where a font has hanzi; elsewhere only syllables are.

    Returns:
        PNG files by name.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with needing_matplotlib():
        import matplotlib
        from matplotlib.figure import Figure
    font = find_hanzi_font()
    style: Any = {
        "font.family": [name for name in ("DejaVu Sans", font) if name],
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.axisbelow": True,
        "grid.color": "#E3E3E3",
    }
    draw: Mapping[str, Callable[[Figure], None]] = {
        "position.png": lambda figure: _draw_position(figure.subplots(), comparison, reference),
        "words.png": lambda figure: _draw_words(figure, comparison, has_hanzi=font is not None),
    }
    pictures = {}
    with matplotlib.rc_context(style):
        for name, function in draw.items():
            figure = Figure(figsize=_SIZE, dpi=110, layout="constrained")
            function(figure)
            file = io.BytesIO()
            figure.savefig(file, format="png", metadata={"Software": None})
            pictures[name] = file.getvalue()
    return pictures


def _draw_position(axes: Axes, comparison: Comparison, reference: Reference) -> None:
    """Draw perplexity against homophones: the two measures that go with accuracy most."""
    xs = reference.values("perplexity_hanzi")
    ys = reference.values("homophone_hanzi")
    colors = [one.accuracy["character_accuracy"] for one in reference.sets]
    points = axes.scatter(xs, ys, c=colors, cmap="cividis", s=34, zorder=2)
    is_apart = xs > np.median(xs)  # names of the others would lie on one another
    for one, x, y, named in zip(reference.sets, xs, ys, is_apart, strict=True):
        if not (named or one.name in comparison.nearest):
            continue
        axes.annotate(
            one.name, (x, y), xytext=(5, 3), textcoords="offset points", fontsize=6.5, color=_GREY
        )
    if comparison.training:
        at = (comparison.training["perplexity_hanzi"], comparison.training["homophone_hanzi"])
        axes.plot(*at, "s", color=_GREEN, markersize=8, label="training text", zorder=3)
    own = (comparison.value("perplexity_hanzi"), comparison.value("homophone_hanzi"))
    axes.plot(*own, "*", color=_ORANGE, markersize=17, markeredgecolor="black", label="your text")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks((20, 50, 100, 200, 500, 1000, 2000))
    axes.set_yticks((0.05, 0.1, 0.2, 0.5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: "")
    axes.yaxis.set_minor_formatter(lambda value, _: "")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("perplexity per hanzi")
    axes.set_ylabel("hanzi in words that are not the likeliest of their reading")
    axes.set_title("Each dot is a set, its colour the measured accuracy of characters")
    axes.grid(True)
    axes.legend(loc="upper left")
    axes.figure.colorbar(points, ax=axes, format=lambda value, _: f"{value:.0%}")


def _draw_words(figure: Figure, comparison: Comparison, *, has_hanzi: bool) -> None:
    """Draw the shares of what the text has more of, beside those in the training text."""
    lists = {"words": comparison.words} if has_hanzi else {}
    shown = {**lists, "syllables": comparison.syllables}
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (title, listed) in zip(panels, shown.items(), strict=True):
        top = listed[:_N_BARS]
        places = range(len(top))
        axes.barh([at - 0.2 for at in places], [one.share for one in top], 0.38, color=_ORANGE)
        axes.barh(
            [at + 0.2 for at in places], [one.training_share for one in top], 0.38, color=_GREY
        )
        axes.set_yticks(list(places), [one.text for one in top])
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
        axes.tick_params(axis="x", labelsize=7)
        axes.set_title(f"{title}: your text (orange), training (grey)")
