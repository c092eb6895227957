from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
)

from tests.yinzi_train.dataset.dataset_samples import MIT
from tests.yinzi_train.pretraining.pretraining_samples import (
    FAMILIES,
    TINY,
    config_path,
    run,
    tiny_config,
)
from tests.yinzi_train.training.training_samples import (
    SENTENCES,
    assert_same_weights,
    stop_at,
    weights_of,
    write_tiny_dataset,
)
from yinzi.cli.running import run_app
from yinzi.errors import ConfigError
from yinzi_train.cli.main import app
from yinzi_train.dataset import DatasetError
from yinzi_train.pretraining.config import PretrainingOptions
from yinzi_train.training.errors import TrainingError, TrainingStopped
from yinzi_train.training.metrics_log import read_metrics
from yinzi_train.training.train import TrainingResult

KINDS = {
    "bert": AutoModelForMaskedLM,
    "gpt": AutoModelForCausalLM,
    "t5": AutoModelForSeq2SeqLM,
}


@pytest.fixture(scope="module")
def whole(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """Return a run of BERT that was never stopped; tests leave its folder as it is."""
    return run(tiny_dataset, tmp_path_factory.mktemp("whole") / "run")


class Killed(Exception):  # noqa: N818 - what happened
    """Ends a run as a crash would."""


def crash() -> None:
    raise Killed


@pytest.mark.parametrize("family", FAMILIES)
def test_pretrained_model_has_learnt_and_opens_as_any_other(
    family: str, tiny_dataset: Path, tmp_path: Path
) -> None:
    result = run(
        tiny_dataset,
        tmp_path / "run",
        *("training.max_steps=60", "training.learning_rate=1e-2", "training.rows_per_batch=8"),
        *("training.save_steps=0", "training.eval_steps=60", "training.precision=bf16"),
        family=family,
    )
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    trained = [row for row in rows if "loss" in row]
    assert trained[-1]["loss"] < 0.75 * trained[0]["loss"]
    assert rows[-1]["validation_perplexity"] == pytest.approx(
        torch.tensor(rows[-1]["validation_loss"]).exp().item(), rel=1e-4
    )
    assert (tmp_path / "run" / "curves.png").is_file()
    tokenizer = AutoTokenizer.from_pretrained(result.path)
    model = KINDS[family].from_pretrained(result.path).eval()
    assert model.config.vocab_size == len(tokenizer)
    given = tokenizer("明天去学校", return_tensors="pt")
    if family == "t5":
        given["decoder_input_ids"] = torch.zeros(1, 3, dtype=torch.long)
    logits = model(**given).logits
    assert logits.shape[-1] == len(tokenizer)
    assert bool(torch.isfinite(logits).all())
    if family == "gpt":  # learnt by heart
        begun = torch.tensor([tokenizer("明天").input_ids[:-1]])
        written = model.generate(begun, max_new_tokens=8, do_sample=False)
        assert tokenizer.decode(written[0], skip_special_tokens=True) == "明天去学校"
    assert AutoModel.from_pretrained(result.path).config.model_type == model.config.model_type


@pytest.mark.parametrize("family", ["bert", pytest.param("gpt", marks=pytest.mark.slow), "t5"])
def test_run_crashed_between_checkpoints_ends_with_the_same_bits(
    family: str, tiny_dataset: Path, tmp_path: Path
) -> None:
    options = ("model.dropout=0.2", "training.ema_decay=0.5", "training.ema_steps=1")
    one = run(tiny_dataset, tmp_path / "whole", *options, family=family)
    with pytest.raises(Killed):
        run(tiny_dataset, tmp_path / "cut", *options, family=family, on_progress=stop_at(5, crash))
    assert (tmp_path / "cut" / "checkpoint-3").is_dir()
    assert not (tmp_path / "cut" / "final").exists()
    other = run(tiny_dataset, tmp_path / "cut", *options, family=family, resumes=True)
    assert_same_weights(one.path, other.path)
    assert (one.n_targets, one.best) == (other.n_targets, other.best)
    assert (other.path / "ema" / "model.safetensors").is_file()


def test_signal_saves_and_stops(whole: TrainingResult, tiny_dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "cut"
    stop = stop_at(1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(TrainingStopped, match="stopped by SIGTERM after step 2"):
        run(tiny_dataset, out, on_progress=stop)
    assert_same_weights(whole.path, run(tiny_dataset, out, resumes=True).path)


def test_time_ends_the_run_with_a_low_learning_rate_and_an_evaluation(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    result = run(
        tiny_dataset,
        tmp_path / "run",
        *("training.max_minutes=0.02", "training.decay_minutes=0.02"),
        *("training.max_steps=100_000", "training.eval_steps=100_000", "training.save_steps=0"),
    )
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    assert result.end_reason == "max_minutes"
    assert rows[-1]["validation_loss"] == pytest.approx(result.best)
    rates = [row["learning_rate"] for row in rows if "learning_rate" in row]
    assert rates[-1] < 0.2 * max(rates)


def test_loss_that_is_no_number_stops_the_run(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch.nn import functional

    right, calls = functional.cross_entropy, 0

    def loss(*arguments: Any, **options: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return right(*arguments, **options) * (float("nan") if calls == 6 else 1.0)  # step 5

    monkeypatch.setattr(functional, "cross_entropy", loss)
    with pytest.raises(TrainingError, match=r"step 5: the loss is nan.*last good .*checkpoint-3'"):
        run(tiny_dataset, tmp_path / "run")
    monkeypatch.undo()
    weights = weights_of(tmp_path / "run" / "checkpoint-3")
    assert all(bool(torch.isfinite(weight).all()) for weight in weights.values())
    assert not (tmp_path / "run" / "final").exists()
    assert run(tiny_dataset, tmp_path / "run", resumes=True).step == 6


def test_damaged_checkpoint_is_passed_over_or_told(
    whole: TrainingResult, tiny_dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(whole.path.parent, out)
    shutil.rmtree(out / "final")
    (out / "checkpoint-6" / "optimizer.pt").unlink()  # the marker lists it
    assert run(tiny_dataset, out, resumes=True).step == 6
    assert_same_weights(whole.path, out / "final")
    for step in (3, 6):  # of the right size, but with other content
        weights = out / f"checkpoint-{step}" / "model.safetensors"
        weights.write_bytes(b"x" * weights.stat().st_size)
    with pytest.raises(TrainingError, match=r"cannot read the model in .*checkpoint-6'"):
        run(tiny_dataset, out, resumes=True)


def test_checkpoint_with_another_vocabulary_is_refused(
    whole: TrainingResult, tiny_dataset: Path, tmp_path: Path
) -> None:
    other = write_tiny_dataset(
        tmp_path / "other",
        sources={("chat__a", "chat", MIT): SENTENCES[:3], ("chat__b", "chat", MIT): ()},
    )
    found = run(other, tmp_path / "run", "training.eval_steps=0")
    out = tmp_path / "mixed"
    shutil.copytree(whole.path.parent, out)
    shutil.rmtree(out / "checkpoint-6")
    shutil.copytree(found.path.parent / "checkpoint-6", out / "checkpoint-6")
    with pytest.raises(ConfigError, match=r"checkpoint-6' has another vocabulary"):
        run(tiny_dataset, out, resumes=True)


def test_run_goes_on_with_a_model(
    whole: TrainingResult, tiny_dataset: Path, tmp_path: Path
) -> None:
    given = f"training.initial_model='{whole.path}'"
    still = ("training.learning_rate=1e-12", "training.max_steps=4", "training.weight_decay=0")
    result = run(tiny_dataset, tmp_path / "run", given, *still)
    before, after = weights_of(whole.path), weights_of(result.path)
    assert before.keys() == after.keys()
    for name, weight in before.items():
        assert torch.allclose(weight, after[name], atol=1e-6), name
    assert (result.path / "tokenizer.json").read_text() == (
        whole.path / "tokenizer.json"
    ).read_text()


def test_model_to_go_on_with_that_does_not_fit_is_told(
    whole: TrainingResult, tiny_dataset: Path, tmp_path: Path
) -> None:
    given = f"training.initial_model='{whole.path}'"
    for override, family, message in (
        ("model.hidden_size=32", "bert", "has 16 for model.hidden_size, the run 32"),
        ("model.dropout=0", "gpt", "is of the type 'bert', model.family is 'gpt'"),
        ("training.initial_model=nowhere", "bert", "'nowhere' cannot be read"),
    ):
        with pytest.raises(ConfigError, match=message):
            run(tiny_dataset, tmp_path / "run", given, override, family=family)
    others = write_tiny_dataset(tmp_path / "few", sources={("a__b", "a", MIT): SENTENCES[:1]})
    first = run(others, tmp_path / "first", "training.eval_steps=0")
    with pytest.raises(ConfigError, match=r"knows \d+% of the characters of the text"):
        run(tiny_dataset, tmp_path / "second", f"training.initial_model='{first.path}'")
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "second" / "final").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.family=rnn", "family is 'rnn': expected one of bert, gpt, t5"),
        ("model.n_heads=3", "hidden_size is 16 with n_heads 3: expected a multiple"),
        ("model.n_layers=0", "n_layers is 0: expected at least 1"),
        ("model.n_decoder_layers=2", "n_decoder_layers is 2 for bert: expected 0"),
        ("lines.length=64", "lines.length is 64, model.max_positions 16"),
        ("lines.length=4", "length is 4: expected at least 8"),
        ("corruption.share=1", "share is 1.0: expected above 0 and below 1"),
        ("training.decay_minutes=5", "decay_minutes is 5.0 of max_minutes 0"),
        ("training.ngram_learning_rate=2.0", "have no table of n-grams: remove it"),
        ("training.n_layers=5", "unknown key 'training.n_layers'"),
        ("models.n_layers=5", "unknown key 'models'"),
        ("vocabulary.n_hanzi=0", "n_hanzi is 0: expected at least 1"),
    ],
)
def test_wrong_setting_is_told(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_config(override)


def test_published_configs_differ_from_the_defaults_only_where_they_say() -> None:
    for family in FAMILIES:
        config = tiny_config(family=family)
        assert config.model.family == family
        assert config.sampling.pool_groups == 16
    assert PretrainingOptions().ema_decay == 0


def test_epochs_end_the_run(tiny_dataset: Path, tmp_path: Path) -> None:
    epochs = ("training.warmup_steps=1", "training.decay_steps=1", "training.eval_steps=0")
    result = run(tiny_dataset, tmp_path / "run", "training.max_epochs=2", *epochs)
    assert result.step == 4  # eight sentences, four a step
    assert result.end_reason == "max_steps"
    with pytest.raises(ConfigError, match=r"max_epochs = 1 are 2 steps of 4 sentences"):
        run(tiny_dataset, tmp_path / "short", "training.max_epochs=1")
    assert not (tmp_path / "short").exists()


def test_empty_splits_are_told(tmp_path: Path) -> None:
    empty = write_tiny_dataset(tmp_path / "empty", sources={})
    with pytest.raises(DatasetError, match="no rows of the split 'train'"):
        run(empty, tmp_path / "run")
    train = write_tiny_dataset(tmp_path / "train", sources={("a__b", "a", MIT): SENTENCES})
    with pytest.raises(DatasetError, match=r"no rows of the split 'validation'"):
        run(train, tmp_path / "run")
    with pytest.raises(ConfigError, match="nothing to evaluate"):
        run(train, tmp_path / "run", "evaluation.validation_rows=0")
    assert not (tmp_path / "run").exists()


def arguments(dataset: Path, out: Path, *others: object) -> list[str]:
    settings = [f"--set={one}" for one in (*TINY, "model.max_positions=16")]
    given = ["pretrain", config_path("bert"), "--data", dataset, "--out", out, *settings, *others]
    return [str(argument) for argument in given]


@pytest.mark.usefixtures("threads")
def test_command_pretrains_and_prints_the_folder(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run_app(app, arguments(tiny_dataset, out), name="yinzi-train") == 0
    printed = capsys.readouterr()
    assert printed.out == f"{out / 'final'}\n"
    assert "6 steps" in printed.err
    assert "validation_loss" in printed.err
    assert run_app(app, arguments(tiny_dataset, out), name="yinzi-train") == 1
    assert "holds a run already: give --resume" in capsys.readouterr().err
    wrong = arguments(tiny_dataset, tmp_path / "other", "--set=model.family=rnn")
    assert run_app(app, wrong, name="yinzi-train") == 1
    printed = capsys.readouterr()
    assert "family is 'rnn'" in printed.err
    assert "Traceback" not in printed.err
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_two_processes_pretrain_together(tiny_dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    program = [sys.executable, "-m", "yinzi_train.cli"]
    command = [*program, *arguments(tiny_dataset, out, "--processes", 2)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{out / 'final'}\n"
    assert (out / "checkpoint-6" / "stream-1.json").is_file()
    rows = [row for row in read_metrics(out / "metrics.csv") if "loss" in row]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
