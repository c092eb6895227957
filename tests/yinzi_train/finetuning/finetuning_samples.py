"""Ways to tune the tiny encoder and to see what has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from tests.yinzi_train.training.training_samples import DATA, ROOT, SHORT
from yinzi_train.finetuning import finetune
from yinzi_train.training.config import TrainingConfig, read_training_config
from yinzi_train.training.run_callback import TrainingProgress
from yinzi_train.training.train import TrainingResult

TINY = (
    *DATA,
    *SHORT,
    *("training.max_epochs=0", "training.eval_steps=0", "training.patience=0"),
    *("training.learning_rate=1e-2", "finetuning.min_rows=1"),
)


def tuning_config(*overrides: str) -> TrainingConfig:
    """Return the published config with six steps of tiny batches, and overrides."""
    return read_training_config(ROOT / "configs" / "finetune.toml", overrides=[*TINY, *overrides])


def tune(
    model: Path | str,
    data: Path,
    out: Path,
    *overrides: str,
    resumes: bool = False,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
    **others: Any,
) -> TrainingResult:
    """Tune a model in six steps."""
    config = tuning_config(*overrides)
    return finetune(
        config, model=model, data=data, out=out, resumes=resumes, on_progress=on_progress, **others
    )


def changed(before: Path, after: Path) -> set[str]:
    """Return the names of the weights that differ between two checkpoints."""
    one, other = (load_file(folder / "model.safetensors") for folder in (before, after))
    assert one.keys() == other.keys()
    return {name for name in one if not torch.equal(one[name], other[name])}
