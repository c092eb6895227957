"""What makes tiny runs quick; the conftest of each folder that trains takes these fixtures."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from yinzi_train.training import metrics_log
from yinzi_train.training.processes import quiet_libraries

__all__ = ["one_thread", "quick_runs", "real_curves"]

_draw_curves = metrics_log.draw_curves


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Give torch one thread, as a run has; before all fixtures that run models.

    More threads wait for each other on these sizes, and give other bits.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    quiet_libraries()
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(autouse=True, scope="session")
def quick_runs() -> Iterator[None]:
    """Leave out what takes longer than a tiny run: its picture, and garbage among all modules."""

    def draw(rows: Any, columns: Any, path: Path) -> None:
        path.touch()

    gc.collect()
    gc.freeze()  # each run collects garbage once
    metrics_log.draw_curves = draw
    yield
    metrics_log.draw_curves = _draw_curves
    gc.unfreeze()


@pytest.fixture
def real_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the picture of a run."""
    monkeypatch.setattr(metrics_log, "draw_curves", _draw_curves)
