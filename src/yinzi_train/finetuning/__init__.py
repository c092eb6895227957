"""Tune a trained model further on other text, with few or all of its parameters."""

from __future__ import annotations

from yinzi_train.finetuning.method import Finetuning
from yinzi_train.finetuning.run import finetune
from yinzi_train.finetuning.start import Start, open_start

__all__ = ["Finetuning", "Start", "finetune", "open_start"]
