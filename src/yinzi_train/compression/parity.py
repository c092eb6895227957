"""Check that an exported encoder does what the model does, on real rows.

Two steps, so that a fault shows where it is: the float32 graph against torch, which must agree but
for rounding; then the int8 encoder, run by the runtime itself, against the float32 graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from yinzi.scoring.encoder import Encoder
from yinzi.scoring.input_lines import InputLines
from yinzi.scoring.pair_layer import PairLayer
from yinzi_train.compression.check_rows import Rows
from yinzi_train.compression.errors import ExportError
from yinzi_train.model import ConversionEncoder

__all__ = ["ParityLimits", "ParityReport", "line_batches", "measure_parity", "open_session"]

_LINES: int = 8


@dataclass(frozen=True)
class ParityLimits:
    """How far an exported encoder may be from its model.

    Attributes:
        max_difference: largest difference between hidden vectors of torch and the float32 graph.
        min_agreement: share of places at which int8 and float32 give the same hanzi, 0 to 1.
        max_drop: share of places that int8 may have right less, 0 to 1.
        max_bytes: all files of the encoder.
    """

    max_difference: float = 1e-4
    min_agreement: float = 0.98
    max_drop: float = 0.003
    max_bytes: int = 14 << 20


@dataclass(frozen=True)
class ParityReport:
    """How far an exported encoder is from its model.

    Attributes:
        n_places: places with a target that were compared.
        difference: largest difference between hidden vectors of torch and the float32 graph.
        agreement: share of places at which int8 and float32 give the same hanzi first.
        float_accuracy: share of places that float32 has right.
        int8_accuracy: share of places that int8 has right.
        n_bytes: all files of the encoder.
    """

    n_places: int
    difference: float
    agreement: float
    float_accuracy: float
    int8_accuracy: float
    n_bytes: int

    def check(self, limits: ParityLimits) -> None:
        """Check against limits.

        Raises:
            ExportError: one is not kept; it names the figure.
        """
        if not self.n_places:
            raise ExportError("the rows to check the model on have no target: give others")
        drop = self.float_accuracy - self.int8_accuracy
        broken = {
            "the float32 graph differs from torch by": (self.difference, limits.max_difference),
            "the share of places where int8 and float32 disagree is": (
                1 - self.agreement,
                1 - limits.min_agreement,
            ),
            "the share of places that int8 loses is": (drop, limits.max_drop),
            "the files of the encoder have bytes": (self.n_bytes, limits.max_bytes),
        }
        for what, (found, limit) in broken.items():
            if not found <= limit:  # also NaN
                raise ExportError(
                    f"{what} {found:.6g}, at most {limit:.6g} is allowed; nothing was written"
                )


def open_session(graph: bytes) -> onnxruntime.InferenceSession:
    """Return a session of one thread for a graph."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, settings, providers=["CPUExecutionProvider"])


def line_batches(rows: Rows) -> Iterator[tuple[slice, InputLines]]:
    """Yield a few lines at a time, and which they are."""
    for first in range(0, len(rows["input_ids"]), _LINES):
        part = slice(first, first + _LINES)
        names = ("input_ids", "input_tones", "segments", "ngram_ids")
        yield part, InputLines(*(rows[name][part] for name in names))


def measure_parity(
    model: ConversionEncoder, float_graph: bytes, encoder: Encoder, rows: Rows, *, n_bytes: int
) -> ParityReport:
    """Compare model, float32 graph and int8 encoder.

    Args:
        model: the model, in evaluation mode.
        float_graph: ONNX file.
        encoder: what would ship.
        rows: lines with `targets`, `pair_low`, `pair_high`.
        n_bytes: size of the files.
    """
    session = open_session(float_graph)
    names = {value.name for value in session.get_inputs()}
    weight = model.pair_layer.weight.detach().float().numpy()
    float_layer = PairLayer(
        weight,
        np.ones(len(weight), dtype=np.float32),
        model.pair_layer.bias.detach().float().numpy(),
    )

    def run_float(lines: InputLines) -> NDArray[np.float32]:
        given = {name: array for name, array in vars(lines).items() if name in names}
        hidden: NDArray[np.float32] = session.run(["hidden"], given)[0]
        return hidden

    difference = 0.0
    n_places, n_same, n_float, n_int8 = 0, 0, 0, 0
    for part, lines in line_batches(rows):
        expected = run_float(lines)
        is_place = lines.segments >= 0
        found = np.abs(expected - _run_torch(model, lines))[is_place].max(initial=0.0)
        difference = float("nan") if np.isnan(found) else max(difference, float(found))
        targets = rows["targets"][part]
        asked = targets >= 0
        bounds = rows["pair_low"][part][asked], rows["pair_high"][part][asked]
        by_float = _first(float_layer, expected[asked], *bounds)
        by_int8 = _first(encoder.layer, encoder.run_lines(lines)[asked], *bounds)
        n_places += int(asked.sum())
        n_same += int((by_float == by_int8).sum())
        n_float += int((by_float == targets[asked]).sum())
        n_int8 += int((by_int8 == targets[asked]).sum())
        if np.isnan(difference):
            break
    return ParityReport(
        n_places=n_places,
        difference=difference,
        agreement=n_same / max(n_places, 1),
        float_accuracy=n_float / max(n_places, 1),
        int8_accuracy=n_int8 / max(n_places, 1),
        n_bytes=n_bytes,
    )


@torch.no_grad()
def _run_torch(model: ConversionEncoder, lines: InputLines) -> NDArray[np.float32]:
    batch = {name: torch.from_numpy(array) for name, array in vars(lines).items()}
    hidden: NDArray[np.float32] = model.encode(batch).float().numpy()
    return hidden


def _first(
    layer: PairLayer, hidden: NDArray[np.float32], low: NDArray[Any], high: NDArray[Any]
) -> NDArray[np.int64]:
    """Return int64 [n], the likeliest pair of each place; none has an empty slice."""
    logprobs, starts = layer.logprobs(hidden, low, high)
    return np.array(
        [
            first + np.argmax(logprobs[begin:end])
            for first, begin, end in zip(low, starts, starts[1:], strict=False)
        ],
        dtype=np.int64,
    )
