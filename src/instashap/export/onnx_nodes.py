"""Nodes and constants of an ONNX graph, collected one by one, and the tensors that hold its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class GraphNodes:
    """Nodes in the order in which they were added; constants of equal content are stored once.

    Attributes
    ----------
    nodes, constants : list
        Of ``onnx.NodeProto`` and ``onnx.TensorProto``.
    """

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def hold(self, values: Any, dtype: Any = np.float64) -> str:
        """Name of a constant."""
        array = np.ascontiguousarray(np.asarray(values, dtype=dtype)).reshape(np.shape(values))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = f"constant_{len(self._known)}"
            self.constants.append(self._onnx.numpy_helper.from_array(array, self._known[key]))
        return self._known[key]

    def add(self, operator: str, *inputs: str, name: str | None = None, domain: str = "", **attributes: Any) -> str:
        """Name of the result of a node."""
        result = name or f"step_{len(self.nodes)}"
        node = self._onnx.helper.make_node(operator, list(inputs), [result], domain=domain, **attributes)
        self.nodes.append(node)
        return result

    def pick(self, values: str, places: NDArray[np.int64], axis: int = 1) -> str:
        """Entries of a tensor at constant places along an axis."""
        return self.add("Gather", values, self.hold(places, np.int64), axis=axis)

    def reshape(self, values: str, *shape: int) -> str:
        """A tensor in another shape: 0 keeps a size, -1 is what is left."""
        return self.add("Reshape", values, self.hold(shape, np.int64))

    def sum(self, values: str, axis: int, keep: bool = False) -> str:
        """Sum along an axis."""
        return self.add("ReduceSum", values, self.hold([axis], np.int64), keepdims=int(keep))


@dataclass(frozen=True)
class GraphInputs:
    """Columns of each input, in its order; all number columns come before all text columns."""

    numbers: list[int]
    texts: list[int]
    missing_text: str

    @property
    def order(self) -> list[int]:
        return [*self.numbers, *self.texts]


@dataclass(frozen=True)
class EncodedTensors:
    """Tensors of shape (n_rows, n_columns), columns as in :attr:`GraphInputs.order`.

    Attributes
    ----------
    cells : str
        Int64, without and
    places : str
        with the cells of all columns before.
    offsets : str
        Float64.
    numbers : str or None
        The numbers, missing ones still NaN.
    invalid : str or None
        Shape (n_rows, 1): 0, or NaN where a number is infinite.
    """

    cells: str
    places: str
    offsets: str
    numbers: str | None
    invalid: str | None
