from __future__ import annotations

from tests.yinzi_train.training.run_fixtures import one_thread, quick_runs

__all__ = ["one_thread", "quick_runs"]
