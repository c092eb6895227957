"""Export a trained encoder: graph and output layer in int8, checked, into a new artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinzi.artifact import Artifact, Manifest
from yinzi.scoring import InputVocabulary, PairTable
from yinzi.scoring.encoder import ENCODER_GRAPH, SECTION, Encoder
from yinzi.scoring.input_lines import WINDOW
from yinzi.scoring.vocabulary_digest import vocabulary_digest
from yinzi_train.compression.check_rows import CheckRows, Rows
from yinzi_train.compression.encoder_graph import (
    FloatArithmetic,
    Int8Arithmetic,
    encoder_graph,
)
from yinzi_train.compression.errors import ExportError
from yinzi_train.compression.parity import (
    ParityLimits,
    ParityReport,
    line_batches,
    measure_parity,
    open_session,
)
from yinzi_train.compression.quantization import ActivationRange, quantize_rows
from yinzi_train.export import write_artifact
from yinzi_train.model import ConversionEncoder

__all__ = ["ExportedEncoder", "add_encoder", "export_encoder", "find_ranges"]


@dataclass(frozen=True, eq=False)
class ExportedEncoder:
    """An encoder as it ships.

    Attributes:
        graph: the ONNX file.
        arrays: what stands beside it; see `yinzi.scoring.encoder.ENCODER_ARRAYS`.
        parameters: table `encoder` of the manifest.
        report: how far it is from its model.
    """

    graph: bytes
    arrays: Mapping[str, NDArray[Any]]
    parameters: Mapping[str, Any]
    report: ParityReport


def export_encoder(
    model: ConversionEncoder,
    vocab: InputVocabulary,
    pairs: PairTable,
    rows: CheckRows,
    *,
    limits: ParityLimits | None = None,
) -> ExportedEncoder:
    """Return a model as an int8 encoder, checked on rows.

    The same model and rows always give the same bytes.

    Args:
        model: the model; it is put into evaluation mode.
        vocab: that of the model.
        pairs: that of the model.
        rows: real input that the ranges of int8 are found on, and such to compare the result on.
        limits: how far it may be from its model.

    Raises:
        ExportError: the vocabulary is not that of the model, a weight is not finite, there is no
            row, or a limit is not kept.
    """
    _check_sizes(model, vocab, pairs)
    model.eval()
    ranges = find_ranges(model, rows.calibration)
    graph = encoder_graph(model, Int8Arithmetic(ranges)).SerializeToString(deterministic=True)
    weight, scales = quantize_rows(model.pair_layer.weight.detach().float().numpy())
    arrays: dict[str, NDArray[Any]] = {
        "input_hanzi": np.array([ord(char) for char in vocab.hanzi], dtype=np.uint32),
        "pair_hanzi": pairs.hanzi,
        "pair_counts": pairs.counts.astype(np.uint32),
        "pair_syllables": pairs.syllables,
        "pair_weight": weight,
        "pair_scales": scales,
        "pair_bias": model.pair_layer.bias.detach().float().numpy().copy(),
    }
    parameters = {
        "vocabulary": vocabulary_digest(vocab, pairs),
        "ngram_orders": [int(order) for order in model.config.ngram_orders],
        "ngram_rows": int(model.config.ngram_rows),
        "window": WINDOW,
    }
    report = measure_parity(
        model,
        encoder_graph(model, FloatArithmetic()).SerializeToString(),
        Encoder(graph, arrays, parameters, label="the exported encoder"),
        rows.comparison,
        n_bytes=len(graph) + sum(array.nbytes for array in arrays.values()),
    )
    report.check(limits or ParityLimits())
    return ExportedEncoder(graph, arrays, parameters, report)


def find_ranges(model: ConversionEncoder, rows: Rows) -> dict[str, ActivationRange]:
    """Return what flows into each layer, places of inputs only."""
    arithmetic = FloatArithmetic()
    encoder_graph(model, arithmetic)  # tells what flows into which layer
    inputs = dict(arithmetic.inputs)
    watched = encoder_graph(
        model, FloatArithmetic(), further_outputs=tuple(dict.fromkeys(inputs.values()))
    )
    session = open_session(watched.SerializeToString())
    names = {value.name for value in session.get_inputs()}
    ranges: dict[str, ActivationRange] = {}
    for _, lines in line_batches(rows):
        given = {name: array for name, array in vars(lines).items() if name in names}
        is_place = (lines.segments >= 0).reshape(-1)
        for name, values in zip(inputs, session.run(list(inputs.values()), given), strict=True):
            inside = values[is_place]
            if inside.size:
                found = ActivationRange(float(inside.min()), float(inside.max()))
                ranges[name] = ranges[name].joined(found) if name in ranges else found
    if not ranges:
        raise ExportError("the rows to find ranges on are empty: give others")
    return ranges


def add_encoder(
    artifact: Artifact,
    exported: ExportedEncoder,
    out: Path,
    *,
    created: str,
    training: Mapping[str, Any],
    version: str | None = None,
) -> Manifest:
    """Write a new artifact: an old one with an encoder, whole or not at all.

    An encoder that the old one has is replaced; its metrics are left out, they were measured
    without the new one.

    Args:
        artifact: the old one; it is not changed unless `out` is its folder.
        exported: the encoder.
        out: folder of the new one; an artifact that is there is replaced.
        created: ISO 8601 date.
        training: what the encoder was trained from and how.
        version: of the new artifact; None for that of the old one.

    Raises:
        ArtifactError: `out` is there and is no artifact.
    """
    old = artifact.manifest
    sections = {path.split("/", 1)[0] for path in old.files if "/" in path} - {SECTION}
    return write_artifact(
        out,
        name=old.name,
        version=old.version if version is None else version,
        created=created,
        components={
            **{section: artifact.folder / section for section in sections},
            SECTION: {**exported.arrays, ENCODER_GRAPH: exported.graph},
        },
        parameters={**old.parameters, SECTION: dict(exported.parameters)},
        sources=old.sources,
        training={
            **old.training,
            SECTION: {**training, "parity": asdict(exported.report)},
        },
    )


def _check_sizes(model: ConversionEncoder, vocab: InputVocabulary, pairs: PairTable) -> None:
    config = model.config
    found = vocab.first_hanzi_id, len(vocab.hanzi), len(pairs)
    expected = config.n_inputs, config.n_hanzi, config.n_pairs
    if found != expected:
        raise ExportError(
            f"the vocabulary has {found[0]} inputs, {found[1]} hanzi and {found[2]} pairs, the "
            f"model {expected[0]}, {expected[1]} and {expected[2]}: give the vocabulary that the "
            "model was trained with"
        )
    for name, value in model.state_dict().items():
        if not bool(value.isfinite().all()):
            raise ExportError(
                f"weight {name} has values that are not finite: the training went wrong, take an "
                "earlier checkpoint"
            )
