from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def base_artifact(root: Path) -> Path:
    """Return the folder of the shipped artifact, or leave the test out where it is not built yet.

    `test_wheel_holds_the_shipped_artifact` fails in such a tree, so nothing is left out silently.
    """
    folder = root / "src/yinzi/artifacts/base"
    if not (folder / "manifest.json").is_file():
        pytest.skip("the artifact 'base' is not built yet")
    return folder
