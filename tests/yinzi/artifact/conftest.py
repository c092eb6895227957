from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from yinzi.artifact import Source
from yinzi_train.export import write_artifact


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a whole artifact of two small sections."""
    target = tmp_path / "tiny"
    write_artifact(
        target,
        name="tiny",
        version="1.0",
        created="2025-01-01",
        components={
            "lexicon": {
                "words": np.arange(6, dtype=np.int32).reshape(2, 3),
                "none": np.zeros(0, dtype=np.uint8),
            },
            "language_model": {"logprobs": np.array([-1.0, -2.5], dtype=np.float32)},
        },
        parameters={"decoder": {"beam_width": 20}},
        sources=[Source("a.txt", "the authors", "CC0-1.0", 0.5, "counts")],
        metrics={"hsk": {"ca": 0.9}},
        training={"seed": 1},
    )
    return target
