from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from yinzi.artifact import Artifact

TINY = Path(__file__).with_name("tiny")

pytestmark = pytest.mark.train


def test_tiny_artifact_is_what_its_script_makes(tmp_path: Path) -> None:
    pytest.importorskip("pypinyin", reason="needs the extra 'train'")
    from tests.data.make_tiny import make_tiny

    manifest = make_tiny(tmp_path / "tiny")
    stored = Artifact.open(TINY)
    hint = "run python tests/data/make_tiny.py"
    assert stored.manifest.parameters == manifest.parameters, hint
    assert set(stored.manifest.files) == set(manifest.files), hint
    for section in ("lexicon", "language_model"):
        arrays = Artifact.open(tmp_path / "tiny").arrays(section)
        for name, array in stored.arrays(section).items():
            assert array.dtype == arrays[name].dtype, hint
            if array.dtype.kind == "f":  # the last bit may depend on the machine
                assert np.allclose(array, arrays[name], atol=1e-6), f"{name}: {hint}"
            else:
                assert np.array_equal(array, arrays[name]), f"{name}: {hint}"


def test_make_tiny_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("pypinyin", reason="needs the extra 'train'")
    from tests.data.make_tiny import make_tiny

    first, second = (make_tiny(tmp_path / name) for name in ("a", "b"))
    assert first == second


def test_tiny_artifact_is_small() -> None:
    paths = [path for path in TINY.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in paths) < 100_000
    named = {TINY / name for name in Artifact.open(TINY).manifest.files}
    assert set(paths) == named | {TINY / "manifest.json"}
