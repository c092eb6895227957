"""Draw a study: what its trials were worth, which settings matter, and where good values lie."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from yinzi_train.dataset.report_plots import needing_matplotlib
from yinzi_train.dataset.storage import atomic_path

if TYPE_CHECKING:
    import optuna

__all__ = ["draw_study"]

_LEAST_FOR_IMPORTANCE: Final = 4
_DPI: Final = 100
_INCHES_AN_AXIS: Final = 3.2


def draw_study(
    study: optuna.Study, folder: Path, *, metric: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Draw what can be drawn of a study.

    Args:
        study: with its trials.
        folder: gets the pictures; made if it is not there.
        metric: name of the values.

    Returns:
        The files drawn, by title; why others were not, by title.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with needing_matplotlib():
        import matplotlib.pyplot as plt
        import optuna.visualization.matplotlib as draw
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    has_reports = any(trial.intermediate_values for trial in trials)
    n_different = len({str(sorted(trial.params.items())) for trial in complete})
    names = sorted({name for trial in complete for name in trial.params})
    kinds: dict[str, tuple[str, str, Callable[[], Any]]] = {
        "optimization history": (
            "history.png",
            "" if complete else "no trial was completed",
            lambda: draw.plot_optimization_history(study, target_name=metric),
        ),
        "importance of settings": (
            "importances.png",
            ""
            if n_different >= _LEAST_FOR_IMPORTANCE
            else f"it needs {_LEAST_FOR_IMPORTANCE} completed trials that differ",
            lambda: draw.plot_param_importances(study),
        ),
        "values of settings": (
            "slice.png",
            "" if names else "no trial was completed",
            lambda: draw.plot_slice(study, params=names, target_name=metric),
        ),
        "reports by step": (
            "intermediate.png",
            "" if has_reports else "no trial has reported",
            lambda: draw.plot_intermediate_values(study),
        ),
    }
    drawn: dict[str, str] = {}
    left_out: dict[str, str] = {}
    folder.mkdir(parents=True, exist_ok=True)
    plt.switch_backend("agg")
    with warnings.catch_warnings(), plt.style.context("default"):
        warnings.simplefilter("ignore")  # marked as experimental; ranges of few points
        for title, (name, reason, make) in kinds.items():
            if reason:
                left_out[title] = reason
                continue
            try:
                made = make()
            except (ValueError, RuntimeError) as error:  # settings that never differed
                left_out[title] = str(error).rstrip(".")
                continue
            with atomic_path(folder / name) as part:
                _save(made, part)
            plt.close("all")
            drawn[title] = name
    return drawn, left_out


def _save(made: Any, path: Path) -> None:
    """Write the figure of one or of several axes, which get room for their names."""
    is_one = hasattr(made, "figure")
    figure = made.figure if is_one else made.flat[0].figure
    if not is_one:
        figure.set_size_inches(_INCHES_AN_AXIS * made.size, figure.get_figheight())
        for axes in made.flat:
            axes.tick_params(labelsize=7)
            axes.tick_params(which="minor", labelbottom=False)
            axes.xaxis.label.set_size(9)
    figure.savefig(path, format="png", dpi=_DPI, bbox_inches="tight")
