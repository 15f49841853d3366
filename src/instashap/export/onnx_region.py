"""Nodes of an ONNX graph that place rows relative to the fitted ones."""

from __future__ import annotations

import numpy as np

from .onnx_nodes import EncodedTensors, GraphInputs, GraphNodes
from .scoring import ReachTables, Scoring

_FLOAT, _DOUBLE = 1, 11


def place_rows(
    graph: GraphNodes, scoring: Scoring, reach: ReachTables, inputs: GraphInputs, encoded: EncodedTensors
) -> tuple[str, str]:
    """Whether each player's value lies outside the fitted rows, (n_rows, n_players), and the sum of distances, (n_rows, 1)."""
    zero, one = graph.hold(0.0), graph.hold(1.0)
    bins = np.concatenate([reach.bins[column] for column in inputs.order])
    parts = graph.add("Gather", graph.hold(bins, np.int64), encoded.places)
    distances = graph.add("Where", graph.add("Less", parts, graph.hold(0, np.int64)), one, zero)
    axis_numbers = [column for column in inputs.numbers if scoring.columns[column].levels is None]
    if axis_numbers:
        own = np.array([inputs.order.index(column) for column in axis_numbers])
        low, high, length = (each[axis_numbers][None] for each in (reach.lows, reach.highs, reach.lengths))
        values = graph.pick("numbers", own)
        below = graph.add("Div", graph.add("Sub", graph.hold(low), values), graph.hold(length))
        above = graph.add("Div", graph.add("Sub", values, graph.hold(high)), graph.hold(length))
        beyond = graph.add("Max", below, above)
        far = graph.add("Greater", beyond, graph.hold(reach.margin))
        numbers = graph.add("Where", far, graph.add("Max", beyond, zero), graph.pick(distances, own))
        for start, end in reach.gaps[axis_numbers].transpose(1, 2, 0)[:, :, None]:
            first = graph.add("Div", graph.add("Sub", values, graph.hold(start)), graph.hold(length))
            last = graph.add("Div", graph.add("Sub", graph.hold(end), values), graph.hold(length))
            within = graph.add("Min", first, last)
            is_within = graph.add("Greater", within, graph.hold(reach.margin / 2))
            numbers = graph.add("Where", is_within, graph.add("Max", numbers, within), numbers)
        rest = np.array([place for place in range(len(inputs.order)) if place not in set(own.tolist())], dtype=np.int64)
        joined = graph.add("Concat", numbers, graph.pick(distances, rest), axis=1) if len(rest) else numbers
        distances = graph.pick(joined, np.argsort(np.concatenate([own, rest])))
    is_far = graph.add("Greater", distances, zero)
    lone, total = is_far, graph.sum(distances, 1, keep=True)
    if len(reach.pairs):
        lone = graph.add("Or", lone, _find_new_pairs(graph, reach, inputs, (parts, is_far)))
    if len(reach.constants):
        is_member, n_broken = _find_broken_sums(graph, scoring, reach, inputs, (encoded, is_far))
        lone, total = graph.add("Or", lone, is_member), graph.add("Add", total, n_broken)
    owners = np.zeros((len(inputs.order), len(scoring.feature_names)))
    owners[np.arange(len(inputs.order)), [scoring.players[column] for column in inputs.order]] = 1.0
    counted = graph.add("MatMul", graph.add("Cast", lone, to=_DOUBLE), graph.hold(owners))
    return graph.add("Greater", counted, zero), total


def _find_new_pairs(graph: GraphNodes, reach: ReachTables, inputs: GraphInputs, placed: tuple[str, str]) -> str:
    """Whether each column is in a pair, both inside, that no fitted row combines; shape (n_rows, n_columns)."""
    parts, is_far = placed
    inside = graph.add("Where", is_far, graph.hold(-1, np.int64), parts)
    where = np.argsort(inputs.order)
    first, second = (graph.pick(inside, where[reach.pairs[:, side]]) for side in (0, 1))
    zero, width = graph.hold(0, np.int64), reach.side + 1
    code = graph.add("Max", graph.add("Add", graph.add("Mul", first, graph.hold(width, np.int64)), second), zero)
    starts = graph.hold(np.arange(len(reach.pairs), dtype=np.int64)[None] * width**2, np.int64)
    is_seen = graph.add("Gather", graph.hold(reach.is_seen.ravel(), bool), graph.add("Add", code, starts))
    is_inside = graph.add("Not", graph.add("Or", graph.add("Less", first, zero), graph.add("Less", second, zero)))
    is_new = graph.add("And", is_inside, graph.add("Not", is_seen))
    member = np.zeros((len(reach.pairs), len(inputs.order)), dtype=np.float32)
    for side in (0, 1):
        member[np.arange(len(reach.pairs)), where[reach.pairs[:, side]]] = 1.0
    counted = graph.add("MatMul", graph.add("Cast", is_new, to=_FLOAT), graph.hold(member, np.float32))
    return graph.add("Greater", counted, graph.hold(0.0, np.float32))


def _find_broken_sums(
    graph: GraphNodes, scoring: Scoring, reach: ReachTables, inputs: GraphInputs, placed: tuple[EncodedTensors, str]
) -> tuple[str, str]:
    """Whether each column is in a sum, all columns of it inside, that is another in all fitted rows, and how many sums are.

    Shapes (n_rows, n_columns), bool, and (n_rows, 1), float64.
    """
    encoded, is_far = placed
    own = reach.coefficients[:, inputs.order]
    member = (own != 0).astype(np.float32)
    values = graph.add("Cast", encoded.cells, to=_DOUBLE)
    is_axis = np.array([scoring.columns[column].levels is None for column in inputs.order])
    if is_axis.any():
        numbers = graph.pick("numbers", np.where(is_axis, np.arange(len(is_axis)), np.argmax(is_axis)))
        values = graph.add("Where", graph.hold(is_axis[None], bool), numbers, values)
    is_missing = graph.add("IsNaN", values)
    known = graph.add("Where", is_missing, graph.hold(0.0), values)
    totals = graph.add("MatMul", known, graph.hold(own.T))
    away = graph.add("Abs", graph.add("Sub", totals, graph.hold(reach.constants[None])))
    left_out = graph.add("Cast", graph.add("Or", is_missing, is_far), to=_FLOAT)
    zero = graph.hold(0.0, np.float32)
    is_judged = graph.add("Not", graph.add("Greater", graph.add("MatMul", left_out, graph.hold(member.T, np.float32)), zero))
    is_broken = graph.add("And", graph.add("Greater", away, graph.hold(1.0)), is_judged)
    counted = graph.add("MatMul", graph.add("Cast", is_broken, to=_FLOAT), graph.hold(member, np.float32))
    n_broken = graph.sum(graph.add("Cast", is_broken, to=_DOUBLE), 1, keep=True)
    return graph.add("Greater", counted, zero), n_broken
