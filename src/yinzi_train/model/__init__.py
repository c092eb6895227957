"""Define the neural models from pinyin to hanzi, as `transformers.PreTrainedModel`s."""

from __future__ import annotations

from yinzi_train.model.configuration import (
    ConversionConfig,
    EncoderConfig,
    RecurrentConfig,
    TransformerConfig,
)
from yinzi_train.model.conversion_model import ConversionModel, ConversionOutput
from yinzi_train.model.encoder import ConversionEncoder
from yinzi_train.model.recurrent import RecurrentSeq2Seq
from yinzi_train.model.transformer import TransformerSeq2Seq

__all__ = [
    "ConversionConfig",
    "ConversionEncoder",
    "ConversionModel",
    "ConversionOutput",
    "EncoderConfig",
    "RecurrentConfig",
    "RecurrentSeq2Seq",
    "TransformerConfig",
    "TransformerSeq2Seq",
]
