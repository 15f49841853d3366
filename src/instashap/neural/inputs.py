"""Inputs of nets: a few smooth functions of every column of a table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..masked.penalties import AxisFunctions, compute_axis_functions, compute_local_moments
from ..table.bases import LearntColumn
from ..table.encoding import Encoded

# Number of smooth functions of a curve that are inputs (line, parabola, …). Each is divided by its rank, so that smooth effects
# are learnt first: without the division, quadratic games take four times the steps. Two functions do as well on these games,
# but then the error on bike sharing is 4.9 instead of 4.4 %.
CURVE_FUNCTIONS = 6
# Largest number of functions of a column of levels: all for a day's hours or a year's months, the leading ones of many levels.
LEVEL_FUNCTIONS = 32


@dataclass(frozen=True)
class TableInputs:
    """Columns as functions of mean zero and unit variance on the rows they were learnt on, missing values included.

    Attributes
    ----------
    axes : tuple of AxisFunctions
        Functions of each column; a constant column has none.
    """

    axes: tuple[AxisFunctions, ...]

    @property
    def columns(self) -> NDArray[np.int64]:
        """Column of each input, shape (n_inputs,)."""
        return np.repeat(np.arange(len(self.axes)), [len(axis) for axis in self.axes])

    def evaluate(self, encoded: Encoded) -> NDArray[np.float32]:
        """Values of the inputs on rows, shape (n_rows, n_inputs)."""
        values = np.empty((len(encoded.cells), len(self.columns)), dtype=np.float32)
        stop = 0
        for column, axis in enumerate(self.axes):
            start, stop = stop, stop + len(axis)
            cells, offsets = encoded.cells[:, column], encoded.offsets[:, column]
            values[:, start:stop] = axis.basis.combine(cells, offsets, axis.coefficients)
        return values


def learn_inputs(
    columns: Sequence[LearntColumn],
    encoded: Encoded,
    weights: NDArray[np.float64],
    n_curve_functions: int = CURVE_FUNCTIONS,
    *,
    is_graded: bool = True,
) -> TableInputs:
    """Inputs of a table: the smoothest functions of curves, with spikes and missing values, and functions of levels.

    With one function of a curve, this is its standardised value. If ``is_graded``, the functions of a curve are divided by
    their ranks.
    """
    axes = []
    for position, column in enumerate(columns):
        axis = column.axes[0]
        moments = compute_local_moments(axis.basis, encoded.cells[:, position], encoded.offsets[:, position], weights)
        is_levels = bool(column.encoder.values) or column.encoder.is_category
        limit = LEVEL_FUNCTIONS if is_levels else n_curve_functions + len(axis.spikes)
        axes.append(compute_axis_functions(axis, *moments, 2, limit))
        if is_graded and not is_levels:
            axes[-1] = replace(axes[-1], coefficients=axes[-1].coefficients / axes[-1].ranks)
    return TableInputs(tuple(axes))
