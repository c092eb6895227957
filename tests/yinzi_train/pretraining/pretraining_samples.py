"""Tiny models of each family, and a way to pretrain them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from yinzi_train.pretraining.config import PretrainingConfig, read_pretraining_config
from yinzi_train.pretraining.pretrain import pretrain
from yinzi_train.training.run_callback import TrainingProgress
from yinzi_train.training.train import TrainingResult

ROOT = Path(__file__).resolve().parents[3]
FAMILIES = ("bert", "gpt", "t5")

TINY = (
    *("vocabulary.min_count=1", "balance.domain_factors={}"),
    *("model.hidden_size=16", "model.n_layers=1", "model.n_heads=2", "model.feed_forward_size=32"),
    *("lines.length=16", "training.rows_per_batch=4", "training.precision=fp32"),
    *("training.max_minutes=0", "training.decay_minutes=0", "training.save_minutes=0"),
    *("training.max_steps=6", "training.warmup_steps=2", "training.decay_steps=2"),
    *("training.save_steps=3", "training.log_steps=1", "training.eval_steps=3"),
)


def config_path(family: str) -> Path:
    return ROOT / "configs" / f"pretrain-{family}.toml"


def tiny_config(*overrides: str, family: str = "bert") -> PretrainingConfig:
    """Return the published config of a family with a tiny model, six steps, and overrides."""
    sizes = ("model.max_positions=16",) if family != "t5" else ("model.n_decoder_layers=1",)
    return read_pretraining_config(config_path(family), overrides=[*TINY, *sizes, *overrides])


def run(
    data: Path,
    out: Path,
    *overrides: str,
    family: str = "bert",
    resumes: bool = False,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> TrainingResult:
    """Pretrain a tiny model."""
    config = tiny_config(*overrides, family=family)
    return pretrain(config, data=data, out=out, resumes=resumes, on_progress=on_progress)
