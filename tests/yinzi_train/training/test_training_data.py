from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.yinzi_train.training.training_samples import SENTENCES, tiny_config, write_tiny_dataset
from yinzi_train.dataset.balance_weights import balance_dataset
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.training.checkpoints import Checkpoints, finish_folder
from yinzi_train.training.data import prepare_data


def test_vocabularies_are_counted_on_the_train_split_alone(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    dataset = open_dataset(tiny_dataset)
    config = tiny_config("vocabulary.min_pair_count=2", "vocabulary.n_hanzi=3")
    prepared = prepare_data(dataset, config, tmp_path)
    hanzi = Counter(char for one in SENTENCES for char in one.text if "一" <= char <= "龥")
    assert set(prepared.pairs.texts()) <= {char for char, n in hanzi.items() if n >= 2}
    assert "龘" not in prepared.pairs.texts()
    assert prepared.vocab.hanzi == "".join(prepared.pairs.distinct_hanzi()[:3])
    assert len(prepared.vocab.hanzi) == 3


def test_weights_are_those_of_the_balance_command(tiny_dataset: Path, tmp_path: Path) -> None:
    dataset = open_dataset(tiny_dataset)
    config = tiny_config("balance.domain_factors={ chat = 3 }")
    prepared = prepare_data(dataset, config, tmp_path)
    expected = balance_dataset(dataset, options=config.balance).weighed.weights
    assert_array_equal(prepared.weights, expected)
    assert np.count_nonzero(prepared.weights) == len(SENTENCES)


def test_what_is_made_is_kept_until_it_is_made_from_something_else(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    dataset = open_dataset(tiny_dataset)
    seen: list[tuple[int, int]] = []

    def prepare(*overrides: str) -> int:
        seen.clear()
        config = tiny_config(*overrides)
        prepare_data(dataset, config, tmp_path, on_progress=lambda *at: seen.append(at))
        return seen[-1][1] // dataset.manifest.total.rows if seen else 0

    assert prepare("training.eval_steps=1") == 3
    assert seen[-1][0] == seen[-1][1]
    assert prepare("training.eval_steps=1") == 0
    assert prepare("training.eval_steps=1", "evaluation.validation_rows=1") == 1
    assert prepare("training.eval_steps=1", "evaluation.validation_rows=1") == 0
    assert prepare("balance.exponent=0") == 3  # the count, the weights, no validation rows
    (tmp_path / "weights.npy").write_bytes(b"damaged")
    assert prepare("balance.exponent=0") == 2


def test_validation_rows_are_spread_over_the_sources(tmp_path: Path) -> None:
    dataset = open_dataset(write_tiny_dataset(tmp_path / "dataset"))
    config = tiny_config("training.eval_steps=1", "evaluation.validation_rows=1")
    prepared = prepare_data(dataset, config, tmp_path / "run")
    assert len(prepared.validation) == 1
    config = tiny_config("training.eval_steps=1")
    prepared = prepare_data(dataset, config, tmp_path / "run")
    assert prepared.validation.column("hanzi").to_pylist() == ["他们去北京", "龘很高兴"]


def write_folder(path: Path, text: str = "a") -> Path:
    (path / "ema").mkdir(parents=True)
    (path / "model.bin").write_text(text)
    (path / "ema" / "model.bin").write_text(text)
    return path


def test_checkpoints_are_listed_when_whole(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.newest() is None
    for step in (9, 10, 30):
        finish_folder(write_folder(tmp_path / "part"), checkpoints.path(step))
    write_folder(checkpoints.path(40))
    (checkpoints.path(30) / "ema" / "model.bin").write_text("longer")
    (tmp_path / "checkpoint-x").mkdir()
    assert checkpoints.steps() == [9, 10]
    assert checkpoints.newest() == tmp_path / "checkpoint-10"
    damaged, unmarked = checkpoints.problems()
    assert "ema/model.bin is not there or not 1 bytes long" in damaged
    assert "checkpoint-40' has no readable complete.json" in unmarked
    checkpoints.rotate(1)
    assert checkpoints.steps() == [10]
    assert not (tmp_path / "checkpoint-9").exists()
    assert checkpoints.path(40).is_dir()


def test_finished_folder_replaces_one_of_its_name(tmp_path: Path) -> None:
    for text in ("a", "bc"):
        finish_folder(write_folder(tmp_path / "part", text), tmp_path / "best")
    assert (tmp_path / "best" / "model.bin").read_text() == "bc"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best"]


@pytest.mark.parametrize("n_steps", [1, 100])
def test_average_forgets_as_it_should(n_steps: int) -> None:
    import torch

    from yinzi_train.training.weight_average import WeightAverage

    model = torch.nn.Linear(2, 1)
    average = WeightAverage(model, 0.9)
    expected = model.weight.detach().clone()
    for step in range(1, n_steps + 1):
        with torch.no_grad():
            model.weight += 1.0
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.weight.detach()
        average.update(step)
    last = model.weight.detach().clone()
    with average.swapped():
        torch.testing.assert_close(model.weight.detach(), expected)
    assert torch.equal(model.weight.detach(), last)
