"""A tiny dataset, tiny models, and ways to run and compare them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from tests.yinzi_train.dataset.dataset_samples import MIT, Sentence, write_dataset
from yinzi.text import miu_spans
from yinzi_train.training.config import TrainingConfig, read_training_config
from yinzi_train.training.run_callback import TrainingProgress
from yinzi_train.training.train import TrainingResult, train

ROOT = Path(__file__).resolve().parents[3]

SENTENCES = (
    Sentence("我要买票，3张。", "wo3 yao4 mai3 piao4 zhang1"),
    Sentence("他们都很高兴。", "ta1 men5 dou1 hen3 gao1 xing4"),
    Sentence("银行行长 发言", "yin2 hang2 hang2 zhang3 fa1 yan2"),
    Sentence("行人在银行门前行走", "xing2 ren2 zai4 yin2 hang2 men2 qian2 xing2 zou3"),
    Sentence("首都在北京吗？", "shou3 du1 zai4 bei3 jing1 ma5"),
    Sentence("明天去学校", "ming2 tian1 qu4 xue2 xiao4"),
    Sentence("请给我一杯水", "qing3 gei3 wo3 yi4 bei1 shui3"),
    Sentence("天气很好", "tian1 qi4 hen3 hao3"),
)
UNSEEN = (
    Sentence("他们去北京", "ta1 men5 qu4 bei3 jing1", split="validation"),
    Sentence("龘很高兴", "da2 hen3 gao1 xing4", split="validation"),
    Sentence("学校很好", "xue2 xiao4 hen3 hao3", split="test"),
)

DATA = (
    "vocabulary.min_pair_count=1",
    "balance.domain_factors={}",
    "training.rows_per_batch=4",
    "training.gradient_accumulation=2",
    "training.precision=fp32",
    "training.save_minutes=0",
    "training.ema_decay=0",
)
ENCODER = (
    "model.hidden_size=24",
    "model.n_layers=1",
    "model.n_heads=2",
    "model.feed_forward_size=32",
    "model.hanzi_size=8",
    "model.ngram_rows=64",
    "model.ngram_size=4",
)
SHORT = (
    "training.max_steps=6",
    "training.warmup_steps=2",
    "training.decay_steps=2",
    "training.save_steps=3",
    "training.log_steps=1",
)


def write_tiny_dataset(folder: Path, **changes: Any) -> Path:
    """Write the dataset, two sources of it."""
    sources = {
        ("chat__talk", "chat", MIT): (*SENTENCES[:4], *UNSEEN[:2]),
        ("news__made-up", "news", MIT): (*SENTENCES[4:], *UNSEEN[2:]),
    }
    write_dataset(folder, **{"sources": sources, **changes})
    return folder


def write_rows(path: Path) -> Path:
    """Write the runs of all training sentences as a development set."""
    lines = []
    for number, sentence in enumerate(SENTENCES):
        units = [unit.rstrip("12345") for unit in sentence.pinyin.split()]
        done = 0
        for start, end in miu_spans(sentence.text):
            pinyin = " ".join(units[done : done + end - start])
            done += end - start
            lines.append(f"s{number}.{start}\t{sentence.text[start:end]}\t{pinyin}\t")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def tiny_config(*overrides: str, family: str = "encoder") -> TrainingConfig:
    """Return the published config of a family with a tiny encoder, six steps, and overrides."""
    sizes = ENCODER if family == "encoder" else ()
    path = ROOT / "configs" / f"{family}.toml"
    return read_training_config(path, overrides=[*DATA, *sizes, *SHORT, *overrides])


def run(
    data: Path,
    out: Path,
    *overrides: str,
    resumes: bool = False,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
    **others: Any,
) -> TrainingResult:
    """Train the tiny encoder."""
    config = tiny_config(*overrides)
    return train(config, data=data, out=out, resumes=resumes, on_progress=on_progress, **others)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    """Return all weights that a folder of a model has, averaged ones too."""
    return {
        f"{path.relative_to(folder)}:{name}": weight
        for path in sorted(folder.rglob("*.safetensors"))
        for name, weight in load_file(path).items()
    }


def assert_same_weights(first: Path, second: Path) -> None:
    """Assert that two models are the same, bit by bit."""
    one, other = weights_of(first), weights_of(second)
    assert one
    assert one.keys() == other.keys()
    unequal = [name for name in one if not torch.equal(one[name], other[name])]
    assert unequal == []


def stop_at(step: int, action: Callable[[], None]) -> Callable[[TrainingProgress], None]:
    """Return what does something once, after a step."""
    steps: Sequence[int] = (step,)

    def on_progress(progress: TrainingProgress) -> None:
        if progress.step in steps:
            action()

    return on_progress
