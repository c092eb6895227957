from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
import torch

from tests.yinzi_train.model.backbone_samples import backbone
from tests.yinzi_train.training.training_samples import (
    SENTENCES,
    UNSEEN,
    assert_same_weights,
    stop_at,
    tiny_config,
    weights_of,
    write_rows,
)
from yinzi.errors import ConfigError
from yinzi.evaluation import read_rows
from yinzi_train.model.constrained_search import convert
from yinzi_train.model.families import Checkpoint, load_checkpoint
from yinzi_train.training.errors import TrainingStopped
from yinzi_train.training.evaluation import development_evaluation, row_input
from yinzi_train.training.train import train

HANZI = "".join(sorted({char for one in (*SENTENCES, *UNSEEN) for char in one.text if char > "一"}))
BACKBONES = [
    ("bert", "bert", ""),
    pytest.param("bert", "electra", "", marks=pytest.mark.slow),
    ("gpt", "gpt2", "aligned"),
    ("gpt", "qwen2", "aligned"),
    ("gpt", "llama", "prompt"),
    ("t5", "t5", ""),
]
QUICK = ("training.max_steps=2", "training.warmup_steps=0", "training.decay_steps=0")


def texts(loaded: Checkpoint, rows: Path) -> list[list[tuple[str, float]]]:
    inputs = [row_input(row, loaded.vocab) for row in read_rows(rows)]
    found = convert(loaded.model, inputs, pairs=loaded.pairs, vocab=loaded.vocab)
    return [[(one.text, one.logprob) for one in best] for best in found]


@pytest.mark.parametrize(("family", "kind", "conditioning"), BACKBONES)
def test_backbones_are_trained_kept_and_read_back(
    family: str, kind: str, conditioning: str, tiny_dataset: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "backbone"
    shutil.copytree(backbone(kind, HANZI), folder)
    model = [f"model.backbone={str(folder)!r}"]
    if conditioning:
        model.append(f"model.conditioning={conditioning!r}")
    config = tiny_config(*model, *QUICK, "training.ema_decay=0.9", family=family)
    result = train(config, data=tiny_dataset, out=tmp_path / "run")
    shutil.rmtree(folder)
    rows = write_rows(tmp_path / "rows.tsv")
    found = texts(load_checkpoint(result.path), rows)
    assert all(best for best in found)
    assert (result.path / "tokenizer" / "tokenizer.json").is_file()
    assert texts(load_checkpoint(tmp_path / "run" / "checkpoint-2"), rows) == found
    final, averaged = weights_of(result.path), weights_of(result.path / "ema")
    changed = [name for name in averaged if not torch.equal(averaged[name], final[name])]
    assert any("backbone." in name for name in changed)


@pytest.mark.slow
def test_a_run_on_a_backbone_goes_on_where_it_stopped(tiny_dataset: Path, tmp_path: Path) -> None:
    given = f"model.backbone={str(backbone('bert', HANZI))!r}"
    config = tiny_config(given, family="bert")
    train(config, data=tiny_dataset, out=tmp_path / "whole")
    interrupt = stop_at(4, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(TrainingStopped):
        train(config, data=tiny_dataset, out=tmp_path / "part", on_progress=interrupt)
    train(config, data=tiny_dataset, out=tmp_path / "part", resumes=True)
    assert_same_weights(tmp_path / "whole" / "final", tmp_path / "part" / "final")


def test_a_trained_backbone_learns_its_sentences(tiny_dataset: Path, tmp_path: Path) -> None:
    config = tiny_config(
        f"model.backbone={str(backbone('bert', HANZI))!r}",
        *("training.max_steps=60", "training.warmup_steps=2", "training.learning_rate=5e-3"),
        *(
            "training.save_steps=0",
            "training.eval_steps=60",
            "augmentation.abbreviations.tail_rate=0",
        ),
        *("augmentation.abbreviations.initials_rate=0", "augmentation.abbreviations.mixed_rate=0"),
        family="bert",
    )
    rows = write_rows(tmp_path / "rows.tsv")
    measure = development_evaluation([rows], config.evaluation)
    result = train(config, data=tiny_dataset, out=tmp_path / "run", make_evaluation=measure)
    loaded = load_checkpoint(result.path)
    figures = measure(loaded.vocab, loaded.pairs)(loaded.model)
    assert figures["miu_accuracy@1"] > 0.9


def test_backbones_are_checked_before_anything_is_written(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    config = tiny_config(f"model.backbone={str(backbone('gpt2', HANZI))!r}", family="bert")
    with pytest.raises(ConfigError, match=r'set model\.family = "gpt"'):
        train(config, data=tiny_dataset, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
