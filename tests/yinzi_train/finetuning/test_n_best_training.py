from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.yinzi_train.finetuning.finetuning_samples import tune
from tests.yinzi_train.finetuning.test_finetuning_tasks import first_batch, prepared
from tests.yinzi_train.model.model_samples import PAIRS, VOCAB, tiny_model
from tests.yinzi_train.training.training_samples import assert_same_weights, stop_at
from yinzi.errors import ConfigError
from yinzi.scoring import context_ids
from yinzi_train.finetuning.n_best import n_best_loss
from yinzi_train.model.families import load_checkpoint, save_checkpoint
from yinzi_train.n_best.lists import LIST_SCHEMA
from yinzi_train.training.errors import TrainingStopped
from yinzi_train.training.metrics_log import read_metrics


@pytest.fixture(scope="module")
def lists(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty lists of two or three candidates, each of pairs that the base model has."""
    pairs = load_checkpoint(base).pairs
    texts, syllables = pairs.texts(), pairs.syllables.astype(int)
    several = [s for s in np.unique(syllables) if (syllables == s).sum() > 1]
    draw = np.random.default_rng(0)
    rows = []
    for _ in range(40):
        low = [int(one) for one in draw.choice(several, 3)]
        choices = [np.flatnonzero(syllables == one) for one in low]
        candidates = list(
            dict.fromkeys("".join(texts[draw.choice(one)] for one in choices) for _ in range(5))
        )[:3]
        if len(candidates) < 2:
            candidates = ["".join(texts[one[k]] for one in choices) for k in (0, 1)]
        rows.append(
            {
                "domain": "chat",
                "low": low,
                "high": [one + 1 for one in low],
                "candidates": candidates,
                "readings": low * len(candidates),
                "logprobs": draw.normal(size=len(candidates)).tolist(),
                "right": int(draw.integers(len(candidates))),
                "context": "" if len(rows) % 3 else "你好，",
                "weight": 1.0 + len(rows) % 2,
            }
        )
    folder = tmp_path_factory.mktemp("n_best")
    (folder / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=LIST_SCHEMA), folder / "data/a.parquet")
    manifest = {
        "format_version": 2,
        **{"temperature": 0.5, "encoder_weight": 0.6, "prior_weight": -0.1},
        **{"abbreviated_factor": 0.4, "files": ["data/a.parquet"]},
    }
    (folder / "lists.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def listed(lists: Path, *overrides: str) -> tuple[str, ...]:
    return (
        f"finetuning.n_best.data={lists}",
        "finetuning.n_best.held_out=8",
        "finetuning.n_best.lists_per_batch=12",
        *overrides,
    )


def test_loss_is_that_of_the_sum_the_decoder_ranks_by(
    base: Path, tiny_dataset: Path, lists: Path, tmp_path: Path
) -> None:
    options = listed(lists, "finetuning.n_best.language_model_weight=0.8")
    method, data, model = prepared(base, tiny_dataset, tmp_path, *options)
    batch = first_batch(method, data, model)
    hidden = model.model.encode(batch)
    found = n_best_loss(model.model, hidden, batch)
    layer = model.model.pair_layer
    packer = method._list_packer(data, model)
    assert packer is not None
    stream = method.stream(data, model, rank=0, n_ranks=1)
    numbers = stream._numbers(0)  # type: ignore[attr-defined]
    expected, n_right, weight, n_places = 0.0, 0.0, 0.0, 0
    own_lines = len(batch["input_ids"]) - len(packer(numbers)["input_ids"])
    rows = hidden[own_lines:].reshape(-1, hidden.shape[-1])
    segments = batch["segments"][own_lines:].reshape(-1)
    inputs = batch["input_ids"][own_lines:].reshape(-1)
    for position, number in enumerate(numbers.tolist()):
        row = pq.read_table(lists / "data/a.parquet").to_pylist()[number]
        before = context_ids(data.vocab, row["context"])
        places = (segments == position).nonzero()[:, 0]
        assert inputs[places[: len(before)]].tolist() == before.tolist()
        places = places[len(before) :]
        sums = []
        for text, logprob in zip(row["candidates"], row["logprobs"], strict=True):
            ids = data.pairs.ids(np.array(row["low"]), np.array([ord(char) for char in text]))
            logits = (rows[places] * layer.weight[ids]).sum(1) + layer.bias[ids]
            prior = data.pairs.log_counts[ids].sum()
            sums.append(0.5 * (0.8 * logprob + 0.6 * float(logits.sum().detach()) - 0.1 * prior))
        shares = torch.log_softmax(torch.tensor(sums), dim=0)
        expected -= row["weight"] * float(shares[row["right"]])
        n_right += row["weight"] * (int(shares.argmax()) == row["right"])
        weight += row["weight"]
        n_places += len(places)
    assert float(found.loss.detach()) == pytest.approx(expected / weight, abs=1e-4)
    assert float(found.accuracy) == pytest.approx(n_right / weight)
    assert n_places == 3 * len(numbers)


def test_lists_are_learnt_beside_the_sentences(
    base: Path,
    tiny_dataset: Path,
    lists: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = listed(lists, "training.max_steps=30", "training.eval_steps=10")
    with caplog.at_level("WARNING"):
        tune(base, tiny_dataset, tmp_path / "run", *options, "training.metric=list_loss")
    assert "sees each of the 32 lists 22.50 times" in caplog.text  # 30 steps of two batches of 12
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.csv") if "list_loss" in row]
    assert [row["step"] for row in rows] == [10, 20, 30]
    assert all(0 <= row["list_accuracy"] <= 1 for row in rows)
    best = load_checkpoint(tmp_path / "run" / "best").model.state_dict()
    last = load_checkpoint(tmp_path / "run" / "final").model.state_dict()
    lowest = min(rows, key=lambda row: row["list_loss"])["step"]
    assert (lowest == 30) == all(torch.equal(best[name], last[name]) for name in last)
    # Lists that are held out cannot be learnt, as right ones are drawn by chance: those that train.
    _, data, model = method_data = prepared(base, tiny_dataset, tmp_path / "new", *options)
    packer = method_data[0]._list_packer(data, model)
    assert packer is not None
    assert not set(packer.held_out) & set(packer.trained)
    losses = []
    for folder in (base, tmp_path / "run" / "final"):
        tuned = load_checkpoint(folder).model
        arrays = {k: torch.from_numpy(v) for k, v in packer(packer.trained).items()}
        losses.append(float(n_best_loss(tuned, tuned.encode(arrays), arrays).loss.detach()))
    assert losses[1] < losses[0] - 0.2


def test_stopped_run_goes_on_with_the_same_lists(
    base: Path, tiny_dataset: Path, lists: Path, tmp_path: Path
) -> None:
    whole = tune(base, tiny_dataset, tmp_path / "whole", *listed(lists))

    def stop() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingStopped):
        tune(
            base,
            tiny_dataset,
            tmp_path / "halves",
            *listed(lists),
            on_progress=stop_at(2, stop),
        )
    halves = tune(base, tiny_dataset, tmp_path / "halves", *listed(lists), resumes=True)
    assert_same_weights(whole.path, halves.path)


def test_processes_take_turns(base: Path, tiny_dataset: Path, lists: Path, tmp_path: Path) -> None:
    method, data, model = prepared(
        base, tiny_dataset, tmp_path, *listed(lists, "finetuning.n_best.lists_per_batch=8")
    )
    streams = [method.stream(data, model, rank=rank, n_ranks=2) for rank in (0, 1)]
    drawn = [stream._numbers(index) for index in (0, 1) for stream in streams]  # type: ignore[attr-defined]
    assert len(set(np.concatenate(drawn).tolist())) == 32  # each list once in an epoch
    later = [stream._numbers(2) for stream in streams]  # type: ignore[attr-defined]
    assert later[0].tolist() != drawn[0].tolist()


def test_bad_settings_are_told(base: Path, tiny_dataset: Path, lists: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has 40 lists and .*held_out is 40: hold fewer out"):
        tune(base, tiny_dataset, tmp_path / "a", *listed(lists, "finetuning.n_best.held_out=40"))
    with pytest.raises(ConfigError, match=r"no lists.json"):
        tune(base, tiny_dataset, tmp_path / "b", *listed(tmp_path))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=r"weight is 0.0: expected above 0"):
        tune(base, tiny_dataset, tmp_path / "c", *listed(lists, "finetuning.n_best.weight=0.0"))


def test_models_that_choose_step_by_step_are_refused(
    tiny_dataset: Path, lists: Path, tmp_path: Path
) -> None:
    save_checkpoint(tiny_model("gru"), VOCAB, PAIRS, tmp_path / "gru")
    with pytest.raises(ConfigError, match=r"for models of one pass .*, not for a Recurrent"):
        tune(tmp_path / "gru", tiny_dataset, tmp_path / "run", *listed(lists))
