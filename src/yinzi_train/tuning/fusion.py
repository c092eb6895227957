"""Make the ranker's weights of an artifact better: each trial is a search of development sets.

The production converter searches, so a value is what users get. What takes the time is the neural
model, whose answers do not depend on the weights: they are kept, and asked for once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from yinzi.artifact import Artifact
from yinzi.artifact.checksum import sha256_hex
from yinzi.artifact.reader import MANIFEST_NAME
from yinzi.converter import Converter
from yinzi.decoding import BeamOptions
from yinzi.errors import ConfigError
from yinzi.evaluation import InputForm, Row, read_rows
from yinzi.evaluation.inputs import typed_input
from yinzi.evaluation.outcomes import METRICS, score
from yinzi.scoring import ScoredInputs, Scorer, ScorerInput
from yinzi_train.pipeline.options import unknown_key_error
from yinzi_train.tuning.config import StudyConfig
from yinzi_train.tuning.toml_text import toml_text

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["WEIGHTS", "FusionObjective", "RememberingScorer"]

WEIGHTS: Final[Mapping[str, str]] = {
    "fusion.encoder": "encoder_weight",
    "fusion.prior": "prior_weight",
    "fusion.words": "word_logprob",
    "fusion.sentence_end": "end_logprob_weight",
}
"""What can be searched, and the option of the search that it is."""

_OF_ENCODER: Final = ("fusion.encoder", "fusion.prior")
_PARTS: Final = 10
"""Parts of the rows after which a trial reports."""
_N_BEST: Final = 5


class RememberingScorer:
    """A scorer that asks another one at most once for each input.

    Thread safety: none.

    Attributes:
        vocab: of the other one.
        pairs: of the other one.
        n_asked: inputs that were passed on.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.vocab = scorer.vocab
        self.pairs = scorer.pairs
        self.n_asked = 0
        self._scorer = scorer
        self._known: dict[tuple[bytes, bytes, bytes], ScoredInputs] = {}

    def score(self, inputs: Sequence[ScorerInput]) -> ScoredInputs:
        """Score inputs together; see `Scorer.score`."""
        keys = [
            (one.input_ids.tobytes(), one.tones.tobytes(), one.context.tobytes()) for one in inputs
        ]
        new = {key: one for key, one in zip(keys, inputs, strict=True) if key not in self._known}
        if new:
            scored = self._scorer.score(list(new.values()))
            self.n_asked += len(new)
            for index, key in enumerate(new):
                self._known[key] = _one(scored, index)
        found = [self._known[key] for key in keys]
        if not found:
            return self._scorer.score(inputs)
        n_logprobs = np.cumsum([0, *(len(one.logprobs) for one in found)])
        starts = [one.starts[:-1] + before for one, before in zip(found, n_logprobs, strict=False)]
        return ScoredInputs(
            logprobs=np.concatenate([one.logprobs for one in found]),
            starts=np.concatenate([*starts, n_logprobs[-1:]]),
            pair_low=np.concatenate([one.pair_low for one in found]),
            first_place=np.cumsum([0, *(len(one.pair_low) for one in found)]),
        )


class FusionObjective:
    """See the module; the protocol is `Objective`.

    Raises:
        ArtifactError: the artifact cannot be read.
        EvaluationError: a set cannot be read, or has no rows.
        ConfigError: the study does not fit to the artifact.
    """

    direction = "maximize"
    n_steps = _PARTS

    def __init__(self, config: StudyConfig, *, artifact: Path, dev: Sequence[Path]) -> None:
        self._config = config
        self._metric = config.study.metric
        if self._metric not in METRICS:
            raise ConfigError(
                f"study.metric is {self._metric!r}: expected one of {', '.join(METRICS)}"
            )
        if config.study.direction not in ("", self.direction):
            raise ConfigError(
                f"study.direction is {config.study.direction!r}, but more {self._metric} is "
                "better: leave direction out"
            )
        limit = config.study.rows_per_set
        self._sets = {path.stem: _spread(read_rows(path), limit) for path in dev}
        empty = [name for name, rows in self._sets.items() if not rows]
        if empty or len(self._sets) < len(dev):
            raise ConfigError(
                f"sets {', '.join(empty)} have no rows"
                if empty
                else "two development sets have the same name: give each another"
            )
        self._artifact = Artifact.open(artifact)
        converter = Converter(self._artifact)
        scorer = converter.decoder.scorer
        self._options = converter.decoder.options
        self.scorer = None if scorer is None else RememberingScorer(scorer)
        self._beam_name = "beam" if scorer is None else "fused_beam"
        known = [key for key in WEIGHTS if scorer is not None or key not in _OF_ENCODER]
        for key in (*(one.key for one in config.parameters), *config.fixed):
            if key in _OF_ENCODER and scorer is None:
                raise ConfigError(f"{key!r} is a weight of the encoder, which the artifact lacks")
            if key not in known:
                raise unknown_key_error(key, known, config.study.name)
        beam: BeamOptions = getattr(self._options, self._beam_name)
        self.default: Mapping[str, Any] = {}
        for parameter in config.parameters:
            if parameter.is_active(self.default):
                value = getattr(beam, WEIGHTS[parameter.key])
                value = value if parameter.default is None else parameter.default
                parameter.check_value(value, origin="artifact")
                self.default = {**self.default, parameter.key: value}
            for edge in parameter.edges:
                self._beam({parameter.key: edge})
        self.made_from: Mapping[str, Any] = {
            "artifact": sha256_hex(artifact / MANIFEST_NAME),
            "dev": {path.name: sha256_hex(path) for path in dev},
        }

    def run(
        self, trial: Trial, values: Mapping[str, Any], folder: Path, check: Callable[[], None]
    ) -> float:
        """Search all rows; see `Objective.run`.

        Raises:
            TrialPruned: the pruner has ended the trial.
            TrainingStopped: a signal came.
        """
        import optuna

        beams: dict[str, Any] = {self._beam_name: self._beam(values)}
        options = replace(self._options, **beams)
        converter = Converter(self._artifact, options=options, scorer=self.scorer)
        n_parts = min(_PARTS, *(len(rows) for rows in self._sets.values()))
        texts: dict[str, list[list[str]]] = {name: [] for name in self._sets}
        done: dict[str, list[Row]] = {name: [] for name in self._sets}
        value = 0.0
        for part in range(n_parts):
            for name, rows in self._sets.items():
                check()
                chosen = rows[part::n_parts]  # every part is spread over the set
                found = converter.convert_batch(
                    [typed_input(row, InputForm.SEGMENTED) for row in chosen],
                    left_contexts=[row.left_context for row in chosen],
                    n_best=_N_BEST,
                )
                done[name] += chosen
                texts[name] += [[one.text for one in best] for best in found]
            figures = [score(done[name], texts[name]).metrics() for name in self._sets]
            value = float(np.mean([one[self._metric] for one in figures]))
            is_last = part == n_parts - 1
            if part + 1 not in _reported(trial):
                trial.report(value, part + 1)
            if not is_last and trial.should_prune():
                raise optuna.TrialPruned(f"pruned after {part + 1} of {n_parts} parts")
        for name, one in zip(self._sets, figures, strict=True):
            trial.set_user_attr(name, {metric: round(one[metric], 4) for metric in METRICS})
        return value

    def tidy(self, folder: Path, *, keeps_model: bool) -> None:
        """Remove the folder: a trial leaves no files; see `Objective.tidy`."""
        shutil.rmtree(folder, ignore_errors=True)

    def best_text(self, values: Mapping[str, Any]) -> str:
        """Return the options of the search, as a build takes them; see `Objective.best_text`."""
        return toml_text({"decoder": {self._beam_name: vars(self._beam(values))}})

    def _beam(self, values: Mapping[str, Any]) -> BeamOptions:
        beam: BeamOptions = getattr(self._options, self._beam_name)
        given = {**self._config.fixed, **values}
        return replace(beam, **{WEIGHTS[key]: value for key, value in given.items()})


def _reported(trial: Trial) -> set[int]:
    """Return the steps that earlier attempts at a trial have reported."""
    return set(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)


def _one(scored: ScoredInputs, index: int) -> ScoredInputs:
    """Return the answer to one of the inputs."""
    first, last = scored.first_place[index], scored.first_place[index + 1]
    begin, end = scored.starts[first], scored.starts[last]
    return ScoredInputs(
        logprobs=scored.logprobs[begin:end].copy(),
        starts=scored.starts[first : last + 1] - begin,
        pair_low=scored.pair_low[first:last].copy(),
        first_place=np.array([0, last - first], dtype=np.int64),
    )


def _spread(rows: Sequence[Row], limit: int) -> list[Row]:
    """Return at most so many rows at even distances; 0 for all."""
    n_taken = min(limit or len(rows), len(rows))
    return [rows[index * len(rows) // n_taken] for index in range(n_taken)]
