from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.yinzi_train.training.training_samples import write_tiny_dataset
from yinzi_train.training.processes import quiet_libraries


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Give torch one thread, as a run has; before the fixtures of a module, which run models."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    quiet_libraries()
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the tiny dataset; tests leave it as it is."""
    return write_tiny_dataset(tmp_path_factory.mktemp("pretraining") / "dataset")
