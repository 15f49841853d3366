"""Nodes of the functions of linear predictions of columns, which are part of the Shapley values of some models."""

from __future__ import annotations

import numpy as np

from .onnx_nodes import GraphNodes
from .scoring import ScoredIndex

_INT64, _DOUBLE = 7, 11


def add_index(graph: GraphNodes, index: ScoredIndex, scores: str, is_missing: str) -> str:
    """What the functions add to the Shapley values, shape (n_rows, n_players * n_outputs).

    ``scores`` and ``is_missing``, booleans, are of shape (n_rows, n_columns), in the order of the index's columns. The interval
    of a linear prediction is found by a binary search that is unrolled, for all functions at once.
    """
    part = index.part
    n_indices, n_nodes = part.nodes.shape
    z = graph.add("Add", graph.add("MatMul", scores, graph.hold(part.weights.T)), graph.hold(part.constants[None]))
    n_steps = max(int(n_nodes - 2).bit_length(), 1)
    size = 2**n_steps
    padded = np.full((n_indices, size), np.inf)
    padded[:, : n_nodes - 2] = part.nodes[:, 1:-1]
    flat, below = graph.hold(padded.ravel()), graph.hold(np.zeros((1, n_indices)), np.int64)
    rows = np.arange(n_indices, dtype=np.int64)[None]
    for step in range(n_steps - 1, -1, -1):
        probe = graph.add("Add", below, graph.hold(rows * size + 2**step - 1, np.int64))
        is_above = graph.add("Cast", graph.add("Less", graph.add("Gather", flat, probe), z), to=_INT64)
        below = graph.add("Add", below, graph.add("Mul", is_above, graph.hold(2**step, np.int64)))
    at = graph.add("Add", below, graph.hold(rows * n_nodes, np.int64))
    low = graph.add("Gather", graph.hold(part.nodes.ravel()), at)
    spans = np.diff(part.nodes, append=part.nodes[:, -1:])
    inverse = np.divide(1.0, spans, out=np.zeros_like(spans), where=spans > 0.0)
    ratio = graph.add("Mul", graph.add("Sub", z, low), graph.add("Gather", graph.hold(inverse.ravel()), at))
    share = graph.reshape(graph.add("Clip", ratio, graph.hold(0.0), graph.hold(1.0)), 0, 0, 1)
    values = part.values.reshape(-1, part.values.shape[2])
    of_values = graph.add("Add", below, graph.hold(rows * (n_nodes + 1), np.int64))
    start = graph.add("Gather", graph.hold(values), of_values)
    end = graph.add("Gather", graph.hold(values), graph.add("Add", of_values, graph.hold(1, np.int64)))
    found = graph.add("Add", start, graph.add("Mul", share, graph.add("Sub", end, start)))
    counted = graph.add("MatMul", graph.add("Cast", is_missing, to=_DOUBLE), graph.hold((part.weights.T != 0.0).astype(float)))
    lacks = graph.reshape(graph.add("Greater", counted, graph.hold(0.0)), 0, 0, 1)
    found = graph.add("Where", lacks, graph.hold(part.values[None, :, -1]), found)
    return graph.add("MatMul", graph.reshape(found, 0, -1), graph.hold(np.kron(index.shares, np.eye(values.shape[1]))))
