"""A small encoder with made-up weights that are as large as trained ones, and rows for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tests.yinzi_train.dataset.dataset_samples import MIT, Sentence, write_dataset
from yinzi.pinyin import SYLLABLES
from yinzi.scoring import InputVocabulary, ScorerInput
from yinzi_train.compression import ParityLimits
from yinzi_train.compression.check_rows import CheckRows
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.model import ConversionEncoder
from yinzi_train.model.families import build_model
from yinzi_train.training.packing import pack_inputs

HANZI = "我要买票他们都很高兴银行行长发言"
VOCAB = InputVocabulary("".join(dict.fromkeys(HANZI)))
SENTENCES = (
    Sentence("我要买票。", "wo3 yao4 mai3 piao4"),
    Sentence("他们都很高兴。", "ta1 men5 dou1 hen3 gao1 xing4", split="validation"),
    Sentence("银行行长发言", "yin2 hang2 hang2 zhang3 fa1 yan2", split="validation"),
    Sentence("我们都很高兴", "wo3 men5 dou1 hen3 gao1 xing4", split="validation"),
    Sentence("银行发票", "yin2 hang2 fa1 piao4", split="validation"),
)
LOOSE = ParityLimits(min_agreement=0.5, max_drop=0.5)
"""For models that were never trained: they choose between hanzi that are almost alike."""


def dense_pairs(n_each: int = 3) -> PairVocabulary:
    """Return pairs for all syllables; hanzi are made up."""
    syllables = np.repeat(np.arange(len(SYLLABLES), dtype=np.int16), n_each)
    codes = np.uint32(0x4E00) + np.arange(len(syllables), dtype=np.uint32)
    return PairVocabulary(syllables, codes, np.ones(len(syllables), dtype=np.int64))


PAIRS = dense_pairs()


def small_encoder(*, pairs: PairVocabulary = PAIRS, **settings: Any) -> ConversionEncoder:
    table = {
        "hidden_size": 32,
        "n_layers": 2,
        "n_heads": 2,
        "feed_forward_size": 64,
        "hanzi_size": 8,
        "ngram_rows": 97,
        "ngram_size": 4,
        "max_distance": 6,
        **settings,
    }
    torch.manual_seed(3)
    model = build_model("encoder", table, VOCAB, pairs)
    assert isinstance(model, ConversionEncoder)
    with torch.no_grad():
        model.position_bias.normal_()
        model.pair_layer.weight.normal_(std=0.3)
        model.pair_layer.bias.normal_(std=0.3)
    return model.eval()


def random_inputs(rng: np.random.Generator, sizes: Sequence[tuple[int, int]]) -> list[ScorerInput]:
    """Return inputs of some places with some context, literals and tones among them."""
    return [
        ScorerInput(
            rng.integers(0, VOCAB.unknown_id, n_places),
            rng.integers(0, 6, n_places),
            rng.integers(VOCAB.break_id, len(VOCAB), n_context),
        )
        for n_context, n_places in sizes
    ]


def check_rows(model: ConversionEncoder) -> CheckRows:
    rows = random_rows(model)
    return CheckRows(rows, rows)


def random_rows(model: ConversionEncoder, *, n_lines: int = 24) -> dict[str, NDArray[Any]]:
    """Return packed lines with random inputs; the targets are what the model itself gives.

    So the accuracy of float32 is 1 at these places, and that of int8 says what rounding costs.
    """
    rng = np.random.default_rng(0)
    shape = (n_lines, 16)
    ids = rng.integers(0, len(SYLLABLES), shape)
    arrays = {
        "input_ids": ids,
        "input_tones": rng.integers(0, 6, shape),
        "segments": np.where(np.arange(16) < rng.integers(3, 17, (n_lines, 1)), 0, -1),
        "targets": np.zeros(shape, dtype=np.int64),
        "weights": np.ones(shape, dtype=np.float32),
        "syllable_lo": ids,
        "syllable_hi": ids + 1,
    }
    arrays["targets"] = PAIRS.starts[ids].astype(np.int64)
    packed = pack_inputs(
        arrays,
        VOCAB,
        PAIRS,
        length=16,
        ngram_orders=tuple(model.config.ngram_orders),
        ngram_rows=model.config.ngram_rows,
    )
    with torch.no_grad():
        hidden = model.encode({name: torch.from_numpy(array) for name, array in packed.items()})
        logits = hidden @ model.pair_layer.weight.T + model.pair_layer.bias
        columns = torch.arange(len(PAIRS))
        low, high = (
            torch.from_numpy(packed[name])[..., None] for name in ("pair_low", "pair_high")
        )
        logits[(columns < low) | (columns >= high)] = -torch.inf
    asked = packed["targets"] >= 0
    packed["targets"][asked] = logits.argmax(-1).numpy()[asked]
    return packed


def write_sentences(folder: Path) -> Path:
    """Write a dataset of `SENTENCES`."""
    write_dataset(folder, {("chat__talk", "chat", MIT): SENTENCES})
    return folder
