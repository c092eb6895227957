"""Write an ONNX graph node by node.

By hand rather than traced from torch: the graph is a page long, every node is meant, and the int8
operators of onnxruntime can stand where they belong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import helper, numpy_helper

__all__ = ["ONNXRUNTIME_DOMAIN", "GraphBuilder"]

ONNXRUNTIME_DOMAIN: Final = "com.microsoft"
_OPSET: Final = 17
"""First with LayerNormalization; onnxruntime reads it since 1.12."""
_IR_VERSION: Final = 8


class GraphBuilder:
    """Collects nodes and constants; values are passed around by name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, NDArray[Any]] = {}

    def constant(self, name: str, value: ArrayLike) -> str:
        """Add a named constant, once, and return its name."""
        array = np.asarray(value)
        known = self._constants.get(name)
        if known is not None and not (known.dtype == array.dtype and np.array_equal(known, array)):
            raise AssertionError(f"two constants are called {name!r}")
        self._constants[name] = array
        return name

    def integer(self, value: int) -> str:
        """Return an int64 constant without dimensions."""
        return self.constant(f"integer {value}", np.int64(value))

    def integers(self, *values: int) -> str:
        """Return an int64 constant of one dimension."""
        return self.constant(f"integers {values}", np.array(values, dtype=np.int64))

    def add(
        self, operator: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any
    ) -> str:
        """Add a node and return the name of its output; an input "" is left out."""
        output = name or f"{operator} {len(self._nodes)}"
        self._nodes.append(
            helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes)
        )
        return output

    def model(
        self,
        name: str,
        *,
        inputs: Mapping[str, Sequence[str | int]],
        outputs: Mapping[str, Sequence[str | int] | None],
    ) -> onnx.ModelProto:
        """Return the model; the same nodes always give the same bytes.

        Args:
            name: of the graph.
            inputs: int64 inputs with their shapes; letters for what is not fixed.
            outputs: float outputs, likewise; None for an unknown shape.
        """
        graph = helper.make_graph(
            self._nodes,
            name,
            [
                helper.make_tensor_value_info(key, onnx.TensorProto.INT64, shape)
                for key, shape in inputs.items()
            ],
            [
                helper.make_tensor_value_info(key, onnx.TensorProto.FLOAT, shape)
                for key, shape in outputs.items()
            ],
            [
                numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), key)
                for key, array in self._constants.items()
            ],
        )
        return helper.make_model(
            graph,
            producer_name="yinzi",
            ir_version=_IR_VERSION,
            opset_imports=[
                helper.make_opsetid("", _OPSET),
                helper.make_opsetid(ONNXRUNTIME_DOMAIN, 1),
            ],
        )
