"""Write what a study has found: a table, the best config, and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from yinzi_train.dataset.storage import atomic_path
from yinzi_train.tuning.config import StudyConfig
from yinzi_train.tuning.objective import Objective
from yinzi_train.tuning.parameters import rounded
from yinzi_train.tuning.plots import draw_study
from yinzi_train.tuning.storage import latest_attempts
from yinzi_train.tuning.toml_text import toml_value
from yinzi_train.tuning.worker import TRIALS_NAME, best_trial

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

__all__ = ["BEST_NAME", "SUMMARY_NAME", "write_summary"]

SUMMARY_NAME: Final = "study.md"
BEST_NAME: Final = "best.toml"
_MODELS: Final = ("best", "final")
_STATES: Final[Mapping[str, str]] = {
    **{"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"},
    **{"RUNNING": "running", "WAITING": "waiting"},
}


def write_summary(
    folder: Path, config: StudyConfig, objective: Objective, study: optuna.Study
) -> Path:
    """Write `study.md`, `best.toml` and the pictures of a study; return the first."""
    trials = study.get_trials(deepcopy=False)
    best = best_trial(trials, objective.direction)
    latest = latest_attempts(trials)
    drawn, left_out = draw_study(study, folder / "plots", metric=config.study.metric)
    lines = [f"# Study {config.study.name}", "", _about(config, objective), ""]
    lines += [_verdict(best, latest.get(0), objective.direction), ""]
    if best is not None:
        lines += [f"Its whole config is in [{BEST_NAME}]({BEST_NAME})."]
        for name in _MODELS:
            if (folder / TRIALS_NAME / str(best.number) / name).is_dir():
                place = f"{TRIALS_NAME}/{best.number}/{name}"
                lines += [f"Its model is in `{place}`; of other trials only figures are kept."]
        lines += [""]
        with atomic_path(folder / BEST_NAME) as part:
            text = f"# Trial {best.number} of the study {config.study.name!r}: "
            text += f"{config.study.metric} {best.value:.6g}\n\n"
            part.write_text(text + objective.best_text(rounded(best.params)), encoding="utf-8")
    lines += ["## Trials", "", *_table(list(latest.values()), config, objective.direction), ""]
    failed = [trial for trial in latest.values() if trial.user_attrs.get("error")]
    if failed:
        lines += ["## Failed", ""]
        lines += [f"- {trial.number}: {trial.user_attrs['error']}" for trial in failed]
        lines += [""]
    lines += ["## Pictures", ""]
    lines += [f"![{title}](plots/{name})" for title, name in drawn.items()]
    lines += [f"No picture of {title}: {reason}." for title, reason in left_out.items()]
    with atomic_path(folder / SUMMARY_NAME) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / SUMMARY_NAME


def _about(config: StudyConfig, objective: Objective) -> str:
    study = config.study
    what = f"`{study.command}` runs" if study.kind == "training" else "weights of the ranker"
    better = "less" if objective.direction == "minimize" else "more"
    return (
        f"{study.n_trials} trials of {what}, sampler {study.sampler}, pruner {study.pruner}, seed "
        f"{study.seed}; `{study.metric}`, {better} is better. Trial 0 is the default."
    )


def _verdict(best: FrozenTrial | None, default: FrozenTrial | None, direction: str) -> str:
    """Say whether the best trial beats the default."""
    if best is None or best.value is None:
        return "No trial was completed yet."
    found = f"**Trial {best.number} ({best.value:.6g})"
    if default is None or default.state.name != "COMPLETE" or default.value is None:
        return f"{found} is the best; the default was not completed, so there is no comparison.**"
    gain = (best.value - default.value) * (1 if direction == "maximize" else -1)
    if gain > 0:
        return f"{found} beats the default ({default.value:.6g}) by {gain:.6g}.**"
    return f"**No trial beats the default ({default.value:.6g}).**"


def _table(trials: Sequence[FrozenTrial], config: StudyConfig, direction: str) -> list[str]:
    sign = 1 if direction == "minimize" else -1

    def order(trial: FrozenTrial) -> tuple[int, float, int]:
        rank = list(_STATES).index(trial.state.name)
        return rank, sign * (_value(trial) or 0.0), trial.number

    keys = [parameter.key for parameter in config.parameters]
    heads = ["trial", config.study.metric, "state", "step", "minutes", *keys]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for trial in sorted(trials, key=order):
        value = _value(trial)
        attributes = trial.user_attrs
        name = f"{trial.number} (default)" if attributes["slot"] == 0 else str(trial.number)
        step = attributes.get("best_step") or max(trial.intermediate_values, default="")
        minutes = attributes.get("minutes")
        if minutes is None and trial.duration is not None:
            minutes = round(trial.duration.total_seconds() / 60, 2)
        cells = [
            name,
            "" if value is None else f"{value:.6g}",
            "withdrawn" if "withdrawn" in attributes else _STATES[trial.state.name],
            str(step),
            "" if minutes is None else str(minutes),
            *(_cell(trial.params.get(key)) for key in keys),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _value(trial: FrozenTrial) -> float | None:
    """Return the value of a trial, or the last report of one that was ended."""
    if trial.state.name == "COMPLETE":
        return trial.value
    reports = trial.intermediate_values
    return reports[max(reports)] if reports else None


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else toml_value(value).replace("|", "\\|")
