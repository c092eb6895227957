from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.yinzi_train.dataset.build_samples import (
    load_code_labeller,
    make_build,
    product,
    write_texts,
)
from yinzi_train.dataset import DatasetError, open_dataset
from yinzi_train.dataset.build import build_dataset
from yinzi_train.dataset.units import Execution

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("data") / "corpora", n_files=2)


@pytest.fixture(scope="module")
def built(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "dataset"
    build_dataset(make_build(texts, out))
    return out


@pytest.fixture
def two_ray_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}},
    )
    yield
    ray.shutdown()


@pytest.mark.filterwarnings("ignore")
def test_ray_gives_the_same_bytes(
    built: Path, texts: Path, tmp_path: Path, two_ray_workers: None
) -> None:
    build_dataset(make_build(texts, tmp_path / "dataset"), stages=["corpus"])
    build = make_build(texts, tmp_path / "dataset", execution=Execution(2, uses_ray=True))
    build_dataset(build, stages=["labelling", "dataset"])
    assert product(tmp_path / "dataset") == product(built)


@pytest.mark.slow
def test_two_processes_give_the_same_bytes(built: Path, texts: Path, tmp_path: Path) -> None:
    build_dataset(make_build(texts, tmp_path / "dataset", execution=Execution(2)))
    assert product(tmp_path / "dataset") == product(built)


_DRIVER = """
import sys
from functools import partial
from pathlib import Path
from tests.yinzi_train.dataset.build_samples import load_code_labeller, make_build
from yinzi_train.dataset.build import build_dataset
from yinzi_train.dataset.units import Execution

if __name__ == "__main__":
    texts, out, workers = sys.argv[1:]
    build_dataset(
        make_build(
            Path(texts),
            Path(out),
            execution=Execution(int(workers)),
            labeller_loader=partial(load_code_labeller, 1.0),
        )
    )
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes cannot be killed here")
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_build_goes_on_and_ends_alike(
    built: Path, texts: Path, tmp_path: Path, workers: int
) -> None:
    out = tmp_path / "dataset"
    driver = tmp_path / "driver.py"
    driver.write_text(_DRIVER)
    records = out / "work" / "labelled" / "records"
    with subprocess.Popen(
        [sys.executable, driver, texts, out, str(workers)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        for _ in range(600):
            if list(records.glob("*.json")) or process.poll() is not None:
                break
            time.sleep(0.05)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    finished = {path: path.stat().st_mtime_ns for path in records.glob("*.json")}
    assert len(finished) == 1
    with pytest.raises(DatasetError, match="not finished"):
        open_dataset(out)
    build_dataset(make_build(texts, out, labeller_loader=partial(load_code_labeller, 0.0)))
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert product(out) == product(built)
    assert not list(out.rglob("*.part"))
