"""Sheets of a workbook that people read: what each column and each pair adds to the prediction."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..fitted.explanation_text import format_value
from .excel_sheets import Sheet, name_column
from .scoring import ScoredColumn, Scoring, list_numbers


def show_shapes(scoring: Scoring) -> Sheet:
    """The effect of each column's own term on the prediction, at both ends of each cell."""
    heads = ["column", "from (exclusive)", "to (inclusive)", "value", *_name_effects(scoring)]
    sheet = Sheet("Shapes", [heads], n_frozen=1, heads=0, n_names=4)
    for term in scoring.terms:
        if len(term.columns) == 1:
            column = scoring.columns[term.columns[0]]
            effects = np.einsum("ckp,po->cko", list_numbers(scoring, term), term.sums)
            for cell, (low, high, name) in enumerate(_list_cells(column)):
                ends = (effects[cell, 0], effects[cell].sum(axis=0))
                numbers = [float(each[output]) for output in range(len(scoring.base)) for each in ends]
                sheet.lines.append([column.name, low, high, name, *numbers])
    sheet.grids = [f"E2:{name_column(len(sheet.lines[0]) - 1)}{len(sheet.lines)}"]
    return sheet


def _name_effects(scoring: Scoring) -> list[str]:
    ends = [""] if len(scoring.base) == 1 else [f" · {output}" for output in scoring.output_names]
    return [f"effect at {place}{end}" for end in ends for place in ("from", "to")]


def show_pairs(scoring: Scoring) -> Sheet:
    """The effect of each pair on the prediction in the middle of its cells."""
    note = "Effect of each pair given all other columns, beyond those of its two columns, in the middle of each cell."
    sheet = Sheet("Pairs", [[note]])
    for term in scoring.terms:
        if len(term.columns) != 2:
            continue
        one, other = (scoring.columns[place] for place in term.columns)
        middles = (_find_middles(each, n) for each, n in zip((one, other), term.table.shape[:2], strict=True))
        grids = np.einsum("ai,bj,ijp,po->oab", *middles, term.table, term.sums)
        for output, grid in zip(scoring.output_names, grids, strict=True):
            sheet.lines += [[], [f"{one.name} (down) × {other.name} (across): {output}"]]
            sheet.lines.append([None, *(name for *_, name in _list_cells(other))])
            first, last = len(sheet.lines) + 1, name_column(grid.shape[1])
            sheet.lines += [[name, *line] for (*_, name), line in zip(_list_cells(one), grid.tolist(), strict=True)]
            sheet.grids.append(f"B{first}:{last}{len(sheet.lines)}")
    return sheet


def _list_cells(column: ScoredColumn) -> Iterator[tuple[float | None, float | None, str]]:
    """Ends of each cell of numbers, None where there is none, and the words for the cell."""
    if column.levels is not None:
        yield from ((None, None, format_value(level)) for level in column.levels)
        yield None, None, "other"
    elif not column.scales.any():
        for low, high, value in zip([None, *column.edges.tolist()], [*column.edges.tolist(), None], column.lows, strict=True):
            yield low, high, format_value(bool(value) if column.is_boolean else float(value))
    else:
        edges = [None, *column.edges.tolist(), None]
        for low, high in pairwise(edges):
            words = [f"above {format_value(low)}"] if low is not None else []
            words += [f"up to {format_value(high)}"] if high is not None else []
            yield low, high, ", ".join(words) or "any"
    yield None, None, "missing"


def _find_middles(column: ScoredColumn, n_functions: int) -> NDArray[np.float64]:
    """Values of all functions for pairs in the middle of each cell, shape (n_cells, n_functions)."""
    basis = column.bases[1]
    n_cells, width, n_powers = basis.polynomials.shape
    values = basis.polynomials @ (0.5 if column.levels is None else 0.0) ** np.arange(n_powers)
    found = np.zeros((n_cells, n_functions))
    np.put_along_axis(found, basis.first[:, None] + np.arange(width), values, axis=1)
    return found


def choose_format(shapes: Sheet) -> str:
    """Format of numbers with three or four digits of the largest effect."""
    sizes = [abs(each) for line in shapes.lines[1:] for each in line[4:]]
    largest = max(sizes, default=0.0) or 1.0
    return f"0.{'0' * int(np.clip(3 - np.floor(np.log10(largest)), 1, 9))}"
