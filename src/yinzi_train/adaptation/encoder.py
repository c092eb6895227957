"""Tune the encoder of an artifact on a user's sentences, and make it int8 again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from yinzi.errors import ConfigError
from yinzi.scoring.encoder import ENCODER_GRAPH, Encoder
from yinzi_train.adaptation.domain import Base
from yinzi_train.adaptation.options import AdaptationOptions
from yinzi_train.adaptation.text_dataset import write_text_dataset
from yinzi_train.adaptation.texts import DomainTexts

__all__ = ["TunedEncoder", "tune_encoder"]

_ROWS_PER_BATCH: Final = 32
_EVALUATION_STEPS: Final = 80
_MIN_AGREEMENT: Final = 0.9
_MAX_DROP: Final = 0.05
"""Looser than for an encoder that ships, and only against what is broken: rounding to int8 cost
1.4 % of the places of medical text. Whether the encoder is worth having all the same is measured
in the whole system, against that of the base."""


@dataclass(frozen=True, eq=False)
class TunedEncoder:
    """An encoder ready to be written.

    Attributes:
        component: section of the artifact: arrays, and the graph as bytes.
        parameters: table of the manifest.
        scorer: the same, opened.
        n_trained: parameters that were trained.
    """

    component: Mapping[str, Any]
    parameters: Mapping[str, Any]
    scorer: Encoder
    n_trained: int


def tune_encoder(
    base: Base,
    texts: DomainTexts,
    work: Path,
    *,
    data: Path | None,
    options: AdaptationOptions,
    on_step: Callable[[str, int, int], None],
) -> TunedEncoder:
    """Tune the encoder on the first part of the texts; the second tells when it is best.

    The output and the last two layers train, with settings that a study found (configs/tune.toml,
    docs/experiments.md). Without a dataset to replay general rows from, only the last layer does,
    and slowly, as it would forget.

    Args:
        base: what is adapted.
        texts: of the domain.
        work: a folder for dataset and run.
        data: dataset that the encoder was trained on, None for none.
        options: of the training.
        on_step: called as the work goes on.

    Raises:
        ConfigError: the artifact has no encoder.
    """
    if base.converter.decoder.scorer is None:
        raise ConfigError(
            f"artifact {base.converter.artifact.manifest.name!r} has no encoder to tune: "
            "leave out --encoder"
        )
    from yinzi_train.compression import ParityLimits, export_encoder
    from yinzi_train.compression.check_rows import read_check_rows
    from yinzi_train.dataset.reader import open_dataset
    from yinzi_train.finetuning import finetune
    from yinzi_train.finetuning.method import PARAMETERS_NAME
    from yinzi_train.model import ConversionEncoder
    from yinzi_train.model.families import load_checkpoint
    from yinzi_train.training.config import read_training_config

    folder = write_text_dataset(work / "dataset", texts, base.labeller)
    replayed = "" if data is None else str(data)
    settings = {
        "finetuning.method": "last_layers",
        "finetuning.n_layers": 2 if replayed else 1,
        "finetuning.restores_best": True,
        "finetuning.min_coverage": 0.5,
        "finetuning.min_rows": 50,
        "finetuning.replay.data": replayed,
        "finetuning.replay.share": options.replay_share,
        "finetuning.replay.validation_rows": 0,
        "balance.exponent": 0.0,
        "balance.max_copies": 1.0,
        "training.learning_rate": options.learning_rate * (1.0 if replayed else 0.1),
        "training.warmup_steps": 5,
        "training.schedule": "linear",
        "training.min_learning_rate": 0.0,
        "training.max_epochs": options.max_epochs,
        "training.rows_per_batch": _ROWS_PER_BATCH,
        "training.ema_decay": 0.0,
        "training.eval_steps": _EVALUATION_STEPS,
        "training.patience": 3,
        "training.save_minutes": 0.0,
        "training.log_steps": 5,
    }
    overrides = [f"{name}={json.dumps(value)}" for name, value in settings.items()]
    overrides.append("balance.domain_factors={}")
    on_step("tuning the encoder", 0, 1)
    finetune(
        read_training_config(overrides=overrides),
        model=base.converter.artifact.folder,
        data=folder,
        out=work / "run",
        on_progress=lambda progress: on_step(
            "tuning the encoder", progress.step, max(progress.max_steps, progress.step)
        ),
    )
    found = load_checkpoint(work / "run" / "final")
    assert isinstance(found.model, ConversionEncoder)  # the artifact's was one
    checked = replace(texts, train=texts.tune, tune=texts.train)
    rows = read_check_rows(
        open_dataset(write_text_dataset(work / "checked", checked, base.labeller)),
        found.vocab,
        found.pairs,
        ngram_orders=found.model.config.ngram_orders,
        ngram_rows=found.model.config.ngram_rows,
    )
    limits = ParityLimits(min_agreement=_MIN_AGREEMENT, max_drop=_MAX_DROP)
    exported = export_encoder(found.model, found.vocab, found.pairs, rows, limits=limits)
    scorer = Encoder(
        exported.graph, exported.arrays, exported.parameters, label="the tuned encoder"
    )
    return TunedEncoder(
        {**exported.arrays, ENCODER_GRAPH: exported.graph},
        exported.parameters,
        scorer,
        int(json.loads((work / "run" / PARAMETERS_NAME).read_text(encoding="utf-8"))["trained"]),
    )
