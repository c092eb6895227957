from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.yinzi_train.training.training_samples import (
    DATA,
    ENCODER,
    ROOT,
    SHORT,
    assert_same_weights,
    write_rows,
    write_tiny_dataset,
)
from yinzi.cli.running import run_app
from yinzi_train.cli import training_progress
from yinzi_train.cli.main import app
from yinzi_train.training.checkpoints import Checkpoints
from yinzi_train.training.metrics_log import read_metrics
from yinzi_train.training.run_callback import TrainingProgress

CONFIG = ROOT / "configs" / "encoder.toml"
SETTINGS = [f"--set={one}" for one in (*DATA, *ENCODER, *SHORT)]
PROGRAM = [sys.executable, "-m", "yinzi_train.cli"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_dataset(tmp_path_factory.mktemp("command") / "dataset")


def arguments(dataset: Path, out: Path, *others: object) -> list[str]:
    whole = ["train", CONFIG, "--data", dataset, "--out", out, *SETTINGS, *others]
    return [str(argument) for argument in whole]


def run(dataset: Path, out: Path, *others: object) -> int:
    return run_app(app, arguments(dataset, out, *others), name="yinzi-train")


@pytest.mark.usefixtures("threads")
def test_command_trains_evaluates_and_prints_the_folder(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dev = [f"--dev={write_rows(tmp_path / f'{name}.tsv')}" for name in ("one", "two")]
    out = tmp_path / "run"
    settings = ["--set=training.eval_steps=3", "--set=training.metric='miu_accuracy@1'"]
    assert run(dataset, out, *dev, *settings) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{out / 'final'}\n"
    assert "6 steps" in printed.err
    assert "ended by max_steps; miu_accuracy@1 0." in printed.err
    assert "step 6 of 6" in printed.err
    assert "saved" in printed.err
    evaluated = [row for row in read_metrics(out / "metrics.csv") if "miu_accuracy@5" in row]
    assert [row["step"] for row in evaluated] == [3, 6]
    for row in evaluated:
        assert row["character_accuracy"] == row["character_accuracy/two"]
        assert 0 <= row["miu_accuracy@1"] <= row["miu_accuracy@5"] <= 1


@pytest.mark.usefixtures("threads")
def test_signal_ends_the_command_with_its_status_and_resume_goes_on(
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = training_progress.TrainingDisplay.trained

    def trained(display: training_progress.TrainingDisplay, progress: TrainingProgress) -> None:
        shown(display, progress)
        if progress.step == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(training_progress.TrainingDisplay, "trained", trained)
    out = tmp_path / "run"
    assert run(dataset, out) == 130
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "stopped by SIGINT after step 2; all is saved" in printed.err
    assert "give --resume" in printed.err
    assert run(dataset, out) == 1
    assert "holds a run already: give --resume" in capsys.readouterr().err
    monkeypatch.undo()
    assert run(dataset, out, "--resume") == 0
    assert "going on from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (["--set=training.max_step=3"], "unknown key 'training.max_step'"),
        (["--set=model.n_layer=3"], "unknown key 'model.n_layer': did you mean 'model.n_layers'"),
        (["--set=model.family=rnn"], "model family 'rnn': expected one of"),
        (["--data=nowhere"], "nowhere"),
        (["--resume"], "no run to resume"),
        (["--processes=2", "--resume"], "no run to resume"),
        (["--dev=nowhere.tsv"], "cannot read 'nowhere.tsv'"),
    ],
)
@pytest.mark.usefixtures("threads")
def test_wrong_usage_is_told(
    others: list[str],
    message: str,
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(dataset, tmp_path / "run", *others) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert not (tmp_path / "run").exists()


def test_two_processes_train_together(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [*PROGRAM, *arguments(dataset, out, "--processes", 2, "--set=training.eval_steps=3")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{out / 'final'}\n"
    assert ended.stderr.count("saved") == 2  # by one process, at steps 3 and 6
    newest = Checkpoints(out).newest()
    assert newest == out / "checkpoint-6"
    for rank in (0, 1):
        assert (newest / f"stream-{rank}.json").is_file()
        assert (newest / f"rng_state_{rank}.pth").is_file()
    rows = [row for row in read_metrics(out / "metrics.csv") if "loss" in row]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    # Each process has half of the eight sentences of an epoch, and both are counted.
    assert rows[0]["targets"] > 30


@pytest.mark.slow
def test_two_processes_stopped_by_a_signal_end_with_the_same_bits(
    dataset: Path, tmp_path: Path
) -> None:
    options = ("--processes", 2, "--set=training.max_steps=60", "--set=model.dropout=0.1")
    whole = [*PROGRAM, *arguments(dataset, tmp_path / "whole", *options)]
    subprocess.run(whole, capture_output=True, check=True)
    cut = [*PROGRAM, *arguments(dataset, tmp_path / "cut", *options)]
    with subprocess.Popen(cut, stderr=subprocess.PIPE, text=True) as running:
        while not (tmp_path / "cut" / "checkpoint-3").exists():
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGTERM)
        _, printed = running.communicate()
    assert running.returncode == 143
    assert "stopped by SIGTERM" in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "cut" / "final").exists()
    subprocess.run([*cut, "--resume"], capture_output=True, check=True)
    assert_same_weights(tmp_path / "whole" / "final", tmp_path / "cut" / "final")


@pytest.mark.slow
def test_worker_that_fails_is_told_once(dataset: Path, tmp_path: Path) -> None:
    settings = ["--set=training.learning_rate=1e38", "--set=training.warmup_steps=0"]
    command = [*PROGRAM, *arguments(dataset, tmp_path / "run", "--processes", 2, *settings)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("yinzi-train: error: step ") == 1
    assert "expected finite numbers" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_progress, "SECONDS_BETWEEN_LINES", 1e9)
    with training_progress.TrainingDisplay() as display:
        for step in range(1, 11):
            display.trained(
                TrainingProgress(step, 10, 1000 * step, 1.5, 0.5, 1e-3, 2000.0, 90.0 - step)
            )
        logging.getLogger("yinzi_train.training").info("saved %s", "it")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["step 1 of 10", "step 10 of 10", "saved it"]
    assert "0.01 M targets, loss 1.5000, accuracy 0.5000, 2,000 tokens/s, 1:20 left" in lines[1]
