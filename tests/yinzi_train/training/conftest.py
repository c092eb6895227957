from __future__ import annotations

from pathlib import Path

import pytest

from tests.yinzi_train.training.run_fixtures import one_thread, quick_runs, real_curves
from tests.yinzi_train.training.training_samples import write_tiny_dataset

__all__ = ["one_thread", "quick_runs", "real_curves", "tiny_dataset"]


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the tiny dataset; tests leave it as it is."""
    return write_tiny_dataset(tmp_path_factory.mktemp("training") / "dataset")
