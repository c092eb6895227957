from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.yinzi_train.training.run_fixtures import one_thread, quick_runs
from yinzi_train.tuning import plots

__all__ = ["one_thread", "quick_runs"]

_save = plots._save


@pytest.fixture(autouse=True, scope="session")
def quick_plots() -> Iterator[None]:
    """Make the plots of a study without writing them, which takes longer than the study."""

    def save(made: Any, path: Path) -> None:
        path.touch()

    plots._save = save
    yield
    plots._save = _save


@pytest.fixture
def real_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the plots of a study."""
    monkeypatch.setattr(plots, "_save", _save)
