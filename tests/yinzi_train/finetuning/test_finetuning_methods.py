from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from tests.yinzi_train.finetuning.finetuning_samples import changed, tune, tuning_config
from tests.yinzi_train.training.training_samples import assert_same_weights, stop_at
from yinzi.errors import ConfigError
from yinzi_train.finetuning import Finetuning, open_start
from yinzi_train.finetuning.layers import layer_names, plan_parameters
from yinzi_train.model.families import FAMILIES, load_checkpoint
from yinzi_train.training.finetuning_options import FinetuningOptions

QUICK = ("training.max_steps=2", "training.warmup_steps=0", "training.decay_steps=0")


def blocks(names: set[str]) -> set[str]:
    """Return the blocks that weights are in."""
    return {".".join(name.split(".")[: 2 if name.startswith("layers") else 1]) for name in names}


def test_full_changes_everything(base: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    result = tune(base, tiny_dataset, tmp_path / "run")
    everything = {"embedding", "ngrams", "position_bias", "layers.0", "layers.1", "norm"}
    assert blocks(changed(base, result.path)) == {*everything, "pair_layer"}
    report = json.loads((tmp_path / "run" / "parameters.json").read_text())
    assert report["trained"] == report["parameters"]
    assert report["share"] == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("n_layers=1", {"layers.1", "norm", "pair_layer"}),
        ("n_layers=2", {"layers.0", "layers.1", "norm", "pair_layer"}),
        ("pair_layer='freeze'", {"layers.1", "norm"}),
        ("ngrams='train'", {"layers.1", "norm", "pair_layer", "ngrams"}),
        ("embeddings='train'", {"layers.1", "norm", "pair_layer", "embedding", "position_bias"}),
    ],
)
def test_last_layers_change_with_the_output_alone(
    base: Path, tiny_dataset: Path, tmp_path: Path, options: str, expected: set[str]
) -> None:
    overrides = (f"finetuning.{options}", "finetuning.method=last_layers", *QUICK)
    result = tune(base, tiny_dataset, tmp_path / "run", *overrides)
    assert blocks(changed(base, result.path)) == expected


def test_gradual_thaws_a_block_more_every_stage(
    base: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    overrides = ("finetuning.method=gradual", "finetuning.stage_steps=2", "training.save_steps=1")
    overrides += ("training.keep_checkpoints=9", "training.max_steps=8")
    tune(base, tiny_dataset, tmp_path / "run", *overrides)
    found = [blocks(changed(base, tmp_path / "run" / f"checkpoint-{step}")) for step in (2, 4, 6)]
    assert found == [
        {"norm", "pair_layer"},
        {"norm", "pair_layer", "layers.1"},
        {"norm", "pair_layer", "layers.1", "layers.0"},
    ]
    last = blocks(changed(base, tmp_path / "run" / "checkpoint-8"))
    assert {"ngrams", "embedding", "position_bias"} <= last


def test_layer_decay_lowers_the_rate_downwards(base: Path) -> None:
    config = tuning_config("finetuning.layer_decay=0.5")
    assert config.finetuning is not None
    model = load_checkpoint(base).model
    plan = plan_parameters(model, config.finetuning)
    factors = {one.block: one.factor for one in plan}
    assert factors == {"output": 1, "layers.1": 0.5, "layers.0": 0.25, "inputs": 0.125}
    assert {one.name for one in plan} == {name for name, _ in model.named_parameters()}


def test_layer_decay_reaches_the_optimizer(base: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    config = tuning_config("finetuning.layer_decay=0.5", "training.ngram_learning_rate=3")
    assert config.finetuning is not None
    start = open_start(base, config)
    method = Finetuning(start, config.finetuning)
    from yinzi_train.dataset.reader import open_dataset

    model = method.make_model(method.prepare(open_dataset(tiny_dataset), start.config, tmp_path))
    groups = method.parameter_groups(model, config.training)
    rates = {
        name: group["lr"] / config.training.learning_rate
        for name, parameter in model.named_parameters()
        for group in groups
        if any(parameter is one for one in group["params"])
    }
    assert rates["model.pair_layer.weight"] == 1
    assert rates["model.layers.1.query_key_value.weight"] == 0.5
    assert rates["model.layers.0.query_key_value.weight"] == 0.25
    assert rates["model.ngrams.table.weight"] == pytest.approx(3 * 0.125)
    assert groups[0]["lr"] == config.training.learning_rate, "what is logged is the highest"


@pytest.mark.parametrize("kind", ["lora", "rslora", "dora", "ia3"])
def test_adapter_is_merged_into_a_plain_model(
    base: Path, tiny_dataset: Path, tmp_path: Path, kind: str
) -> None:
    overrides = (f"finetuning.adapter.kind={kind}", "finetuning.method=adapter", *QUICK)
    result = tune(base, tiny_dataset, tmp_path / "run", *overrides)
    names = changed(base, result.path)
    assert blocks(names) == {"layers.0", "layers.1", "pair_layer"}
    assert all(name.endswith("weight") for name in names - {"pair_layer.bias"} if kind != "ia3")
    assert "pair_layer.weight" not in names
    assert {path.name for path in result.path.iterdir()} == {
        *("config.json", "model.safetensors", "complete.json"),
        *("input_vocabulary.json", "pair_vocabulary.json"),
    }
    report = json.loads((tmp_path / "run" / "parameters.json").read_text())
    assert 0 < report["trained"] < 0.5 * report["parameters"]


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_adapter_alone_gives_the_merged_model_again(
    base: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    overrides = ("finetuning.method=adapter", "finetuning.pair_layer=freeze", *QUICK)
    result = tune(base, tiny_dataset, tmp_path / "run", *overrides)
    model = load_checkpoint(base).model
    again = PeftModel.from_pretrained(model, str(tmp_path / "run" / "adapter")).merge_and_unload()
    expected = load_file(result.path / "model.safetensors")
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_adapter_goes_into_the_modules_that_match(
    base: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    overrides = ("finetuning.method=adapter", "finetuning.pair_layer=freeze", *QUICK)
    pattern = r"finetuning.adapter.modules='layers\.1\.feed_forward_.*'"
    result = tune(base, tiny_dataset, tmp_path / "run", *overrides, pattern)
    assert changed(base, result.path) == {
        "layers.1.feed_forward_input.weight",
        "layers.1.feed_forward_output.weight",
    }


@pytest.mark.parametrize(
    "overrides",
    [
        ("finetuning.method=adapter", "training.ema_decay=0.5", "finetuning.adapter.dropout=0.1"),
        ("finetuning.method=gradual", "finetuning.stage_steps=1"),
        ("finetuning.tasks.tones=0.5", "finetuning.tasks.masked_hanzi=0.5", "replay"),
    ],
    ids=["adapter", "gradual", "tasks and replay"],
)
def test_run_stopped_and_resumed_ends_with_the_same_bits(
    base: Path, tiny_dataset: Path, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    overrides = tuple(
        f"finetuning.replay.data={tiny_dataset}" if one == "replay" else one for one in overrides
    )

    def crash() -> None:
        raise InterruptedError

    whole = tune(base, tiny_dataset, tmp_path / "whole", *overrides, "training.eval_steps=2")
    with pytest.raises(InterruptedError):
        tune(
            *(base, tiny_dataset, tmp_path / "cut", *overrides, "training.eval_steps=2"),
            on_progress=stop_at(5, crash),
        )
    cut = tune(
        *(base, tiny_dataset, tmp_path / "cut", *overrides, "training.eval_steps=2"), resumes=True
    )
    assert (whole.n_targets, whole.best, whole.best_step) == (
        cut.n_targets,
        cut.best,
        cut.best_step,
    )
    for name in ("final", "best", "checkpoint-6"):
        assert_same_weights(tmp_path / "whole" / name, tmp_path / "cut" / name)


@pytest.mark.parametrize(
    "family", [name for name, one in FAMILIES.items() if not hasattr(one.config_class, "backbone")]
)
def test_blocks_of_each_family_begin_with_the_output_and_end_with_the_inputs(family: str) -> None:
    found = FAMILIES[family]
    config = found.config_class(
        n_inputs=9, n_hanzi=5, n_pairs=4, ngram_orders=[2], ngram_rows=11, **found.fixed
    )
    model = found.model_class(config)
    layers = layer_names(model)
    assert layers[0] == ("layers.2" if family == "encoder" else f"decoder.{len(model.decoder) - 1}")
    plan = plan_parameters(model, FinetuningOptions(method="last_layers", n_layers=len(layers)))
    rest = {name for name, _ in model.named_parameters()} - {one.name for one in plan}
    assert rest, "inputs stay frozen"
    assert all("embedding" in name or "ngrams" in name or "bias" in name for name in rest)
    assert not any(name.startswith(tuple(layers)) for name in rest)


def test_more_layers_than_the_model_has_are_refused(base: Path, tmp_path: Path) -> None:
    overrides = ("finetuning.method=last_layers", "finetuning.n_layers=3")
    with pytest.raises(ConfigError, match=r"n_layers is 3, the model has 2 layers.*at most 2"):
        tune(base, tmp_path, tmp_path / "run", *overrides)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("attention", r"matches no linear module.*layers\.0\..*whole name must match"),
        ("'('", r"no regular expression"),
    ],
)
def test_pattern_that_matches_nothing_is_refused(
    base: Path, tmp_path: Path, pattern: str, message: str
) -> None:
    overrides = ("finetuning.method=adapter", f"finetuning.adapter.modules={pattern}")
    with pytest.raises(ConfigError, match=message):
        tune(base, tmp_path, tmp_path / "run", *overrides)
    assert not (tmp_path / "run").exists()
