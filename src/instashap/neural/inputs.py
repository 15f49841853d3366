"""What nets read of a table: every column as a few smooth functions of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..masked.penalties import AxisFunctions, compute_axis_functions, compute_local_moments
from ..table.bases import LearntColumn
from ..table.encoding import Encoded

# Smoothest functions of a curve that a net is given (line, parabola, …), each divided by its rank: what is smooth is learnt
# first. Undivided, quadratic games take four times the steps; two functions do as well there, but bike sharing's error is then
# 4.9 in place of 4.4 %.
CURVE_FUNCTIONS = 6
# Functions of a column of levels: all of a day's hours or a year's months, the leading ones of many categories.
LEVEL_FUNCTIONS = 32


@dataclass(frozen=True)
class TableInputs:
    """Columns as functions of mean zero and unit variance on the rows they were learnt on, missing values included.

    Attributes
    ----------
    axes : tuple of AxisFunctions
        Of each column; a column that never varies has none.
    """

    axes: tuple[AxisFunctions, ...]

    @property
    def columns(self) -> NDArray[np.int64]:
        """Column of each input, shape (n_inputs,)."""
        return np.repeat(np.arange(len(self.axes)), [len(axis) for axis in self.axes])

    def evaluate(self, encoded: Encoded) -> NDArray[np.float32]:
        """Inputs of rows, shape (n_rows, n_inputs)."""
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
    """Inputs of a table: the smoothest functions of curves (spikes and missing values beside them), those of levels.

    One function of a curve is its standardised values. If ``is_graded`` the functions of a curve are divided by their ranks.
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
