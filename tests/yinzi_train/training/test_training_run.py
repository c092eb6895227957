from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.yinzi_train.dataset.dataset_samples import MIT
from tests.yinzi_train.training.training_samples import (
    DATA,
    ENCODER,
    ROOT,
    SENTENCES,
    SHORT,
    assert_same_weights,
    run,
    stop_at,
    tiny_config,
    weights_of,
    write_rows,
    write_tiny_dataset,
)
from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary
from yinzi_train.dataset import DatasetError
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.storage import read_json
from yinzi_train.model.families import load_checkpoint
from yinzi_train.training.errors import TrainingError, TrainingStopped
from yinzi_train.training.evaluation import development_evaluation
from yinzi_train.training.metrics_log import read_metrics
from yinzi_train.training.run_callback import Evaluate, TrainingProgress
from yinzi_train.training.train import TrainingResult, train

TINY = {
    "encoder": ("model.hidden_size=64", "model.n_heads=2", "model.n_layers=1"),
    "transformer": (
        *("model.hidden_size=64", "model.n_heads=2", "model.n_layers=1"),
        *("model.n_decoder_layers=1", "model.pair_size=32"),
    ),
    "lstm": ("model.hidden_size=64", "model.n_layers=1", "model.pair_size=32"),
    "gru": ("model.hidden_size=64", "model.n_layers=1", "model.pair_size=32"),
}


AVERAGED = ("training.ema_decay=0.5", "training.ema_steps=2")


@pytest.fixture(scope="module")
def whole(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """Return a run of six steps that was never stopped; tests leave its folder as it is."""
    return run(tiny_dataset, tmp_path_factory.mktemp("whole") / "run")


class Killed(Exception):  # noqa: N818 - what happened
    """Ends a run as a crash would: nothing is saved."""


def crash() -> None:
    raise Killed


@pytest.mark.parametrize("family", TINY)
def test_family_overfits_the_tiny_dataset(family: str, tiny_dataset: Path, tmp_path: Path) -> None:
    sizes = (*TINY[family], "model.hanzi_size=16")
    sizes += ("model.feed_forward_size=128",) if "n_heads" in "".join(sizes) else ()
    sizes += ("model.ngram_rows=512", "model.ngram_size=8") if family == "encoder" else ()
    config = tiny_config(
        *sizes,
        *("training.max_steps=100", "training.warmup_steps=10", "training.decay_steps=40"),
        *("training.log_steps=20", "training.save_steps=0", "training.learning_rate=5e-3"),
        *("training.rows_per_batch=8", "training.gradient_accumulation=1"),
        "training.precision=bf16",
        # An initial alone can stand for several hanzi of this text, so none could reach 99 %.
        *(f"augmentation.abbreviations.{name}_rate=0" for name in ("initials", "mixed", "tail")),
        family=family,
    )
    result = train(config, data=tiny_dataset, out=tmp_path / "run")
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    assert rows[-1]["step"] == result.step == 100
    assert rows[-1]["accuracy"] >= 0.99
    found = load_checkpoint(result.path)
    evaluate = development_evaluation([write_rows(tmp_path / "train.tsv")])
    figures = evaluate(found.vocab, found.pairs)(found.model)
    assert figures["character_accuracy"] >= 0.99


def test_run_crashed_between_checkpoints_ends_with_the_same_bits(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    options = ("model.dropout=0.2", "training.eval_steps=2", *AVERAGED)
    whole = run(tiny_dataset, tmp_path / "whole", *options)
    with pytest.raises(Killed):
        run(tiny_dataset, tmp_path / "cut", *options, on_progress=stop_at(5, crash))
    assert (tmp_path / "cut" / "checkpoint-3").is_dir()
    assert not (tmp_path / "cut" / "final").exists()
    cut = run(tiny_dataset, tmp_path / "cut", *options, resumes=True)
    assert_same_weights(whole.path, cut.path)
    assert_same_weights(tmp_path / "whole" / "best", tmp_path / "cut" / "best")
    assert (whole.n_targets, whole.best) == (cut.n_targets, cut.best)
    one, other = (read_metrics(tmp_path / name / "metrics.csv") for name in ("whole", "cut"))
    clocks = ("minutes", "tokens_per_second")
    assert [{k: v for k, v in row.items() if k not in clocks} for row in one] == [
        {k: v for k, v in row.items() if k not in clocks} for row in other
    ]


def test_same_seed_gives_the_same_bits_and_another_seed_others(
    whole: TrainingResult, tiny_dataset: Path, tmp_path: Path
) -> None:
    second = run(tiny_dataset, tmp_path / "b", "training.save_steps=0")
    other = run(tiny_dataset, tmp_path / "c", "training.save_steps=0", "training.seed=1")
    assert_same_weights(whole.path, second.path)
    with pytest.raises(AssertionError):
        assert_same_weights(whole.path, other.path)


KILL_IN_SAVE = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from yinzi_train.training import trainer
from yinzi_train.training.config import read_training_config
from yinzi_train.training.train import TrainingResult, train
whole = trainer.finish_folder
def finish_folder(part, path):
    if path.name == "checkpoint-6":
        os.kill(os.getpid(), signal.SIGKILL)
    whole(part, path)
trainer.finish_folder = finish_folder
config, data, out, *overrides = sys.argv[1:]
train(read_training_config(Path(config), overrides=overrides), data=Path(data), out=Path(out))
"""


def test_run_killed_in_mid_save_goes_on_from_the_last_whole_checkpoint(
    whole: TrainingResult, tiny_dataset: Path, tmp_path: Path
) -> None:
    overrides = [*DATA, *ENCODER, *SHORT]
    arguments = [ROOT / "configs" / "encoder.toml", tiny_dataset, tmp_path / "cut", *overrides]
    killed = subprocess.run([sys.executable, "-c", KILL_IN_SAVE, *map(str, arguments)], check=False)
    assert killed.returncode == -signal.SIGKILL
    unfinished = tmp_path / "cut" / ".unfinished" / "checkpoint-6"
    assert (unfinished / "optimizer.pt").is_file()
    assert not (tmp_path / "cut" / "checkpoint-6").exists()
    cut = run(tiny_dataset, tmp_path / "cut", resumes=True)
    assert_same_weights(whole.path, cut.path)
    assert not unfinished.exists()


def test_checkpoint_without_its_marker_is_passed_over_and_reported(
    whole: TrainingResult, tmp_path: Path, tiny_dataset: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(whole.path.parent, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "final")
    (tmp_path / "run" / "checkpoint-6" / "complete.json").unlink()
    with caplog.at_level(logging.INFO, logger="yinzi_train"):
        run(tiny_dataset, tmp_path / "run", resumes=True)
    assert "checkpoint-6' has no readable complete.json" in caplog.text
    assert "going on from" in caplog.text
    assert_same_weights(whole.path, tmp_path / "run" / "final")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_stops(
    number: signal.Signals, whole: TrainingResult, tiny_dataset: Path, tmp_path: Path
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(TrainingStopped, match=f"stopped by {number.name} after step") as stopped:
        run(
            tiny_dataset,
            tmp_path / "cut",
            on_progress=stop_at(1, lambda: os.kill(os.getpid(), number)),
        )
    assert stopped.value.exit_status == 128 + number
    assert signal.getsignal(number) is before
    assert [path.name for path in (tmp_path / "cut").glob("checkpoint-*")] == ["checkpoint-2"]
    cut = run(tiny_dataset, tmp_path / "cut", resumes=True)
    assert_same_weights(whole.path, cut.path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_loss_that_is_no_number_stops_the_run_and_leaves_the_last_checkpoint(
    value: float, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yinzi_train.model import conversion_model

    right = conversion_model.restricted_cross_entropy
    n_calls = 0

    def loss(*arguments: Any, **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal n_calls
        n_calls += 1
        found, n_right = right(*arguments, **options)
        return (found * value if n_calls == 9 else found), n_right  # the first batch of step 5

    monkeypatch.setattr(conversion_model, "restricted_cross_entropy", loss)
    out = tmp_path / "run"
    with pytest.raises(TrainingError, match=r"step 5: the loss is .*last good .*checkpoint-3'"):
        run(tiny_dataset, out)
    assert all(bool(torch.isfinite(one).all()) for one in weights_of(out / "checkpoint-3").values())
    monkeypatch.setattr(conversion_model, "restricted_cross_entropy", right)
    assert run(tiny_dataset, out, resumes=True).step == 6


def test_gradient_that_is_no_number_stops_the_run(tiny_dataset: Path, tmp_path: Path) -> None:
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, value: torch.Tensor) -> torch.Tensor:
            return value.clone()

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
            return grad * float("nan")

    from yinzi_train.training import trainer

    right = trainer.ConversionTrainer.compute_loss

    def compute_loss(*arguments: Any, **options: Any) -> Any:
        return Broken.apply(right(*arguments, **options))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.ConversionTrainer, "compute_loss", compute_loss)
        with pytest.raises(TrainingError, match=r"length of the gradient nan.*no checkpoint yet"):
            run(tiny_dataset, tmp_path / "run")


@pytest.mark.usefixtures("real_curves")
def test_figures_and_pictures_of_a_run_can_be_read(tiny_dataset: Path, tmp_path: Path) -> None:
    from matplotlib.image import imread
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    seen: list[TrainingProgress] = []
    result = run(
        tiny_dataset,
        out,
        "training.eval_steps=3",
        make_evaluation=constant_evaluation({"miu_accuracy@1": 0.5}),
        on_progress=seen.append,
    )
    rows = read_metrics(out / "metrics.csv")
    trained = [row for row in rows if "loss" in row]
    evaluated = [row for row in rows if "validation_loss" in row]
    assert [row["step"] for row in trained] == [1, 2, 3, 4, 5, 6]
    assert [row["step"] for row in evaluated] == [3, 6]
    assert trained[-1]["targets"] == result.n_targets == evaluated[-1]["targets"]
    assert all(row["miu_accuracy@1"] == 0.5 for row in evaluated)
    assert all(0 <= row["validation_accuracy"] <= 1 for row in evaluated)
    assert trained[2]["learning_rate"] == pytest.approx(2e-3)
    assert [one.step for one in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[-1].seconds_left == 0
    assert imread(out / "curves.png").shape[2] == 4
    board = EventAccumulator(str(out / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("training/loss")] == [1, 2, 3, 4, 5, 6]
    assert [event.step for event in board.Scalars("evaluation/validation_loss")] == [3, 6]
    recorded = read_json(out / "run.json")
    assert recorded is not None
    assert recorded["config"]["training"]["max_steps"] == 6


def test_only_the_newest_checkpoints_are_kept(tiny_dataset: Path, tmp_path: Path) -> None:
    run(
        tiny_dataset,
        tmp_path / "run",
        *("training.save_steps=1", "training.keep_checkpoints=2", "training.max_steps=4"),
    )
    names = sorted(path.name for path in (tmp_path / "run").glob("checkpoint-*"))
    assert names == ["checkpoint-3", "checkpoint-4"]


def constant_evaluation(*figures: Mapping[str, float]) -> Any:
    """Return an evaluation that gives these figures, one after another, the last for ever."""
    left = list(figures)

    def make(vocab: InputVocabulary, pairs: PairVocabulary) -> Evaluate:
        return lambda model: left.pop(0) if len(left) > 1 else left[0]

    return make


def test_run_ends_when_evaluations_get_no_better(tiny_dataset: Path, tmp_path: Path) -> None:
    options = ("training.metric='CA'", "training.patience=2", "training.eval_steps=1")
    evaluation = constant_evaluation({"CA": 0.1}, {"CA": 0.3}, {"CA": 0.3}, {"CA": 0.2})
    result = run(tiny_dataset, tmp_path / "run", *options, make_evaluation=evaluation)
    assert (result.step, result.end_reason) == (4, "patience")
    assert (result.best, result.best_step) == (0.3, 2)
    again = run(tiny_dataset, tmp_path / "run", *options, make_evaluation=evaluation, resumes=True)
    assert (again.step, again.end_reason) == (4, "patience")


def test_run_ends_when_its_time_is_over(tiny_dataset: Path, tmp_path: Path) -> None:
    result = run(tiny_dataset, tmp_path / "run", "training.max_minutes=1e-6")
    assert (result.step, result.end_reason) == (1, "max_minutes")
    assert (tmp_path / "run" / "checkpoint-1" / "complete.json").is_file()


def test_unknown_metric_is_told(tiny_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"metric is 'CB', but evaluations give validation_loss"
    ):
        run(tiny_dataset, tmp_path / "run", "training.metric='CB'", "training.eval_steps=1")


def test_averaged_weights_lie_between_the_first_and_the_last(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    result = run(tiny_dataset, tmp_path / "run", *AVERAGED)
    last = load_checkpoint(result.path).model.pair_layer.weight.detach()
    average = load_checkpoint(result.path / "ema").model.pair_layer.weight.detach()
    assert not torch.equal(last, average)
    assert float((last - average).abs().max()) < 0.01


def test_longer_run_goes_on_as_long_as_the_rate_has_not_fallen(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        run(tiny_dataset, tmp_path / "run", on_progress=stop_at(4, crash))
    result = run(tiny_dataset, tmp_path / "run", "training.max_steps=9", resumes=True)
    assert result.step == 9
    whole = run(tiny_dataset, tmp_path / "whole", "training.max_steps=9")
    assert_same_weights(result.path, whole.path)
    with pytest.raises(ConfigError, match=r"training\.max_steps = 9, given 12: its learning rate"):
        run(tiny_dataset, tmp_path / "run", "training.max_steps=12", resumes=True)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.learning_rate=1e-3", r"training\.learning_rate = 0\.002, given 0\.001"),
        ("model.n_layers=2", r"model\.n_layers = 1, given 2"),
        ("augmentation.tones.rate=0.5", r"augmentation\.tones\.rate = 0\.95, given 0\.5"),
        ("vocabulary.n_hanzi=5", r"vocabulary\.n_hanzi = 6000, given 5"),
    ],
)
def test_other_settings_are_refused_by_name(
    override: str, message: str, whole: TrainingResult, tiny_dataset: Path
) -> None:
    before = sorted(whole.path.parent.rglob("*"))
    with pytest.raises(ConfigError, match=message):
        run(tiny_dataset, whole.path.parent, override, resumes=True)
    assert sorted(whole.path.parent.rglob("*")) == before


def test_finished_run_is_left_as_it_is(
    whole: TrainingResult, tiny_dataset: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole.path.parent, tmp_path / "run")
    again = run(tiny_dataset, tmp_path / "run", "training.log_steps=2", resumes=True)
    assert (again.step, again.n_targets, again.end_reason) == (6, whole.n_targets, "max_steps")
    assert_same_weights(whole.path, again.path)


def test_run_begins_with_the_weights_of_another(
    whole: TrainingResult, tiny_dataset: Path, tmp_path: Path
) -> None:
    begun = run(
        tiny_dataset,
        tmp_path / "run",
        f"training.initial_model={whole.path}",
        *("training.max_steps=1", "training.warmup_steps=0", "training.decay_steps=0"),
        "training.learning_rate=1e-12",
    )
    before, after = weights_of(whole.path), weights_of(begun.path)
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.n_layers=2", "has n_layers = 1, the run 2"),
        ("vocabulary.n_hanzi=3", "has n_hanzi = "),
        ("training.initial_model=nowhere", "nowhere/config.json"),
    ],
)
def test_initial_model_that_does_not_fit_is_told(
    setting: str, message: str, whole: TrainingResult, tiny_dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(tiny_dataset, tmp_path / "run", f"training.initial_model={whole.path}", setting)


def test_checkpoint_of_another_vocabulary_is_refused(tiny_dataset: Path, tmp_path: Path) -> None:
    run(tiny_dataset, tmp_path / "other", "vocabulary.n_hanzi=3")
    run(tiny_dataset, tmp_path / "run", "training.max_steps=4")
    for path in (tmp_path / "run").glob("checkpoint-*"):
        path.rename(tmp_path / path.name)
    (tmp_path / "other" / "checkpoint-3").rename(tmp_path / "run" / "checkpoint-3")
    with pytest.raises(ConfigError, match=r"checkpoint-3' has another vocabulary"):
        run(tiny_dataset, tmp_path / "run", "training.max_steps=4", resumes=True)
    assert (tmp_path / "run" / "checkpoint-3" / "complete.json").is_file()


def test_taken_and_missing_folders_are_told(tiny_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no run to resume: leave --resume out"):
        run(tiny_dataset, tmp_path / "none", resumes=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("a")
    with pytest.raises(ConfigError, match=r"full' holds files already: give --resume"):
        run(tiny_dataset, tmp_path / "full")
    assert (tmp_path / "full" / "a.txt").is_file()
    with pytest.raises(DatasetError, match="nowhere"):
        run(tmp_path / "nowhere", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_empty_dataset_and_split_are_told(tmp_path: Path) -> None:
    empty = write_tiny_dataset(tmp_path / "empty", sources={})
    with pytest.raises(DatasetError, match="no rows of the split 'train'"):
        run(empty, tmp_path / "run")
    only_train = write_tiny_dataset(
        tmp_path / "train", sources={("chat__a", "chat", MIT): SENTENCES}
    )
    with pytest.raises(DatasetError, match=r"no rows of the split 'validation'.*validation_rows=0"):
        run(only_train, tmp_path / "run", "training.eval_steps=2")
    with pytest.raises(ConfigError, match="nothing to evaluate"):
        run(
            only_train,
            tmp_path / "run2",
            "training.eval_steps=2",
            "evaluation.validation_rows=0",
        )
    with pytest.raises(ConfigError, match=r"no pair .* occurs 99 times .*min_pair_count lower"):
        run(only_train, tmp_path / "run3", "vocabulary.min_pair_count=99")


def test_table_of_ngrams_learns_faster_and_does_not_decay(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    result = run(tiny_dataset, tmp_path / "run", "training.save_steps=6")
    groups = torch.load(tmp_path / "run" / "checkpoint-6" / "optimizer.pt")["param_groups"]
    assert [group["weight_decay"] for group in groups] == [0.01, 0, 0]
    rates = [group["initial_lr"] for group in groups]
    assert rates == pytest.approx([2e-3, 2e-3, 1e-2])
    model = load_checkpoint(result.path).model
    names = [name for name, _ in model.named_parameters()]
    assert sum(len(group["params"]) for group in groups) == len(names)
    assert len(groups[2]["params"]) == 1
