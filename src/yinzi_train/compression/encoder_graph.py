"""Write the encoder as an ONNX graph, in float32 or int8.

The graph is that of `yinzi_train.model.encoder`, up to the last norm. Three things are arranged in
another way, with the same result: the n-grams that cover a place are gathered for each place rather
than shifted; narrow embeddings (n-grams, hanzi) stand side by side and are widened by one product;
queries are scaled by their weights.

`FloatArithmetic` is for checks and for finding ranges. Of `Int8Arithmetic` several were measured on
one thread (Xeon with AMX; µs a place, 16 lines of 12; one line of 10 in ms; top-1 on 22,000 places
against float32): float32 58, 0.94; blockwise MatMulNBits with int8 arithmetic 65, 0.75, -0.02
points; weights alone in int8, made float32 at each call, 150, 3.3; codes with a scale for each row
of each batch 19, 0.51, +0.01; fixed scales 13.5, 0.39, -0.01. The last is what is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from yinzi.scoring import NO_NGRAM
from yinzi_train.compression.graph_builder import ONNXRUNTIME_DOMAIN, GraphBuilder
from yinzi_train.compression.quantization import (
    PRODUCT_LARGEST,
    ActivationRange,
    quantize_columns,
    quantize_rows,
)
from yinzi_train.model import ConversionEncoder

__all__ = ["Arithmetic", "FloatArithmetic", "Int8Arithmetic", "encoder_graph"]

_MASKED: Final = -1e4
_ZERO_CODE: Final = 128
"""Code of 0 in uint8 tables: products of uint8 and int8 have faster kernels than int8 and int8."""


class Arithmetic(Protocol):
    """How numbers are kept and multiplied; `x` are names of values in the graph."""

    def rows(self, graph: GraphBuilder, name: str, table: NDArray[np.float32], ids: str) -> str:
        """Return the float rows of a table."""
        ...

    def widened_rows(
        self,
        graph: GraphBuilder,
        name: str,
        tables: Mapping[str, NDArray[np.float32]],
        weights: Mapping[str, NDArray[np.float32]],
        bias: NDArray[np.float32],
    ) -> str:
        """Return float [places, size], rows of tables side by side, times weights.

        Args:
            graph: what is written to.
            name: of the layer.
            tables: by the name of the ids, int64 [batch, length, …], of their rows.
            weights: by the same name, float32 [size, width of all rows of a place].
            bias: float32 [size].
        """
        ...

    def codes(self, graph: GraphBuilder, name: str, x: str) -> str:
        """Return what `product` multiplies; `name` is that of the layer that x flows into."""
        ...

    def product(
        self,
        graph: GraphBuilder,
        name: str,
        codes: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        *,
        part: str = "",
    ) -> str:
        """Return float [places, out], ``weight @ x + bias``; `part` names one of several."""
        ...


class FloatArithmetic:
    """Everything in float32.

    Attributes:
        inputs: for each layer, the value that flows into it.
    """

    def __init__(self) -> None:
        self.inputs: dict[str, str] = {}

    def rows(self, graph: GraphBuilder, name: str, table: NDArray[np.float32], ids: str) -> str:
        """See `Arithmetic`."""
        return graph.add("Gather", graph.constant(name, table), ids)

    def widened_rows(
        self,
        graph: GraphBuilder,
        name: str,
        tables: Mapping[str, NDArray[np.float32]],
        weights: Mapping[str, NDArray[np.float32]],
        bias: NDArray[np.float32],
    ) -> str:
        """See `Arithmetic`."""
        joined = np.concatenate([weights[ids] for ids in tables], axis=1)
        rows = _side_by_side(graph, tables, joined.shape[1])
        return self.product(graph, name, rows, joined, bias)

    def codes(self, graph: GraphBuilder, name: str, x: str) -> str:
        """See `Arithmetic`."""
        self.inputs[name] = x
        return x

    def product(
        self,
        graph: GraphBuilder,
        name: str,
        codes: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        *,
        part: str = "",
    ) -> str:
        """See `Arithmetic`."""
        label = name + part
        return graph.add(
            "Gemm",
            codes,
            graph.constant(f"{label}.weight", weight.T),
            graph.constant(f"{label}.bias", bias),
        )


class Int8Arithmetic:
    """Tables and weights in int8, products of integers, everything between in float32.

    Attributes:
        ranges: for each layer, what flows into it.
    """

    def __init__(self, ranges: Mapping[str, ActivationRange]) -> None:
        self.ranges = ranges

    def rows(self, graph: GraphBuilder, name: str, table: NDArray[np.float32], ids: str) -> str:
        """See `Arithmetic`."""
        codes, scales = quantize_rows(table)
        gathered = graph.add("Gather", graph.constant(name, codes), ids)
        return graph.add(
            "Mul",
            graph.add("Cast", gathered, to=onnx.TensorProto.FLOAT),
            graph.add("Gather", graph.constant(f"{name}.scales", scales[:, None]), ids),
        )

    def widened_rows(
        self,
        graph: GraphBuilder,
        name: str,
        tables: Mapping[str, NDArray[np.float32]],
        weights: Mapping[str, NDArray[np.float32]],
        bias: NDArray[np.float32],
    ) -> str:
        """See `Arithmetic`; codes of the tables go into the product as they are."""
        coded: dict[str, NDArray[np.uint8]] = {}
        scaled = []
        for ids, table in tables.items():
            codes, scales = quantize_columns(table)
            coded[ids] = (codes.astype(np.int16) + _ZERO_CODE).astype(np.uint8)
            n_rows = weights[ids].shape[1] // len(scales)
            scaled.append(weights[ids] * np.tile(scales, n_rows))
        joined = np.concatenate(scaled, axis=1)
        graph.constant(f"{name}.input_scale", np.float32(1))
        graph.constant(f"{name}.input_zero", np.uint8(_ZERO_CODE))
        return self.product(graph, name, _side_by_side(graph, coded, joined.shape[1]), joined, bias)

    def codes(self, graph: GraphBuilder, name: str, x: str) -> str:
        """See `Arithmetic`."""
        scale, zero = self.ranges[name].scale_and_zero()
        return graph.add(
            "QuantizeLinear",
            x,
            graph.constant(f"{name}.input_scale", scale),
            graph.constant(f"{name}.input_zero", zero),
        )

    def product(
        self,
        graph: GraphBuilder,
        name: str,
        codes: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        *,
        part: str = "",
    ) -> str:
        """See `Arithmetic`."""
        label = name + part
        rows, scales = quantize_rows(weight, largest=PRODUCT_LARGEST)
        return graph.add(
            "MatMulIntegerToFloat",
            codes,
            graph.constant(f"{label}.weight", rows.T),
            f"{name}.input_scale",
            graph.constant(f"{label}.scales", scales),
            f"{name}.input_zero",
            "",
            graph.constant(f"{label}.bias", bias),
            domain=ONNXRUNTIME_DOMAIN,
        )


def _side_by_side(
    graph: GraphBuilder,
    tables: Mapping[str, NDArray[np.float32]] | Mapping[str, NDArray[np.uint8]],
    width: int,
) -> str:
    """Return [places, width], the rows that the ids name, one table after the other."""
    parts = [
        graph.add(
            "Reshape",
            graph.add("Gather", graph.constant(f"table of {ids}", table), ids),
            graph.integers(0, 0, -1),
        )
        for ids, table in tables.items()
    ]
    joined = graph.add("Concat", *parts, axis=2) if len(parts) > 1 else parts[0]
    return graph.add("Reshape", joined, graph.integers(-1, width))


class _EncoderWriter:
    """Writes one graph; `encoder_graph` is its only user."""

    def __init__(self, model: ConversionEncoder, arithmetic: Arithmetic) -> None:
        self.config = model.config
        self.graph = GraphBuilder()
        self.arithmetic = arithmetic
        self.weights = {
            name: value.detach().float().numpy() for name, value in model.state_dict().items()
        }
        graph = self.graph
        shape = graph.add("Shape", "input_ids")
        self.batch = graph.add("Gather", shape, graph.integers(0))
        self.length = graph.add("Gather", shape, graph.integers(1))
        length = graph.add("Gather", shape, graph.integer(1))
        self.places = graph.add("Range", graph.integer(0), length, graph.integer(1))

    def write(self) -> str:
        """Write all nodes and return the output, float [batch, length, size]."""
        graph, size = self.graph, self.config.hidden_size
        hidden = self._embedding()
        bias = self._attention_bias()
        for layer in range(self.config.n_layers):
            hidden = self._layer(f"layers.{layer}", hidden, bias)
        shape = graph.add("Concat", self.batch, self.length, graph.integers(size), axis=0)
        return graph.add("Reshape", self._norm("norm", hidden), shape, name="hidden")

    def _embedding(self) -> str:
        """Return float [places, size]; see `InputEmbedding` and `_NgramEmbedding`."""
        graph, config, weights = self.graph, self.config, self.weights
        size, n_inputs = config.hidden_size, config.n_inputs
        # Each place has a row of both tables; a row of zeros in the one that is not meant.
        inputs = np.pad(weights["embedding.inputs.weight"], ((0, 1), (0, 0)))
        hanzi = weights["embedding.hanzi.weight"].copy()
        hanzi[0] = 0
        input_row = graph.add("Min", "input_ids", graph.integer(n_inputs))
        own = self.arithmetic.rows(graph, "embedding.inputs", inputs, input_row)
        tones = graph.constant("embedding.tones", weights["embedding.tones.weight"])
        own = graph.add("Add", own, graph.add("Gather", tones, "input_tones"))
        before_hanzi = graph.integer(n_inputs - 1)
        hanzi_row = graph.add("Max", "input_ids", before_hanzi)
        hanzi_row = graph.add("Sub", hanzi_row, before_hanzi, name="hanzi_rows")
        tables = {hanzi_row: hanzi}
        widths = {hanzi_row: weights["embedding.widen.weight"]}
        bias = np.zeros(size, dtype=np.float32)
        if config.ngram_orders:
            covering = self._covering_ngrams()
            tables[covering] = weights["ngrams.table.weight"]
            widths[covering] = weights["ngrams.project.weight"]
            bias = weights["ngrams.project.bias"]
        widened = self.arithmetic.widened_rows(graph, "embedding.widen", tables, widths, bias)
        own = graph.add("Reshape", own, graph.integers(-1, size))
        return graph.add("Add", own, widened)

    def _covering_ngrams(self) -> str:
        """Return int64 [batch, length, n], rows of all n-grams that cover a place.

        Ids stand at the first place of their n-gram; one that would begin before the line is none.
        """
        graph, orders = self.graph, tuple(self.config.ngram_orders)
        n_orders, n_before = len(orders), max(orders) - 1
        padded = graph.add(
            "Pad",
            "ngram_ids",
            graph.integers(0, n_before, 0, 0, 0, 0),
            graph.integer(NO_NGRAM),
        )
        flat = graph.add("Reshape", padded, graph.integers(0, -1))
        offsets = [
            (n_before - shift) * n_orders + index
            for index, order in enumerate(orders)
            for shift in range(order)
        ]
        first = graph.add("Mul", self.places, graph.integer(n_orders))
        first = graph.add("Unsqueeze", first, graph.integers(1))
        columns = graph.add("Add", first, graph.integers(*offsets))  # [length, n]
        return graph.add("Gather", flat, columns, axis=1, name="ngram_rows")

    def _attention_bias(self) -> str:
        """Return float [batch, heads, length, length]: by distance, and against other segments."""
        graph, farthest = self.graph, self.config.max_distance
        one, other = (graph.add("Unsqueeze", self.places, graph.integers(axis)) for axis in (1, 0))
        distance = graph.add("Sub", other, one)
        distance = graph.add("Clip", distance, graph.integer(-farthest), graph.integer(farthest))
        distance = graph.add("Add", distance, graph.integer(farthest))
        table = graph.constant("position_bias", self.weights["position_bias"])
        by_distance = graph.add("Gather", table, distance, axis=1)  # [heads, length, length]
        one, other = (graph.add("Unsqueeze", "segments", graph.integers(axis)) for axis in (2, 1))
        mask = graph.add(
            "Where",
            graph.add("Equal", one, other),
            graph.constant("seen", np.float32(0)),
            graph.constant("masked", np.float32(_MASKED)),
        )
        return graph.add("Add", by_distance, graph.add("Unsqueeze", mask, graph.integers(1)))

    def _layer(self, name: str, hidden: str, bias: str) -> str:
        graph = self.graph
        normed = self._norm(f"{name}.attention_norm", hidden)
        mixed = self._attention(f"{name}.query_key_value", normed, bias)
        hidden = graph.add("Add", hidden, self._linear(f"{name}.attention_output", mixed))
        normed = self._norm(f"{name}.feed_forward_norm", hidden)
        inner = graph.add("Relu", self._linear(f"{name}.feed_forward_input", normed))
        return graph.add("Add", hidden, self._linear(f"{name}.feed_forward_output", inner))

    def _attention(self, name: str, x: str, bias: str) -> str:
        """Return float [places, size]."""
        graph, size, n_heads = self.graph, self.config.hidden_size, self.config.n_heads
        codes = self.arithmetic.codes(graph, name, x)
        shape = graph.add(
            "Concat", self.batch, self.length, graph.integers(n_heads, size // n_heads), axis=0
        )
        weight, offset = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        heads = []
        orders = ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3))
        for index, (part, order) in enumerate(zip(("query", "key", "value"), orders, strict=True)):
            rows = slice(index * size, (index + 1) * size)
            factor = np.float32((size // n_heads) ** -0.5 if part == "query" else 1.0)
            given = self.arithmetic.product(
                graph, name, codes, weight[rows] * factor, offset[rows] * factor, part=f".{part}"
            )
            given = graph.add("Reshape", given, shape)  # [batch, length, heads, head_size]
            heads.append(graph.add("Transpose", given, perm=order))
        scores = graph.add("Add", graph.add("MatMul", heads[0], heads[1]), bias)
        mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), heads[2])
        mixed = graph.add("Transpose", mixed, perm=(0, 2, 1, 3))
        return graph.add("Reshape", mixed, graph.integers(-1, size))

    def _linear(self, name: str, x: str) -> str:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        codes = self.arithmetic.codes(self.graph, name, x)
        return self.arithmetic.product(self.graph, name, codes, weight, bias)

    def _norm(self, name: str, x: str) -> str:
        return self.graph.add(
            "LayerNormalization",
            x,
            self.graph.constant(f"{name}.weight", self.weights[f"{name}.weight"]),
            self.graph.constant(f"{name}.bias", self.weights[f"{name}.bias"]),
            axis=-1,
            epsilon=1e-5,
        )


def encoder_graph(
    model: ConversionEncoder, arithmetic: Arithmetic, *, further_outputs: tuple[str, ...] = ()
) -> onnx.ModelProto:
    """Return the graph of an encoder; see `yinzi/scoring/format.md` for inputs and output.

    Args:
        model: the encoder.
        arithmetic: how it computes.
        further_outputs: values of the graph that are handed out as well.
    """
    config = model.config
    writer = _EncoderWriter(model, arithmetic)
    writer.write()
    place: list[str | int] = ["batch", "length"]
    inputs = dict.fromkeys(("input_ids", "input_tones", "segments"), place)
    if config.ngram_orders:
        inputs["ngram_ids"] = [*place, len(config.ngram_orders)]
    return writer.graph.model(
        "encoder",
        inputs=inputs,
        outputs={"hidden": [*place, config.hidden_size], **dict.fromkeys(further_outputs)},
    )
