from __future__ import annotations

from pathlib import Path

import pytest

from tests.yinzi_train.training.run_fixtures import one_thread, quick_runs
from tests.yinzi_train.training.training_samples import run, write_tiny_dataset

__all__ = ["base", "one_thread", "quick_runs", "tiny_dataset"]


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the tiny dataset; tests leave it as it is."""
    return write_tiny_dataset(tmp_path_factory.mktemp("finetuning") / "dataset")


@pytest.fixture(scope="session")
def base(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a trained encoder of two layers; tests leave it as it is."""
    out = tmp_path_factory.mktemp("base") / "run"
    return run(tiny_dataset, out, "model.n_layers=2", "training.save_steps=0").path
