from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from tests.yinzi_train.model.model_samples import PAIRS, VOCAB
from tests.yinzi_train.training.training_samples import run, tiny_config
from yinzi.errors import ConfigError
from yinzi_train.model.families import build_model
from yinzi_train.training.errors import TrainingError
from yinzi_train.training.meeting import check_device, check_shared
from yinzi_train.training.sharding import WholeModel, layer_classes, make_ready
from yinzi_train.training.signals import Signals, request_stop
from yinzi_train.training.weight_average import WeightAverage


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """Give this process a group of its own."""
    dist.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1
    )
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group")
@pytest.mark.filterwarnings("ignore")
def test_whole_model_and_average_come_from_the_parts() -> None:
    from torch.distributed.fsdp import fully_shard

    config = tiny_config()
    model = build_model("encoder", config.sizes, VOCAB, PAIRS)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    average = WeightAverage(model, 0.5)
    whole = WholeModel(model, is_sharded=True, is_first=True)
    make_ready(model)
    fully_shard(model)
    average.shard(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    average.update(10_000)
    with whole.gathered(model, average):
        with whole.opened(model, None) as found:
            assert found is not model
            for name, weight in found.named_parameters():
                torch.testing.assert_close(weight, before[name] + 1.0)
        with whole.opened(model, average) as found:
            for name, weight in found.named_parameters():
                torch.testing.assert_close(weight, before[name] + 0.5)
    with pytest.raises(KeyError), whole.opened(model, None):
        pass


def test_model_on_a_gpu_is_copied_and_the_other_processes_have_nothing_to_do() -> None:
    config = tiny_config()
    model = build_model("encoder", config.sizes, VOCAB, PAIRS)
    average = WeightAverage(model, 0.5)
    with torch.no_grad():
        model.pair_layer.bias.fill_(7.0)
    first = WholeModel(model, is_sharded=False, is_first=True, device="cuda")
    with first.gathered(model, average):
        with first.opened(model, None) as found:
            assert found is not model
            assert bool((found.pair_layer.bias == 7.0).all())
        with first.opened(model, average) as found:
            assert not bool((found.pair_layer.bias == 7.0).any())
    other = WholeModel(model, is_sharded=False, is_first=False, device="cuda")
    with other.gathered(model, None), other.opened(model, None) as found:
        assert found is model


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("encoder", ["EncoderLayer"]),
        ("transformer", []),
    ],
)
def test_layers_are_found_by_their_lists(family: str, expected: list[str]) -> None:
    model = build_model(family, {"hidden_size": 16, "n_heads": 2}, VOCAB, PAIRS)
    assert sorted(layer_classes(model)) == expected
    mixed = nn.ModuleList([nn.Linear(1, 1), nn.LayerNorm(1)])
    assert layer_classes(nn.Sequential(mixed, nn.ModuleList([nn.ReLU()]))) == []


def test_sharing_out_with_nobody_is_told(tiny_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'fsdp' with one process: start several"):
        run(tiny_dataset, tmp_path / "run", "training.parallel='fsdp'")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match=r"parallel is 'tensor': expected one of ddp, fsdp"):
        tiny_config("training.parallel='tensor'")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_gpu_is_told(tiny_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--gpus needs a GPU a process, .* sees 0 on"):
        run(tiny_dataset, tmp_path / "run", device="cuda")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="device is 'tpu'"):
        check_device("tpu")


@pytest.mark.usefixtures("group")
def test_folder_that_another_machine_does_not_see_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.json").write_text("{}")
    check_shared(tmp_path, "run.json")

    def all_gather_object(places: list[object], here: tuple[str, str]) -> None:
        places[:] = [here, ("other", "")]

    monkeypatch.setattr(dist, "all_gather_object", all_gather_object)
    with pytest.raises(TrainingError, match=r"'other' does not see the run.json"):
        check_shared(tmp_path, "run.json")


def test_stop_is_heard_where_no_signal_comes() -> None:
    heard: list[int | None] = []

    def work() -> None:
        with Signals() as signals:
            request_stop(signal.SIGTERM)
            heard.append(signals.received)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [signal.SIGTERM]
    request_stop(signal.SIGINT)  # nobody listens
    with Signals() as signals:
        assert signals.received is None
