from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from tests.yinzi_train.finetuning.finetuning_samples import changed, tune, tuning_config
from yinzi.errors import ConfigError
from yinzi.scoring import NO_NGRAM
from yinzi_train.dataset.collator import IGNORED
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.finetuning import Finetuning, open_start
from yinzi_train.finetuning.tasks import MultiTaskModel
from yinzi_train.model.families import load_checkpoint
from yinzi_train.model.restricted_softmax import restricted_divergence
from yinzi_train.training.data import TrainingData
from yinzi_train.training.finetuning_options import TaskOptions
from yinzi_train.training.metrics_log import read_metrics

ALL_TASKS = (
    *("finetuning.tasks.tones=0.5", "finetuning.tasks.readings=0.5", "collator.context_rate=0.9"),
    *("finetuning.tasks.masked_hanzi=0.5", "finetuning.tasks.mask_rate=0.5"),
)


def prepared(
    base: Path, dataset: Path, folder: Path, *overrides: str
) -> tuple[Finetuning, TrainingData, MultiTaskModel]:
    """Return what a run is made of before its first step."""
    config = tuning_config(*overrides)
    assert config.finetuning is not None
    start = open_start(base, config)
    method = Finetuning(start, config.finetuning)
    method.check(start.config)
    data = method.prepare(open_dataset(dataset), start.config, folder)
    model = method.make_model(data)
    assert isinstance(model, MultiTaskModel)
    return method, data, model


def first_batch(method: Finetuning, data: TrainingData, model: MultiTaskModel) -> dict:
    return next(iter(method.stream(data, model, rank=0, n_ranks=1)))


def test_heads_are_trained_and_left_out_when_saved(
    base: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    result = tune(base, tiny_dataset, tmp_path / "run", *ALL_TASKS)
    assert "layers.0.query_key_value.weight" in changed(base, result.path)
    assert load_checkpoint(result.path).vocab.hanzi == load_checkpoint(base).vocab.hanzi
    first, last = (
        load_file(tmp_path / "run" / f"checkpoint-{step}" / "trained.safetensors")
        for step in (3, 6)
    )
    heads = {name for name in first if name.startswith("heads.")}
    assert {name.split(".")[1] for name in heads} == {"tones", "readings", "masked_hanzi"}
    assert all(not torch.equal(first[name], last[name]) for name in heads)
    assert not (result.path / "trained.safetensors").exists()


def test_annotation_targets_are_the_labels(base: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    method, data, model = prepared(base, tiny_dataset, tmp_path, *ALL_TASKS)
    batch = first_batch(method, data, model)
    is_place = batch["targets"] >= 0
    syllables = torch.from_numpy(data.pairs.syllables.astype(np.int64))
    expected = syllables[batch["targets"][is_place]]
    assert torch.equal(batch["target_syllables"][is_place], expected)
    rows = pq.ParquetDataset(str(tiny_dataset / "data")).read().to_pylist()
    tones = {
        (char, syllable): tone
        for row in rows
        for char, syllable, tone in zip(row["hanzi"], row["syllables"], row["tones"], strict=True)
    }
    texts = data.pairs.texts()
    found = [
        tones[texts[pair], int(syllables[pair])] for pair in batch["targets"][is_place].tolist()
    ]
    assert (batch["target_tones"][is_place] + 1).tolist() == found
    is_context = batch["input_ids"] >= data.vocab.first_hanzi_id
    assert is_context.any()
    assert (batch["target_syllables"][is_context] >= 0).all()
    assert (batch["target_tones"][batch["segments"] < 0] == IGNORED).all()


def test_hidden_hanzi_and_their_ngrams_are_not_seen(
    base: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    method, data, model = prepared(base, tiny_dataset, tmp_path, *ALL_TASKS)
    batch = first_batch(method, data, model)
    torch.manual_seed(0)
    masked, targets = model._masked(batch)
    is_hidden = targets >= 0
    assert is_hidden.any()
    assert (masked["input_ids"][is_hidden] == data.vocab.unknown_id).all()
    assert torch.equal(
        targets[is_hidden], (batch["input_ids"] - data.vocab.first_hanzi_id)[is_hidden]
    )
    orders = model.model.config.ngram_orders
    for index, order in enumerate(orders):
        for line, place in is_hidden.nonzero().tolist():
            covering = masked["ngram_ids"][line, max(0, place - order + 1) : place + 1, index]
            assert (covering == NO_NGRAM).all()
    kept = batch["ngram_ids"] == masked["ngram_ids"]
    assert kept.float().mean() > 0.5, "only n-grams over hidden hanzi are left out"


def test_batch_without_context_gives_heads_a_gradient_of_zero(base: Path) -> None:
    found = load_checkpoint(base)
    model = MultiTaskModel(found.model, found.vocab, TaskOptions(readings=1.0, masked_hanzi=1.0))
    hidden = torch.randn(1, 4, found.model.config.hidden_size)
    loss = model._loss_of("readings", hidden, torch.full((1, 4), IGNORED))
    loss.backward()
    assert loss.item() == 0
    assert model.heads["readings"].weight.grad is not None
    assert not model.heads["readings"].weight.grad.any()


def test_divergence_and_its_gradient_are_those_of_torch() -> None:
    torch.manual_seed(0)
    low, high = torch.tensor([0, 2, 0, 5]), torch.tensor([3, 7, 7, 6])
    tensors = [torch.randn(4, 5), torch.randn(7, 5), torch.randn(7)]
    taught = (torch.randn(4, 3), torch.randn(7, 3), torch.randn(7))
    one = [tensor.clone().requires_grad_() for tensor in tensors]
    other = [tensor.clone().requires_grad_() for tensor in tensors]
    columns = torch.arange(7)
    outside = (columns < low[:, None]) | (columns >= high[:, None])

    def dense(hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        logits = (hidden @ weight.T + bias) / 2.0
        return torch.log_softmax(logits.masked_fill(outside, -1e9), dim=1)

    given, wanted = dense(*one), dense(*taught)
    expected = (wanted.exp() * (wanted - given)).masked_fill(outside, 0).sum()
    found = restricted_divergence(*other, taught=taught, low=low, high=high, temperature=2.0)
    torch.testing.assert_close(found, expected)
    found.backward()
    expected.backward()
    for mine, reference in zip(other, one, strict=True):
        torch.testing.assert_close(mine.grad, reference.grad)


def test_teacher_that_is_the_model_itself_adds_nothing_at_the_start(
    base: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    method, data, model = prepared(base, tiny_dataset, tmp_path / "a")
    taught = f"finetuning.distillation.teacher={base}"
    _, _, with_teacher = prepared(base, tiny_dataset, tmp_path / "b", taught)
    batch = first_batch(method, data, model)
    alone, taught_too = model(**batch).loss, with_teacher(**batch).loss
    torch.testing.assert_close(taught_too, alone)
    names = {name for name, _ in with_teacher.named_parameters()}
    assert names == {name for name, _ in model.named_parameters()}, "a teacher is not trained"


def test_class_weights_make_rare_pairs_count_more(
    base: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    exponent = "finetuning.class_weight_exponent=0.5"
    method, data, model = prepared(base, tiny_dataset, tmp_path, exponent)
    assert data.class_weights is not None
    batch = first_batch(method, data, model)
    asked = batch["targets"] >= 0
    expected = torch.from_numpy(data.class_weights)[batch["targets"][asked]]
    assert torch.equal(batch["weights"][asked], expected)
    weights = {
        (text, int(syllable)): weight
        for text, syllable, weight in zip(
            data.pairs.texts(), data.pairs.syllables, data.class_weights, strict=True
        )
    }
    frequent = max(zip(data.pairs.counts, data.class_weights, strict=True))[1]
    rare = min(zip(data.pairs.counts, data.class_weights, strict=True))[1]
    assert rare > frequent > 0
    assert len(weights) == len(data.pairs)
    counts = data.pairs.counts
    assert (counts * data.class_weights).sum() / counts.sum() == pytest.approx(1, abs=1e-5)
    plain = next(iter(data.validation_batches(data.packer(model.model))), None)
    assert plain is None or set(plain["weights"].unique().tolist()) <= {0.0, 1.0}


def test_replay_has_its_share_of_each_batch(base: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    replay = (f"finetuning.replay.data={tiny_dataset}", "finetuning.replay.share=0.5")
    method, data, model = prepared(base, tiny_dataset, tmp_path, *replay)
    stream = method.stream(data, model, rank=0, n_ranks=1)
    batches = iter(stream)
    for _ in range(3):
        next(batches)
    state = stream.state(3)
    assert state["n_batches"] == state["replay_n_batches"] == 3
    assert state["position"] == state["replay_position"] == 6, "2 of 4 rows come from each"
    expected = next(batches)
    again = method.stream(data, model, rank=0, n_ranks=1)
    again.restore(state)
    found = next(iter(again))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_replayed_text_is_measured(base: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    replay = (f"finetuning.replay.data={tiny_dataset}", "finetuning.replay.share=0.5")
    tune(base, tiny_dataset, tmp_path / "run", *replay, "training.eval_steps=3")
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    found = [row["replay_validation_loss"] for row in rows if row.get("replay_validation_loss")]
    assert len(found) == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("finetuning.replay.share=0.05", r"without a row: raise training\.rows_per_batch"),
        ("collator.context_rate=0", r"collator\.context_rate is 0: set it above 0"),
        ("training.initial_model='a'", r"begins with --model, remove it"),
    ],
)
def test_settings_that_clash_are_refused(
    base: Path, tiny_dataset: Path, tmp_path: Path, override: str, message: str
) -> None:
    others = ("finetuning.tasks.readings=1", f"finetuning.replay.data={tiny_dataset}")
    with pytest.raises(ConfigError, match=message):
        tune(base, tiny_dataset, tmp_path / "run", *others, override)
    assert not (tmp_path / "run").exists()
