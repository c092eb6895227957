"""Make a trained model small and fast: int8, as an ONNX graph, checked against the model."""

from __future__ import annotations

from yinzi_train.compression.encoder_export import ExportedEncoder, add_encoder, export_encoder
from yinzi_train.compression.errors import ExportError
from yinzi_train.compression.parity import ParityLimits, ParityReport

__all__ = [
    "ExportError",
    "ExportedEncoder",
    "ParityLimits",
    "ParityReport",
    "add_encoder",
    "export_encoder",
]
