from __future__ import annotations

from itertools import count, islice
from pathlib import Path

import torch

from tests.yinzi_train.training.training_samples import tiny_config
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.model.encoder import ConversionEncoder
from yinzi_train.model.families import build_model
from yinzi_train.training.data import prepare_data
from yinzi_train.training.throughput import (
    count_step,
    layer_speed,
    matmul_peak,
    train_steps,
)


def test_peak_counts_the_fastest_product() -> None:
    seconds = count()
    found = matmul_peak((8, 4, 2), seconds=5.0, clock=lambda: float(next(seconds)))
    assert found == 2 * 8 * 4 * 2  # each product lasts a tick of this clock


def test_operations_of_a_step_are_those_of_its_matrix_products(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    config = tiny_config("model.ngram_orders=[]", "model.n_layers=2")
    prepared = prepare_data(open_dataset(tiny_dataset), config, tmp_path)
    model = build_model(config.family, config.sizes, prepared.vocab, prepared.pairs)
    batch = next(iter(prepared.stream(prepared.packer(model), rank=0, n_ranks=1)))
    cost = count_step(model, batch)
    assert cost.n_targets == int((batch["targets"] >= 0).sum())
    assert cost.n_places == batch["segments"].numel()
    size, inner, length = 24, 32, 64
    products = 2 * (size * 3 * size + size * size + 2 * size * inner) + 4 * size * length
    layers = 3 * 2 * cost.n_places * products  # two layers, three products for one of the forward
    rest = cost.flops - layers  # hanzi of the context, and the slices of the output layer
    assert 0 < rest < 0.3 * layers
    assert all(parameter.grad is None for parameter in model.parameters())


def test_passes_are_timed(tiny_dataset: Path, tmp_path: Path) -> None:
    config = tiny_config()
    prepared = prepare_data(open_dataset(tiny_dataset), config, tmp_path)
    model = build_model(config.family, config.sizes, prepared.vocab, prepared.pairs)
    batches = list(islice(iter(prepared.stream(prepared.packer(model), rank=0, n_ranks=1)), 2))
    seconds = count()
    assert train_steps(model, batches, clock=lambda: float(next(seconds))) == 1


def test_layers_are_timed_alone(tiny_dataset: Path, tmp_path: Path) -> None:
    config = tiny_config("model.n_layers=2")
    prepared = prepare_data(open_dataset(tiny_dataset), config, tmp_path)
    model = build_model(config.family, config.sizes, prepared.vocab, prepared.pairs)
    assert isinstance(model, ConversionEncoder)
    batch = next(iter(prepared.stream(prepared.packer(model), rank=0, n_ranks=1)))
    seconds = count()
    found = layer_speed(model, batch["segments"], clock=lambda: float(next(seconds)))
    size, inner, length = 24, 32, 64
    products = 2 * (size * 3 * size + size * size + 2 * size * inner) + 4 * size * length
    assert found == 3 * 2 * batch["segments"].numel() * products  # a step lasts a tick
    assert all(parameter.grad is None for parameter in model.parameters())
