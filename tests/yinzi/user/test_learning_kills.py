from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need fork")
@pytest.mark.parametrize("kills", [25, pytest.param(500, marks=pytest.mark.slow)])
def test_killing_a_learning_process_loses_nothing(kills: int) -> None:
    # In a process of its own: this one has threads, and would be forked with them.
    outcome = subprocess.run(
        [sys.executable, "-m", "benchmarks.learning_kills", "--kills", str(kills)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert f"{kills} kills" in outcome.stdout
