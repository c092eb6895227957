"""Make a trained model small and fast: int8, as an ONNX graph, checked against the model."""

from __future__ import annotations

from yinzi_train.compression.artifact_checkpoint import checkpoint_from_artifact
from yinzi_train.compression.encoder_export import ExportedEncoder, add_encoder, export_encoder
from yinzi_train.compression.errors import ExportError
from yinzi_train.compression.parity import ParityLimits, ParityReport

__all__ = [
    "ExportError",
    "ExportedEncoder",
    "ParityLimits",
    "ParityReport",
    "add_encoder",
    "checkpoint_from_artifact",
    "export_encoder",
]
