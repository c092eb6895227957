"""One run is the same run whoever starts its processes, and however they share the weights."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.yinzi_train.training.training_samples import (
    DATA,
    ENCODER,
    ROOT,
    SHORT,
    assert_same_weights,
    weights_of,
    write_tiny_dataset,
)
from yinzi_train.model.families import load_checkpoint
from yinzi_train.training.metrics_log import read_metrics

PROGRAM = [sys.executable, "-m", "yinzi_train.cli"]
SETTINGS = (
    *(*DATA, *ENCODER, *SHORT),
    *("training.eval_steps=3", "training.ema_decay=0.5", "training.ema_steps=1"),
)
FSDP = "--set=training.parallel='fsdp'"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_dataset(tmp_path_factory.mktemp("launchers") / "dataset")


def arguments(dataset: Path, out: Path, *others: object) -> list[str]:
    settings = [f"--set={one}" for one in SETTINGS]
    command = ["train", ROOT / "configs" / "encoder.toml", "--data", dataset, "--out", out]
    return [str(argument) for argument in (*command, *settings, *others)]


def run(dataset: Path, out: Path, *others: object) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *arguments(dataset, out, *others)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def whole(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of two processes of torchrun; tests leave it as it is."""
    out = tmp_path_factory.mktemp("whole") / "run"
    ended = run(dataset, out, "--processes", 2)
    assert ended.returncode == 0, ended.stderr
    return out


def cut_to_step_3(run_folder: Path, out: Path) -> Path:
    """Copy a run as if it had been ended after step 3."""
    shutil.copytree(run_folder, out)
    for name in ("final", "best", "checkpoint-6"):
        shutil.rmtree(out / name, ignore_errors=True)
    return out


def figures(run_folder: Path) -> list[dict[str, float]]:
    clocks = ("minutes", "tokens_per_second")
    rows = read_metrics(run_folder / "metrics.csv")
    return [{name: row[name] for name in row if name not in clocks} for row in rows]


@pytest.mark.slow
def test_shared_out_weights_learn_the_same_and_go_on_with_the_same_bits(
    dataset: Path, whole: Path, tmp_path: Path
) -> None:
    ended = run(dataset, tmp_path / "run", "--processes", 2, FSDP)
    assert ended.returncode == 0, ended.stderr
    for mine, other in zip(figures(tmp_path / "run"), figures(whole), strict=True):
        assert mine == pytest.approx(other, rel=1e-4)
    for name in ("final", "best", "checkpoint-3"):
        mine, other = weights_of(tmp_path / "run" / name), weights_of(whole / name)
        assert mine.keys() == other.keys()
        assert any(key.startswith("ema/") for key in mine)
        for key, weights in mine.items():
            torch.testing.assert_close(weights, other[key], rtol=1e-3, atol=1e-4)
    assert load_checkpoint(tmp_path / "run" / "checkpoint-6").model.training is False
    cut = cut_to_step_3(tmp_path / "run", tmp_path / "cut")
    ended = run(dataset, cut, "--processes", 2, FSDP, "--resume")
    assert ended.returncode == 0, ended.stderr
    assert "going on from" in ended.stderr
    assert_same_weights(tmp_path / "run" / "final", cut / "final")
    assert_same_weights(tmp_path / "run" / "best", cut / "best")
    ended = run(
        dataset, cut_to_step_3(whole, tmp_path / "other"), "--processes", 2, FSDP, "--resume"
    )
    assert ended.returncode == 1
    assert "training.parallel = 'ddp', given 'fsdp'" in ended.stderr


@pytest.mark.slow
def test_each_process_holds_a_part_of_weights_and_optimizer(dataset: Path, tmp_path: Path) -> None:
    script = tmp_path / "count.py"
    script.write_text(COUNT, encoding="utf-8")
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", str(script)),
        *(str(ROOT / "configs" / "encoder.toml"), str(dataset), str(tmp_path / "run")),
        *(*SETTINGS, "training.parallel='fsdp'"),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    counts = [tuple(map(int, line.split())) for line in ended.stdout.splitlines()]
    assert len(counts) == 2
    for n_all, n_here, n_moments, n_average in counts:
        assert n_here == pytest.approx(n_all / 2, rel=0.05)
        assert n_moments == pytest.approx(n_all, rel=0.05)  # two moments of one half
        assert n_average == n_here


COUNT = """
import sys
from pathlib import Path
from yinzi_train.training import run_callback
from yinzi_train.training.config import read_training_config
from yinzi_train.training.train import train

local = lambda tensor: tensor.to_local().numel() if hasattr(tensor, "to_local") else 0

class Counting(run_callback.RunCallback):
    def on_train_end(self, args, state, control, **others):
        trainer = self._trainer
        weights = [*trainer.model.parameters()]
        moments = [
            value for state in trainer.optimizer.state.values() for name, value in state.items()
            if name.startswith("exp_avg")
        ]
        line = (
            sum(one.numel() for one in weights), sum(map(local, weights)),
            sum(map(local, moments)), sum(one.numel() for one in trainer.average._average),
        )
        sys.stdout.write(" ".join(map(str, line)) + "\\n")
        sys.stdout.flush()

from yinzi_train.training import run as module
module.RunCallback = Counting
config, data, out, *overrides = sys.argv[1:]
train(read_training_config(Path(config), overrides=overrides), data=Path(data), out=Path(out))
"""


@pytest.mark.slow
@pytest.mark.parametrize("family", ["lstm", "transformer"])
def test_other_families_share_their_weights_out(family: str, dataset: Path, tmp_path: Path) -> None:
    command = ["train", ROOT / "configs" / f"{family}.toml", "--data", dataset]
    sizes = ("model.hidden_size=16", "model.n_layers=2", "model.hanzi_size=8", "model.pair_size=8")
    heads = ("model.n_heads=2", "model.feed_forward_size=32", "model.n_decoder_layers=1")
    settings = (*DATA, *SHORT, *sizes, *(heads if family == "transformer" else ()))
    losses = []
    for parallel in ("ddp", "fsdp"):
        out = tmp_path / parallel
        options = ("--processes", 2, f"--set=training.parallel={parallel!r}")
        whole = [*command, "--out", out, *(f"--set={one}" for one in settings), *options]
        subprocess.run([*PROGRAM, *map(str, whole)], capture_output=True, check=True)
        losses.append([row["loss"] for row in read_metrics(out / "metrics.csv") if "loss" in row])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.slow
def test_ray_workers_give_the_same_bits_and_take_up_a_run_of_torchrun(
    dataset: Path, whole: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    ended = run(dataset, tmp_path / "run", "--ray-workers", 2)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{tmp_path / 'run' / 'final'}\n"
    assert ended.stderr.count("saved") == 2
    assert ended.stderr.count("6 steps, ") == 1
    assert_same_weights(whole / "final", tmp_path / "run" / "final")
    cut = cut_to_step_3(whole, tmp_path / "cut")
    ended = run(dataset, cut, "--ray-workers", 2, "--resume")
    assert ended.returncode == 0, ended.stderr
    assert_same_weights(whole / "final", cut / "final")


@pytest.mark.slow
def test_ray_workers_save_and_stop_at_a_signal(dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    out = tmp_path / "run"
    options = ("--ray-workers", 2, "--set=training.max_steps=60", "--set=training.eval_steps=0")
    command = [*PROGRAM, *arguments(dataset, out, *options)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        while not (out / "checkpoint-3").exists():
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, printed = running.communicate()
    assert running.returncode == 130
    assert "stopped by SIGINT" in printed
    assert "Traceback" not in printed
    assert not (out / "final").exists()
    ended = run(dataset, out, *options, "--resume")
    assert ended.returncode == 0, ended.stderr
    assert "going on from" in ended.stderr


@pytest.mark.slow
def test_failure_of_ray_workers_is_told_once(dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    settings = ["--set=training.learning_rate=1e38", "--set=training.warmup_steps=0"]
    ended = run(dataset, tmp_path / "run", "--ray-workers", 2, *settings)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("yinzi-train: error: step ") == 1
    assert "expected finite numbers" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_two_machines_of_torchrun_give_the_same_bits(
    dataset: Path, whole: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "run"),
        *("--local-addr", "localhost", "-m", "yinzi_train.cli"),
        *arguments(dataset, tmp_path / "run"),
    ]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as first,
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as second,
    ):
        printed = [one.communicate()[1] for one in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), printed
    assert_same_weights(whole / "final", tmp_path / "run" / "final")
