"""Read the TOML file that describes a study, and check it before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from yinzi.errors import ConfigError
from yinzi_train.pipeline.options import build_options, check_sections, read_toml
from yinzi_train.tuning.parameters import Parameter, read_parameters
from yinzi_train.tuning.toml_text import flat_values, toml_value

__all__ = ["KINDS", "StudyConfig", "StudyOptions", "overrides_of", "read_study"]

KINDS: Final = ("training", "fusion")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "kind": KINDS,
    "command": ("train", "finetune"),
    "sampler": ("tpe", "random"),
    "pruner": ("median", "hyperband", "none"),
    "direction": ("", "minimize", "maximize"),
}


@dataclass(frozen=True)
class StudyOptions:
    """What a study is about, and how it searches.

    Attributes:
        name: of the study.
        kind: "training": each trial is a run of a command. "fusion": each trial measures ranker
            weights of an artifact.
        command: what a trial of the kind "training" runs: "train" or "finetune".
        base: TOML file of the default run, beside the study's; empty for the defaults.
        metric: the figure that is made better; that of the best evaluation of a run.
        direction: "minimize" or "maximize"; empty takes what the metric wants.
        n_trials: trials in all, the default one included.
        sampler: "tpe" learns from trials (Bergstra et al. 2011, NeurIPS 24, "Algorithms for
            hyper-parameter optimization", section 4), "random" does not.
        startup_trials: trials drawn at random before "tpe" learns from them.
        seed: of what is drawn; not of the runs.
        pruner: "median" ends a trial that is worse than the median of those before at the same
            step, "hyperband" (Li et al. 2018, arXiv 1603.06560) gives few trials all steps, "none"
            ends none.
        pruner_startup_trials: completed trials before "median" ends one.
        pruner_warmup_steps: steps (of training; tenths of the rows with "fusion") in which "median"
            and "hyperband" end no trial.
        max_minutes: no trial begins when the command has run so long; 0 for no limit.
        rows_per_set: rows of each development set with "fusion", spread evenly; 0 for all.
        grace_seconds: a trial whose process gives no sign for so long is taken for killed.
    """

    name: str
    kind: str = "training"
    command: str = "train"
    base: str = ""
    metric: str = "validation_loss"
    direction: str = ""
    n_trials: int = 20
    sampler: str = "tpe"
    startup_trials: int = 8
    seed: int = 0
    pruner: str = "median"
    pruner_startup_trials: int = 4
    pruner_warmup_steps: int = 0
    max_minutes: float = 0.0
    rows_per_set: int = 0
    grace_seconds: int = 60

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                shown = ", ".join(one or "nothing" for one in known)
                raise ConfigError(f"{name} is {getattr(self, name)!r}: expected one of {shown}")
        for name, low in (
            *(("n_trials", 1), ("startup_trials", 1), ("pruner_startup_trials", 0)),
            *(("pruner_warmup_steps", 0), ("max_minutes", 0), ("rows_per_set", 0)),
            *(("seed", 0), ("grace_seconds", 2)),
        ):
            if not low <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} is {getattr(self, name)}: expected {low} or more")
        if not self.name.strip():
            raise ConfigError("name is empty: expected the name of the study")
        if self.kind == "fusion" and self.base:
            raise ConfigError(
                "base is given with kind = 'fusion': the default is what the artifact has, leave "
                "base out"
            )


@dataclass(frozen=True)
class StudyConfig:
    """A study as its file describes it.

    Attributes:
        study: what it is about.
        parameters: what is searched, in the order it is drawn.
        fixed: settings of every trial, by dotted name, that differ from the base.
        folder: where the file is; `base` is relative to it.
    """

    study: StudyOptions
    parameters: tuple[Parameter, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()

    @property
    def base_path(self) -> Path | None:
        """The TOML file of the default run; None for the defaults."""
        return self.folder / self.study.base if self.study.base else None

    def to_dict(self) -> dict[str, Any]:
        """Return all that decides what trials are and how they are drawn."""
        return {
            "study": asdict(self.study),
            "search": {parameter.key: parameter.to_dict() for parameter in self.parameters},
            "fixed": dict(self.fixed),
        }


def overrides_of(values: Mapping[str, Any]) -> list[str]:
    """Return values by dotted name as what `--set` takes.

    >>> overrides_of({"training.learning_rate": 0.001, "finetuning.method": "lora"})
    ['training.learning_rate=0.001', 'finetuning.method="lora"']
    """
    return [f"{key}={toml_value(value)}" for key, value in values.items()]


def read_study(
    path: Path, *, overrides: tuple[str, ...] = (), n_trials: int | None = None
) -> StudyConfig:
    """Read the TOML file of a study.

    Args:
        path: the file: tables [study], [search."dotted.key"] and, where wanted, [fixed].
        overrides: ``section.key=value`` each, added to [fixed].
        n_trials: trials in all, instead of the file's number.

    Raises:
        ConfigError: the file cannot be read, or a key or value is not as it must be; names both.
    """
    tables = read_toml(path, example="training.max_steps=2000")
    label = path.name
    check_sections(tables, ("study", "search", "fixed"), label)
    given = dict(tables.get("study", {}))
    if n_trials is not None:
        given["n_trials"] = n_trials
    study = build_options(StudyOptions, given, label=label, key="study")
    parameters = read_parameters(tables.get("search", {}), label=label)
    fixed = flat_values(tables.get("fixed", {}))
    fixed |= flat_values(read_toml(None, overrides=overrides, example="training.max_steps=2000"))
    for parameter in parameters:
        if parameter.key in fixed:
            raise ConfigError(
                f"{label}: {parameter.key!r} is searched and fixed: leave it out of [fixed] and "
                "--set, or out of [search]"
            )
    return StudyConfig(study, parameters, fixed, path.parent)
