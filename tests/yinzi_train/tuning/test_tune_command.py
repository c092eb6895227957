from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.yinzi.tiny_lexicon import TINY
from tests.yinzi_train.training.training_samples import write_rows, write_tiny_dataset
from tests.yinzi_train.tuning.tuning_samples import SETTINGS, write_runs
from yinzi.cli.running import run_app
from yinzi.converter import load
from yinzi.scoring import InputVocabulary, PairTable, ScoredInputs, ScorerInput
from yinzi_train.cli.main import app
from yinzi_train.dataset.storage import read_json
from yinzi_train.model.families import load_checkpoint
from yinzi_train.pipeline.config import read_config
from yinzi_train.training.config import read_training_config
from yinzi_train.training.metrics_log import read_metrics
from yinzi_train.tuning.fusion import RememberingScorer

PROGRAM = [sys.executable, "-m", "yinzi_train.cli"]
FUSION = """\
[study]
name = "fusion"
kind = "fusion"
metric = "miu_accuracy@1"
n_trials = 5

[search."fusion.words"]
low = -1.5
high = 0.5

[search."fusion.sentence_end"]
low = 0.5
high = 1.5
"""


pytestmark = pytest.mark.usefixtures("threads")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_dataset(tmp_path_factory.mktemp("tune") / "dataset")


def arguments(study: Path, dataset: Path, out: Path, *others: object) -> list[str]:
    whole = ["tune", study, "--data", dataset, "--out", out, *SETTINGS, *others]
    return [str(argument) for argument in whole]


def run(study: Path, dataset: Path, out: Path, *others: object) -> int:
    return run_app(app, arguments(study, dataset, out, *others), name="yinzi-train")


def check_finished(out: Path, n_trials: int) -> None:
    """Check that a study has so many completed trials, one model, and all that tells of it."""
    text = (out / "study.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "complete" in line]
    assert len(rows) == n_trials
    assert sum("(default)" in row for row in rows) == 1
    assert "beats the default" in text
    for name in ("history", "importances", "slice", "intermediate"):
        picture = (out / "plots" / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
    models = list((out / "trials").glob("*/best"))
    assert len(models) == 1
    assert not list((out / "trials").glob("*/checkpoint-*"))
    config = read_training_config(out / "best.toml")
    recorded = read_json(models[0].parent / "run.json")
    assert recorded is not None
    assert config.training.learning_rate == recorded["config"]["training"]["learning_rate"]
    load_checkpoint(models[0])


@pytest.mark.usefixtures("real_plots")
def test_command_tunes_training(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, out = write_runs(tmp_path), tmp_path / "out"
    assert run(study, dataset, out) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{out / 'study.md'}\n"
    assert "4 of 4: trial 3 complete 0." in printed.err
    assert "4 of 4 trials have ended; best 0." in printed.err
    check_finished(out, 4)
    default = read_json(out / "trials" / "0" / "run.json")
    assert default is not None
    assert default["config"]["training"]["learning_rate"] == 2e-3
    assert default["config"]["training"]["schedule"] == "linear"
    figures = read_metrics(out / "trials" / "0" / "metrics.csv")
    assert sum("validation_loss" in row for row in figures) == 2
    assert (out / "trials" / "prepared" / "weights.npy").is_file()
    # The same command has nothing left to do; another search is refused.
    assert run(study, dataset, out) == 0
    write_runs(tmp_path, **{"high = 1e-1": "high = 1e-2"})
    capsys.readouterr()
    assert run(study, dataset, out) == 1
    assert "has search.training.learning_rate.high = 0.1, given 0.01" in capsys.readouterr().err


def test_trial_without_a_number_fails_and_the_study_goes_on(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A gradient of such rates is no number after a step or two.
    changes = {
        "low = 1e-4": "low = 1e-3",
        "high = 1e-1": "high = 1e38",
        "n_trials = 4": "n_trials = 3",
    }
    study, out = write_runs(tmp_path, **changes), tmp_path / "out"
    assert run(study, dataset, out) == 0
    assert "failed" in capsys.readouterr().err
    text = (out / "study.md").read_text(encoding="utf-8")
    assert "expected" in text.split("## Failed")[1]
    assert "| complete |" in text


@pytest.mark.parametrize(
    ("changes", "others", "message"),
    [
        ({"training.learning_rate": "training.learn_rate"}, [], "no setting of the base config"),
        ({"high = 0.4": "high = 1.4"}, [], "a trial with 1.4 could not run"),
        ({"low = 1e-4": "low = 1e-2"}, [], "base config has 0.002, which is not among"),
        ({"eval_steps = 2": "eval_steps = 0"}, [], "training.eval_steps is 0"),
        ({'name = "tiny"': 'name = "tiny"\nmetric = "loss"'}, [], "study.metric is 'loss'"),
        ({'name = "tiny"': 'name = "tiny"\ndirection = "maximize"'}, [], "leave direction out"),
        ({'base = "base.toml"': 'base = "no.toml"'}, [], "no.toml"),
        ({}, ["--set=training.max_step=3"], "unknown key 'training.max_step'"),
        ({}, ["--data=nowhere"], "nowhere"),
        ({}, ["--dev=nowhere.tsv"], "nowhere.tsv"),
        ({}, ["--artifact=a"], "--artifact is for studies of the kind 'fusion'"),
        ({}, ["--model=a"], "--model is for studies of the command 'finetune'"),
    ],
)
def test_wrong_usage_is_told_and_leaves_nothing(
    *,
    changes: dict[str, str],
    others: list[str],
    message: str,
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(write_runs(tmp_path, **changes), dataset, tmp_path / "out", *others) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert not (tmp_path / "out").exists()


def test_command_tunes_the_ranker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    artifact = Path(shutil.copytree(TINY, tmp_path / "tiny"))
    manifest = (artifact / "manifest.json").read_bytes()
    (tmp_path / "study.toml").write_text(FUSION, encoding="utf-8")
    dev = write_rows(tmp_path / "dev.tsv")
    whole = ["tune", tmp_path / "study.toml", "--artifact", artifact, "--dev", dev, "--out"]
    call = [*map(str, whole), str(tmp_path / "out")]
    assert run_app(app, call, name="yinzi-train") == 0
    assert "5 of 5 trials have ended" in capsys.readouterr().err
    beam = load(artifact).decoder.options.beam
    named = ["artifact.name=tuned", "artifact.version='1'"]
    found = read_config(tmp_path / "out" / "best.toml", overrides=named).decoder.beam
    assert found.beam_width == beam.beam_width
    assert -1.5 <= found.word_logprob <= 0.5
    assert (artifact / "manifest.json").read_bytes() == manifest
    for text, message in (
        (FUSION.replace("fusion.words", "fusion.word"), "did you mean 'fusion.words'"),
        (FUSION.replace("fusion.words", "fusion.encoder"), "which the artifact lacks"),
        (FUSION.replace("miu_accuracy@1", "loss"), "study.metric is 'loss'"),
    ):
        (tmp_path / "study.toml").write_text(text, encoding="utf-8")
        assert run_app(app, [*call[:-1], str(tmp_path / "b")], name="yinzi-train") == 1
        assert message in capsys.readouterr().err


class CountingScorer:
    """Gives each place three hanzi whose logprobs tell what was asked."""

    vocab = InputVocabulary()
    pairs = PairTable(*(np.zeros(0, dtype) for dtype in (np.int16, np.uint32, np.int64)))

    def score(self, inputs: list[ScorerInput]) -> ScoredInputs:
        lengths = [len(one.input_ids) for one in inputs]
        ids = np.concatenate([one.input_ids for one in inputs])
        n = sum(lengths)
        return ScoredInputs(
            logprobs=np.repeat(ids, 3).astype(np.float32),
            starts=np.arange(n + 1) * 3,
            pair_low=ids * 10,
            first_place=np.cumsum([0, *lengths]),
        )


def test_remembered_answers_are_those_of_the_scorer() -> None:
    empty = np.zeros(0, np.int64)
    inputs = [
        ScorerInput(np.array(ids), np.zeros(len(ids), np.int64), empty)
        for ids in ([1, 2], [3], [1, 2], [4, 5, 6])
    ]
    plain, scorer = CountingScorer(), RememberingScorer(CountingScorer())  # type: ignore[arg-type]
    for asked in (inputs, inputs[1:], inputs[::-1]):
        found, expected = scorer.score(asked), plain.score(asked)
        for name in ("logprobs", "starts", "pair_low", "first_place"):
            assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    assert scorer.n_asked == 3


@pytest.mark.slow
def test_killed_command_goes_on_and_loses_no_trial(dataset: Path, tmp_path: Path) -> None:
    study, out = write_runs(tmp_path), tmp_path / "out"
    command = [*PROGRAM, *arguments(study, dataset, out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:  # in the middle of the third trial
        if "trials/2/checkpoint-2" in line:
            process.kill()
            break
    process.wait()
    process.stderr.close()
    assert process.returncode == -signal.SIGKILL
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "going on from" in ended.stderr
    check_finished(out, 4)
    assert sorted(path.name for path in (out / "trials").iterdir()) == [
        "0",
        "1",
        "3",
        "4",
        "prepared",
    ]


@pytest.mark.slow
def test_interrupted_command_with_two_workers_saves_and_goes_on(
    dataset: Path, tmp_path: Path
) -> None:
    study, out = write_runs(tmp_path), tmp_path / "out"
    settings = ("max_steps=60", "eval_steps=30", "save_steps=0")
    long = [f"--set=training.{one}" for one in settings]
    command = [*PROGRAM, *arguments(study, dataset, out, *long, "--workers", 2)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while len(list((out / "trials").glob("*/metrics.csv"))) < 2 and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "stopped by SIGINT; all is saved" in errors
    assert (out / "study.md").is_file()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    check_finished(out, 4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_runs_the_trials(dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    study, out = write_runs(tmp_path), tmp_path / "out"
    command = [*PROGRAM, *arguments(study, dataset, out, "--ray", "--workers", 2)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "4 of 4" in ended.stderr
    check_finished(out, 4)
