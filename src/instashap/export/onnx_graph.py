"""A fitted game as an ONNX graph, which onnxruntime and other runtimes score without Python.

Numbers become cells by a binary search that is unrolled, all columns at once; text becomes cells by a ``LabelEncoder``. Then
everything is a gather of coefficients, a polynomial, and one product of matrices.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from .._optional import require
from ..fitted.game import FittedGame
from ..inference.residuals import ROUNDING
from ..store.atomic import write_file
from .onnx_index import add_index
from .onnx_nodes import EncodedTensors, GraphInputs, GraphNodes
from .onnx_region import place_rows
from .opened import open_fitted
from .scoring import ScoredColumn, ScoredIndex, Scoring, ShareTables, read_scoring

OPSET, _ML_OPSET, _IR = 17, 3, 8
# Types of tensors, as onnx numbers them.
_FLOAT, _INT64, _DOUBLE = 1, 7, 11
# Text that stands for a missing value where no level is the empty text.
_MISSING, _OTHER_MISSING = "", "<missing>"


def to_onnx(explainer: Any, path: str | os.PathLike[str]) -> None:
    """Write an ONNX file (opset 17, and ``ai.onnx.ml`` 3 for text) that predicts and explains rows.

    Inputs are ``numbers``, float64 of shape (n_rows, n_number_columns), with NaN for missing and 0 or 1 for true and false, and
    ``texts``, strings of shape (n_rows, n_text_columns), with the empty text for missing; either is absent if there are no
    such columns. The metadata of the model name the columns of both in order, and the features and outputs. Outputs, all
    float64: ``prediction`` of shape (n_rows, n_outputs), ``base`` (n_outputs,), ``values`` (n_rows, n_features, n_outputs) and,
    where held-out residuals are known, ``output_share`` (n_rows,) and ``output_share_interval`` (n_rows, 2). All are on the
    scale of ``output_transform``, as those of :meth:`instashap.Explainer.predict`. A row with an infinite number, which Python
    refuses, gets NaN everywhere.

    Parameters
    ----------
    explainer : Explainer or additive estimator
    path : str or path-like

    Raises
    ------
    OptionalDependencyError
        If ``onnx`` is missing: ``pip install 'instashap[onnx]'``.
    ValueError
        For a fit that ONNX cannot express: text that a recipe converts, levels of several kinds.
    """
    write_onnx(open_fitted(explainer), path)


def write_onnx(fitted: FittedGame, path: str | os.PathLike[str]) -> None:
    """Write a fitted game; see :func:`to_onnx`."""
    onnx = require("onnx", "onnx", "ONNX files")
    write_file(path, _make_model(onnx, read_scoring(fitted, "an ONNX file")).SerializeToString())


def _make_model(onnx: Any, scoring: Scoring) -> Any:
    graph = GraphNodes(onnx)
    inputs = _split_columns(scoring)
    encoded = _encode(graph, scoring, inputs)
    outputs = _score(graph, scoring, inputs, encoded)
    helper, double = onnx.helper, onnx.TensorProto.DOUBLE
    given = []
    if inputs.numbers:
        given.append(helper.make_tensor_value_info("numbers", double, ["n_rows", len(inputs.numbers)]))
    if inputs.texts:
        given.append(helper.make_tensor_value_info("texts", onnx.TensorProto.STRING, ["n_rows", len(inputs.texts)]))
    computed = [helper.make_tensor_value_info(name, double, shape) for name, shape in outputs]
    body = helper.make_graph(graph.nodes, "instashap", given, computed, graph.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    maker = {"producer_name": "instashap", "producer_version": __version__}
    model = helper.make_model(body, opset_imports=opsets, ir_version=_IR, **maker)
    helper.set_model_props(model, _describe(scoring, inputs))
    onnx.checker.check_model(model)
    return model


def _split_columns(scoring: Scoring) -> GraphInputs:
    is_text = [column.level_kind is str for column in scoring.columns]
    taken = {level for column in scoring.columns if column.level_kind is str for level in column.levels or ()}
    missing = _MISSING if _MISSING not in taken else _OTHER_MISSING
    if missing in taken:
        raise ValueError(f"an ONNX file has no text left for missing values, as both '' and {missing!r} are levels: rename one")
    numbers = [place for place, each in enumerate(is_text) if not each]
    return GraphInputs(numbers, [place for place, each in enumerate(is_text) if each], missing)


def _describe(scoring: Scoring, inputs: GraphInputs) -> dict[str, str]:
    names = [column.name for column in scoring.columns]
    facts: dict[str, Any] = {
        "numbers": [names[place] for place in inputs.numbers],
        "texts": [names[place] for place in inputs.texts],
        "missing_text": inputs.missing_text,
        "feature_names": scoring.feature_names,
        "output_names": scoring.output_names,
        "output_transform": scoring.output_transform,
        "game": scoring.game,
    }
    return {name: each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for name, each in facts.items()}


def _encode(graph: GraphNodes, scoring: Scoring, inputs: GraphInputs) -> EncodedTensors:
    numbers = [scoring.columns[place] for place in inputs.numbers]
    texts = [scoring.columns[place] for place in inputs.texts]
    cells, offsets, invalid = [], [], None
    if numbers:
        own_cells, own_offsets, invalid = _encode_numbers(graph, numbers)
        cells.append(own_cells)
        offsets.append(own_offsets)
    for place, column in enumerate(texts):
        levels = (*(column.levels or ()), inputs.missing_text)
        codes = [*range(len(levels) - 1), column.n_cells - 1]
        cells.append(
            graph.add(
                "LabelEncoder",
                graph.pick("texts", np.array([place])),
                domain="ai.onnx.ml",
                keys_strings=list(levels),
                values_int64s=codes,
                default_int64=column.n_cells - 2,
            )
        )
    if texts:
        of_texts = graph.add("Cast", graph.add("Concat", *cells[-len(texts) :], axis=1), to=_DOUBLE)
        offsets.append(graph.add("Mul", of_texts, graph.hold(0.0)))
    joined = graph.add("Concat", *cells, axis=1)
    starts = _count_before([scoring.columns[place].n_cells for place in inputs.order])
    places = graph.add("Add", joined, graph.hold(starts[None], np.int64))
    return EncodedTensors(joined, places, graph.add("Concat", *offsets, axis=1), "numbers" if numbers else None, invalid)


def _count_before(sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.asarray(sizes, dtype=np.int64))[:-1]]).astype(np.int64)


def _sort_levels(column: ScoredColumn) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Levels of a category of numbers or flags by size, and the cell of each."""
    levels = np.array([float(level) for level in column.levels or ()])
    order = np.argsort(levels, kind="stable")
    return levels[order], order.astype(np.int64)


def _encode_numbers(graph: GraphNodes, columns: Sequence[ScoredColumn]) -> tuple[str, str, str]:
    """Cells and offsets of number columns, and what is NaN where one of them is infinite.

    The cell is the number of edges below the value; every column has as many edges as the search has places, the last ones
    infinite. A category of numbers is searched among its sorted levels.
    """
    edges = [column.edges if column.levels is None else _sort_levels(column)[0] for column in columns]
    n_steps = max(int(max(map(len, edges))).bit_length(), 1)
    size = 2**n_steps
    padded = np.full((len(columns), size), np.inf)
    for row, own in zip(padded, edges, strict=True):
        row[: len(own)] = own
    flat = graph.hold(padded.ravel())
    base = np.arange(len(columns), dtype=np.int64)[None] * size
    is_missing = graph.add("IsNaN", "numbers")
    values = graph.add("Where", is_missing, graph.hold(0.0), "numbers")
    found = graph.hold(base, np.int64)
    for step in range(n_steps - 1, -1, -1):
        half = graph.hold(2**step, np.int64)
        probe = graph.add("Add", found, graph.hold(2**step - 1, np.int64))
        is_above = graph.add("Less", graph.add("Gather", flat, probe), values)
        found = graph.add("Add", found, graph.add("Mul", graph.add("Cast", is_above, to=_INT64), half))
    cells = _find_cells(graph, columns, size, (flat, found, values))
    missing = graph.hold(np.array([[column.n_cells - 1 for column in columns]]), np.int64)
    cells = graph.add("Where", is_missing, missing, cells)
    difference = graph.add("Sub", values, _gather_spans(graph, columns, cells, "lows"))
    scales = _gather_spans(graph, columns, cells, "scales")
    is_span = graph.add("Greater", scales, graph.hold(0.0))  # the difference may be infinite
    raw = graph.add("Where", is_span, graph.add("Mul", difference, scales), graph.hold(0.0))
    offsets = graph.add("Clip", raw, graph.hold(0.0), graph.hold(1.0))
    return cells, offsets, graph.sum(graph.add("Sub", values, values), 1, keep=True)


def _find_cells(graph: GraphNodes, columns: Sequence[ScoredColumn], size: int, search: tuple[str, str, str]) -> str:
    """Cells from the places that were found: those of numbers as they are, those of levels only where the value is one."""
    flat, found, values = search
    base = np.arange(len(columns), dtype=np.int64)[None] * size
    if all(column.levels is None for column in columns):
        return graph.add("Sub", found, graph.hold(base, np.int64))
    cell_of = np.tile(np.arange(size, dtype=np.int64), (len(columns), 1))
    for row, column in zip(cell_of, columns, strict=True):
        if column.levels is not None:
            row[: len(column.levels)] = _sort_levels(column)[1]
    is_number = np.array([[column.levels is None for column in columns]])
    is_known = graph.add("Or", graph.add("Equal", graph.add("Gather", flat, found), values), graph.hold(is_number, bool))
    other = graph.hold(np.array([[column.n_cells - 2 for column in columns]]), np.int64)
    return graph.add("Where", is_known, graph.add("Gather", graph.hold(cell_of.ravel(), np.int64), found), other)


def _gather_spans(graph: GraphNodes, columns: Sequence[ScoredColumn], cells: str, part: str) -> str:
    """Lows or scales of cells; 0 for the cells of levels and of missing values."""
    spans = np.zeros((len(columns), max(column.n_cells for column in columns)))
    for row, column in zip(spans, columns, strict=True):
        if column.levels is None:
            row[: len(column.lows)] = getattr(column, part)
    starts = graph.hold(np.arange(len(columns), dtype=np.int64)[None] * spans.shape[1], np.int64)
    return graph.add("Gather", graph.hold(spans.ravel()), graph.add("Add", cells, starts))


class _Entry:
    """One part of a term, with its place in the flat table of all terms of its size."""

    def __init__(self, columns: Sequence[int], start: int, strides: Sequence[int]) -> None:
        self.columns, self.start, self.strides = columns, start, strides


def _score(graph: GraphNodes, scoring: Scoring, inputs: GraphInputs, encoded: EncodedTensors) -> list[tuple[str, list[Any]]]:
    """Outputs of the graph by name, with their shapes."""
    n_outputs, n_players = len(scoring.base), len(scoring.feature_names)
    sizes = sorted({len(term.columns) for term in scoring.terms})
    terms = [term for size in sizes for term in scoring.terms if len(term.columns) == size]
    base = graph.add("Identity", graph.hold(scoring.base), name="base")
    parts = [_look_up(graph, scoring, inputs, encoded, size) for size in sizes]
    if terms:
        joined = graph.add("Concat", *parts, axis=1)
    else:  # a constant game
        joined = graph.add("Mul", graph.pick(encoded.offsets, np.array([0])), graph.hold(0.0))
    empty = np.zeros((1, n_outputs)), np.zeros((1, n_players, n_outputs))
    sums = np.concatenate([term.sums for term in terms] or [empty[0]])
    credits = np.concatenate([term.credits for term in terms] or [empty[1]])
    total = graph.add("MatMul", joined, graph.hold(sums))
    flat = graph.add("MatMul", joined, graph.hold(credits.reshape(len(credits), -1)))
    if scoring.index is not None:
        flat = graph.add("Add", flat, _add_index(graph, scoring, scoring.index, inputs, encoded))
    if encoded.invalid is not None:
        total, flat = graph.add("Add", total, encoded.invalid), graph.add("Add", flat, encoded.invalid)
    graph.add("Add", total, base, name="prediction")
    graph.add("Reshape", flat, graph.hold([-1, n_players, n_outputs], np.int64), name="values")
    outputs: list[tuple[str, list[Any]]] = [("prediction", ["n_rows", n_outputs]), ("base", [n_outputs])]
    outputs.append(("values", ["n_rows", n_players, n_outputs]))
    if scoring.share is not None:
        _share(graph, scoring, scoring.share, inputs, encoded)
        outputs += [("output_share", ["n_rows"]), ("output_share_interval", ["n_rows", 2])]
    return outputs


def _look_up(graph: GraphNodes, scoring: Scoring, inputs: GraphInputs, encoded: EncodedTensors, size: int) -> str:
    """Values of the parts of all terms of a size, shape (n_rows, n_parts)."""
    entries, tables, start = [], [], 0
    for term in scoring.terms:
        if len(term.columns) == size:
            n_parts = term.table.shape[-1]
            strides = [int(np.prod(term.table.shape[axis + 1 :])) for axis in range(size)]
            entries += [_Entry(term.columns, start + part, strides) for part in range(n_parts)]
            tables.append(term.table.ravel())
            start += term.table.size
    return _sum_entries(graph, scoring, inputs, encoded, (entries, np.concatenate(tables)))


def _sum_entries(
    graph: GraphNodes,
    scoring: Scoring,
    inputs: GraphInputs,
    encoded: EncodedTensors,
    held: tuple[list[_Entry], NDArray[np.float64]],
) -> str:
    """Sums over the products of the active functions of each entry's columns times the entry's numbers."""
    entries, table = held
    size = len(entries[0].columns)
    used = sorted({column for entry in entries for column in entry.columns}, key=inputs.order.index)
    firsts, weights = _weigh(graph, scoring, inputs, encoded, (used, size))
    width = max(scoring.columns[column].bases[size - 1].polynomials.shape[1] for column in used)
    places = graph.hold(np.array([[entry.start for entry in entries]]), np.int64)
    offsets = np.zeros((len(entries), 1), np.int64)
    factor = None
    for axis in range(size):
        own = np.array([used.index(entry.columns[axis]) for entry in entries], dtype=np.int64)
        strides = np.array([entry.strides[axis] for entry in entries], dtype=np.int64)
        places = graph.add("Add", places, graph.add("Mul", graph.pick(firsts, own), graph.hold(strides[None], np.int64)))
        offsets = (offsets[:, :, None] + (strides[:, None] * np.arange(width))[:, None]).reshape(len(entries), -1)
        picked = graph.pick(weights, own)
        if factor is None:
            factor = picked
        else:
            pair = graph.add("Mul", graph.reshape(factor, 0, 0, -1, 1), graph.reshape(picked, 0, 0, 1, -1))
            factor = graph.reshape(pair, 0, len(entries), -1)
    assert factor is not None
    nodes = graph.add("Add", graph.reshape(places, 0, -1, 1), graph.hold(offsets[None], np.int64))
    # Functions that pad a narrow basis have weight 0; their numbers may lie beyond the last table.
    padded = np.concatenate([table, np.zeros(int(offsets.max()) + 1)])
    return graph.sum(graph.add("Mul", graph.add("Gather", graph.hold(padded), nodes), factor), 2)


def _weigh(
    graph: GraphNodes, scoring: Scoring, inputs: GraphInputs, encoded: EncodedTensors, axes: tuple[list[int], int]
) -> tuple[str, str]:
    """First active functions of some columns in terms of a size, (n_rows, n_axes), and values, (n_rows, n_axes, width)."""
    used, size = axes
    bases = [column.bases[min(size, len(column.bases)) - 1] for column in scoring.columns]
    width = max(bases[column].polynomials.shape[1] for column in used)
    n_powers = max(bases[column].polynomials.shape[2] for column in used)
    starts = _count_before([scoring.columns[place].n_cells for place in inputs.order])
    n_cells = sum(column.n_cells for column in scoring.columns)
    first, polynomials = np.zeros(n_cells, dtype=np.int64), np.zeros((n_cells, width, n_powers))
    for column in used:
        own = slice(starts[inputs.order.index(column)], None)
        basis = bases[column]
        first[own][: len(basis.first)] = basis.first
        polynomials[own][: len(basis.first), : basis.polynomials.shape[1], : basis.polynomials.shape[2]] = basis.polynomials
    places = np.array([inputs.order.index(column) for column in used], dtype=np.int64)
    cells = graph.pick(encoded.places, places)
    t = graph.reshape(graph.pick(encoded.offsets, places), 0, -1, 1)
    value = graph.add("Gather", graph.hold(polynomials[:, :, -1]), cells)
    for power in range(n_powers - 2, -1, -1):
        value = graph.add("Add", graph.add("Mul", value, t), graph.add("Gather", graph.hold(polynomials[:, :, power]), cells))
    return graph.add("Gather", graph.hold(first, np.int64), cells), value


def _add_index(graph: GraphNodes, scoring: Scoring, index: ScoredIndex, inputs: GraphInputs, encoded: EncodedTensors) -> str:
    starts = _count_before([len(score) for score in index.part.scores])
    entries = [_Entry((column,), int(start), (1,)) for column, start in zip(index.columns, starts, strict=True)]
    scores = _sum_entries(graph, scoring, inputs, encoded, (entries, np.concatenate(index.part.scores)))
    cells = graph.pick(encoded.cells, np.array([inputs.order.index(column) for column in index.columns], dtype=np.int64))
    missing = np.array([[scoring.columns[column].n_cells - 1 for column in index.columns]])
    return add_index(graph, index, scores, graph.add("Equal", cells, graph.hold(missing, np.int64)))


def _share(graph: GraphNodes, scoring: Scoring, share: ShareTables, inputs: GraphInputs, encoded: EncodedTensors) -> None:
    """Nodes of the output share and its interval; see :func:`instashap.trust.rows.compute_output_share`."""
    starts = _count_before([len(curve) for curve in share.curves])
    entries = [_Entry((column,), int(start), (1,)) for column, start in enumerate(starts)]
    curves = _sum_entries(graph, scoring, inputs, encoded, (entries, np.concatenate(share.curves)))
    logs = graph.add("Add", graph.sum(curves, 1, keep=True), graph.hold(share.level))
    usual = graph.add("Mul", graph.add("Exp", logs), graph.hold(np.array([share.typical])))
    sizes = graph.add("Max", graph.add("Sub", usual, graph.hold(ROUNDING)), graph.hold(0.0))
    bars = graph.add("Abs", "values")
    whole = graph.add("Add", _measure(graph, bars, share), sizes)
    known = _measure(graph, bars, share)
    is_lone = None
    if scoring.reach is not None:
        is_lone, distance = place_rows(graph, scoring, scoring.reach, inputs, encoded)
        lone_bars = graph.reshape(is_lone, 0, -1, 1)
        known = _measure(graph, graph.add("Where", lone_bars, graph.hold(0.0), bars), share)
        whole = graph.add("Add", whole, distance)
    is_large = graph.add("Greater", whole, graph.hold(ROUNDING))
    ratio = graph.add("Div", known, graph.add("Max", whole, graph.hold(ROUNDING)))
    shares = graph.add("Where", is_large, ratio, graph.hold(1.0))
    low = graph.pick(shares, np.array([2]))
    if is_lone is not None:
        any_lone = graph.add("Greater", graph.sum(graph.add("Cast", is_lone, to=_DOUBLE), 1, keep=True), graph.hold(0.0))
        low = graph.add("Where", any_lone, graph.hold(0.0), low)
    middle = graph.pick(shares, np.array([1]))
    ends = graph.add("Concat", low, graph.pick(shares, np.array([0])), axis=1)
    if encoded.invalid is None:
        graph.add("Reshape", middle, graph.hold([-1], np.int64), name="output_share")
        graph.add("Identity", ends, name="output_share_interval")
        return
    graph.add("Reshape", graph.add("Add", middle, encoded.invalid), graph.hold([-1], np.int64), name="output_share")
    graph.add("Add", ends, encoded.invalid, name="output_share_interval")


def _measure(graph: GraphNodes, bars: str, share: ShareTables) -> str:
    """Length of all bars of a row, (n_rows, 1): sums over features, in spreads, and their norm over outputs."""
    scaled = graph.add("Div", graph.sum(bars, 1), graph.hold(share.spread))
    return graph.add("Sqrt", graph.sum(graph.add("Mul", scaled, scaled), 1, keep=True))
