"""Build an artifact from published word lists and text: stages, their settings and records."""

from __future__ import annotations

from yinzi_train.pipeline.config import BuildConfig, read_config
from yinzi_train.pipeline.stages import STAGES, Build, StageResult, run_stage

__all__ = ["STAGES", "Build", "BuildConfig", "StageResult", "read_config", "run_stage"]
