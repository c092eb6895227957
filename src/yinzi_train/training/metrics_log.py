"""Keep the figures of a run: metrics.csv, TensorBoard, and curves as pictures."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from yinzi.errors import MissingExtra
from yinzi_train.dataset.storage import atomic_path

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["COLUMNS", "MetricsLog", "draw_curves", "read_metrics"]

COLUMNS: Final = (
    *("step", "targets", "minutes", "loss", "accuracy", "learning_rate", "tokens_per_second"),
)
"""Columns of every row; evaluations add one for each of their figures."""

CSV_NAME: Final = "metrics.csv"
CURVES_NAME: Final = "curves.png"
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#8C8C8C"
_DRAW_SECONDS: Final = 60.0
"""Seconds between two pictures at least; one takes about half a second."""
_COLOURS: Final = (ORANGE, GREEN, "#CC79A7", "#D55E00", "#56B4E9", GREY)


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Read metrics.csv: a table a row, without empty cells; none if there is no file."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        return []
    return [{name: float(value) for name, value in row.items() if value} for row in rows]


class MetricsLog:
    """The figures of one run.

    Rows behind the step that a run goes on from are dropped: they are made again.

    Args:
        folder: the run folder.
        first_step: the step the run begins or goes on at.
    """

    def __init__(self, folder: Path, *, first_step: int = 0) -> None:
        self._folder = folder
        self.rows = [
            row for row in read_metrics(folder / CSV_NAME) if row.get("step", 0) <= first_step
        ]
        self._columns = list(COLUMNS)
        for row in self.rows:
            self._add_columns(row)
        self._rewrite()
        self._writer: SummaryWriter | None = None
        self._first_step = first_step
        self._last_drawn = time.monotonic()
        self._is_drawn = True

    def add(self, row: Mapping[str, float], *, kind: str = "training") -> None:
        """Add a row; figures of a kind are together in TensorBoard."""
        self.rows.append(dict(row))
        self._is_drawn = False
        if self._add_columns(row):
            self._rewrite()
        else:
            with (self._folder / CSV_NAME).open("a", encoding="utf-8", newline="") as file:
                csv.writer(file).writerow(self._cells(row))
        board = self._board()
        for name, value in row.items():
            if name not in ("step", "minutes"):
                board.add_scalar(f"{kind}/{name}", value, int(row["step"]))
        board.flush()

    def draw(self) -> None:
        """Write curves.png, loss and accuracy against targets seen, unless that was just done."""
        if time.monotonic() - self._last_drawn >= _DRAW_SECONDS:
            self._draw()

    def close(self) -> None:
        """Write curves.png as it is at the end, and end TensorBoard's file."""
        if not self._is_drawn:
            self._draw()
        if self._writer is not None:
            self._writer.close()

    def _draw(self) -> None:
        if self.rows:
            with atomic_path(self._folder / CURVES_NAME) as part:
                draw_curves(self.rows, self._columns, part)
        self._last_drawn, self._is_drawn = time.monotonic(), True

    def _board(self) -> SummaryWriter:
        if self._writer is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise MissingExtra(
                    "the logs need tensorboard: install it with pip install 'yinzi[train]'"
                ) from error
            self._writer = SummaryWriter(
                str(self._folder / "tensorboard"), purge_step=self._first_step + 1
            )
        return self._writer

    def _add_columns(self, row: Mapping[str, float]) -> bool:
        new = [name for name in row if name not in self._columns]
        self._columns += new
        return bool(new)

    def _cells(self, row: Mapping[str, float]) -> list[str]:
        return [f"{row[name]:.10g}" if name in row else "" for name in self._columns]

    def _rewrite(self) -> None:
        with (
            atomic_path(self._folder / CSV_NAME) as part,
            part.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(self._columns)
            writer.writerows(self._cells(row) for row in self.rows)


def draw_curves(rows: Sequence[Mapping[str, float]], columns: Sequence[str], path: Path) -> None:
    """Write a picture of the figures of a run.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra(
            "the curves need matplotlib: install it with pip install 'yinzi[train]'"
        ) from error
    figure = Figure(figsize=(9.0, 3.8), dpi=100, layout="constrained")
    panels: Any = figure.subplots(1, 2)
    evaluated = [name for name in columns if name not in COLUMNS]
    losses = [name for name in evaluated if name.endswith("loss")]
    shares = [name for name in evaluated if not name.endswith(("loss", "perplexity"))]
    parts = (
        ("loss, natural log", "loss", losses),
        ("accuracy", "accuracy", shares),
    )
    for axes, (title, training, others) in zip(panels, parts, strict=True):
        _line(axes, rows, training, label="training", colour=BLUE, marker="")
        for index, name in enumerate(others):
            colour = _COLOURS[index % len(_COLOURS)]
            _line(axes, rows, name, label=name, colour=colour, marker="o")
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel("targets seen, million", fontsize=9)
        axes.grid(color="#E3E3E3", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        if axes.lines:
            axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, format="png", metadata={"Software": None})


def _line(
    axes: Any,
    rows: Sequence[Mapping[str, float]],
    name: str,
    *,
    label: str,
    colour: str,
    marker: str,
) -> None:
    points = [(row["targets"] / 1e6, row[name]) for row in rows if name in row]
    if points:
        x, y = zip(*points, strict=True)
        axes.plot(x, y, color=colour, label=label, linewidth=1.2, marker=marker, markersize=3)
