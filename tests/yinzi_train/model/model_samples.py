"""A tiny vocabulary with homophones, polyphones and prefixes, and random inputs of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.yinzi_train.model.backbone_samples import BACKBONE_OF, backbone
from yinzi.pinyin import prefix_range, syllable_id
from yinzi.scoring import InputVocabulary, ScorerInput
from yinzi_train.dataset.collator import IGNORED
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.model import ConversionModel
from yinzi_train.model.families import build_model
from yinzi_train.training.packing import pack_inputs

READINGS = {
    "chang": "长常",
    "hao": "好号",
    "ma": "吗妈马",
    "ni": "你",
    "zhang": "张长",
    "zhao": "找着",
    "zhe": "着这",
}
PAIRS = PairVocabulary(
    np.array([syllable_id(s) for s, text in READINGS.items() for _ in text], dtype=np.int16),
    np.array([ord(char) for text in READINGS.values() for char in text], dtype=np.uint32),
    np.array([9 - i for text in READINGS.values() for i in range(len(text))], dtype=np.int64),
)
VOCAB = InputVocabulary("你好吗妈马长")

SIZES: dict[str, dict[str, Any]] = {
    "encoder": {
        "hidden_size": 32,
        "n_heads": 2,
        "n_layers": 1,
        "feed_forward_size": 48,
        "ngram_rows": 512,
        "ngram_size": 8,
    },
    "transformer": {
        "hidden_size": 32,
        "n_heads": 2,
        "n_layers": 1,
        "n_decoder_layers": 2,
        "feed_forward_size": 48,
        "pair_size": 12,
        "max_distance": 6,
    },
    "lstm": {"hidden_size": 32, "attention_size": 12, "pair_size": 12, "n_decoder_layers": 2},
    "gru": {"hidden_size": 32, "attention_size": 12, "pair_size": 12, "attention": "dot"},
}
OWN = list(SIZES)
ON_BACKBONES = list(BACKBONE_OF)
EVERY = [*OWN, *ON_BACKBONES]
STEPWISE = ["transformer", "lstm", "gru", "gpt", "gpt-prompt", "t5"]


def settings_of(name: str, *, kind: str = "") -> tuple[str, dict[str, Any]]:
    """Return family and settings of a tiny model; kind: architecture of its backbone."""
    family, _, conditioning = name.partition("-")
    if family in SIZES:
        return family, SIZES[family]
    folder = backbone(kind or BACKBONE_OF[name], "".join(sorted(set(PAIRS.texts()))))
    settings = {"backbone": str(folder)}
    return family, {**settings, "conditioning": conditioning} if conditioning else settings


def tiny_model(
    name: str, *, seed: int = 0, spread: float = 1.0, kind: str = "", **changes: Any
) -> ConversionModel:
    """Make a model whose parameters are far from zero, so that everything has an influence."""
    torch.manual_seed(seed)
    family, settings = settings_of(name, kind=kind)
    model = build_model(family, {**settings, **changes}, VOCAB, PAIRS)
    with torch.no_grad():
        model.pair_layer.weight.normal_(std=spread)
        model.pair_layer.bias.zero_()
        for label, parameter in model.named_parameters():
            far = ["bias.weight", "position_bias", "start", "answer"]
            if family not in SIZES:
                far.append("tones.weight")
            if any(end in label for end in far):
                parameter.normal_(std=0.5)
            elif label.endswith(("aligned.weight", "typed.weight")):
                parameter.normal_(std=0.2)
    return model.eval()


def given(typed: str, context: str = "", tones: Sequence[int] | None = None) -> ScorerInput:
    """Make an input of letters with blanks; `A` is a word."""
    ids = [VOCAB.word_id if unit == "A" else VOCAB.find(unit) for unit in typed.split()]
    assert -1 not in ids
    return ScorerInput(
        np.array(ids, dtype=np.int64),
        np.array(tones or [0] * len(ids), dtype=np.int64),
        np.array([VOCAB.hanzi_id(char) for char in context], dtype=np.int64),
    )


@dataclass(frozen=True)
class Sample:
    """An input with the pair of each of its places, -100 where none is learnt."""

    given: ScorerInput
    targets: list[int]


def random_samples(n: int, *, seed: int = 0, longest: int = 12) -> list[Sample]:
    """Draw inputs with contexts, prefixes, tones and literals."""
    rng = np.random.default_rng(seed)
    letters = [*READINGS, "zh", "ch", "n", "A"]
    samples = []
    for _ in range(n):
        typed = [str(unit) for unit in rng.choice(letters, int(rng.integers(1, longest + 1)))]
        context = "".join(rng.choice(list(VOCAB.hanzi), int(rng.integers(0, 4))))
        found = given(" ".join(typed), context, rng.integers(0, 6, len(typed)).tolist())
        targets = []
        for unit in typed:
            low, high = (0, 0) if unit == "A" else prefix_range(unit)
            if unit in READINGS:
                low, high = syllable_id(unit), syllable_id(unit) + 1
            start, end = int(PAIRS.starts[low]), int(PAIRS.starts[high])
            is_learnt = start < end and rng.random() < 0.9
            targets.append(int(rng.integers(start, end)) if is_learnt else IGNORED)
        samples.append(Sample(found, [*[IGNORED] * len(found.context), *targets]))
    return samples


def packed(samples: Sequence[Sample], model: ConversionModel, *, length: int) -> dict[str, Tensor]:
    """Pack samples as training does."""
    width = max(len(sample.targets) for sample in samples)
    shape = len(samples), width
    arrays = {
        "input_ids": np.full(shape, VOCAB.pad_id),
        "input_tones": np.zeros(shape, dtype=np.int64),
        "targets": np.full(shape, IGNORED),
        "segments": np.full(shape, -1),
    }
    for line, sample in enumerate(samples):
        ids = [*sample.given.context, *sample.given.input_ids]
        arrays["input_ids"][line, : len(ids)] = ids
        arrays["input_tones"][line, len(sample.given.context) : len(ids)] = sample.given.tones
        arrays["targets"][line, : len(ids)] = sample.targets
        arrays["segments"][line, : len(ids)] = 0
    arrays["weights"] = (arrays["targets"] >= 0).astype(np.float32)
    ranges = VOCAB.ranges[arrays["input_ids"]].astype(np.int64)
    arrays["syllable_lo"], arrays["syllable_hi"] = ranges[..., 0], ranges[..., 1]
    return batch_of(
        pack_inputs(
            arrays,
            VOCAB,
            PAIRS,
            length=length,
            multiple=2,
            ngram_orders=tuple(model.config.ngram_orders),
            ngram_rows=model.config.ngram_rows,
        )
    )


def batch_of(arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
