"""Projection of tables onto those that never fall (or never rise) along the constrained columns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from .tables import TableDesign

# Main effects of constrained columns rise from node to node by at least this share of the largest entry. Otherwise rounding,
# here and in what is computed from the tables, could turn a flat stretch into a fall.
MIN_STEP = 1e-9
# The most rounds in which the axes of an interaction of several constrained columns are made monotone in turn.
_MAX_ROUNDS = 20


@dataclass(frozen=True)
class Monotone:
    """Tables that are monotone in the constrained columns.

    If every table that reads a column is monotone in it, so is their sum. Constraining each table excludes no monotone sum:
    where the sum of two pairs is monotone for all values of their other columns, both pairs can be made monotone by moving a
    function of the column from one to the other.

    Attributes
    ----------
    design : TableDesign
        Tables of hat functions (piecewise linear) and levels, whose entries are values at nodes.
    directions : tuple of int
        One per column: 1 rising, -1 falling, 0 free; empty if all are free.
    """

    design: TableDesign
    directions: tuple[int, ...]

    def __bool__(self) -> bool:
        return any(self.directions)

    def mark(self) -> NDArray[np.float64]:
        """Array of shape (size,): 1 at the entries of tables that read a constrained column, else 0."""
        marks = np.zeros(len(self.design))
        for term, values in enumerate(self.design.value_sets):
            marks[self.design.starts[term] : self.design.starts[term + 1]] = any(self.directions[column] for column in values)
        return marks

    def project(self, vector: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The nearest monotone tables by weighted squared distance; only nearly so for tables of several constrained columns.

        Parameters
        ----------
        vector : ndarray of shape (size,), float64
        weights : ndarray of shape (size,), float64
            Above zero in constrained tables.
        """
        result = vector.copy()
        for term, values in enumerate(self.design.value_sets):
            axes = [(axis, column) for axis, column in enumerate(values) if self.directions[column]]
            table, own = self.design.view(result, term), self.design.view(weights, term)
            for _ in range(_MAX_ROUNDS if len(axes) > 1 else len(axes)):
                before = table.copy()
                for axis, column in axes:
                    curve, shares = self._view_curve(table, axis, column), self._view_curve(own, axis, column)
                    self._make_monotone(curve, shares, axis, self.directions[column])
                if np.array_equal(before, table):
                    break
            for axis, column in axes if len(axes) > 1 else []:
                curve = self._view_curve(table, axis, column)
                curve[...] = self.directions[column] * np.maximum.accumulate(self.directions[column] * curve, axis=axis)
        return result

    def tilt(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Monotone tables whose constrained main effects rise (or fall) strictly."""
        result, step = vector.copy(), MIN_STEP * float(np.abs(vector).max(initial=1.0))
        for term, values in enumerate(self.design.value_sets):
            if len(values) == 1 and self.directions[values[0]]:
                curve = self._view_curve(self.design.view(result, term), 0, values[0])
                curve += self.directions[values[0]] * step * np.arange(len(curve))[:, None]
        return result

    def _view_curve(self, table: NDArray[np.float64], axis: int, column: int) -> NDArray[np.float64]:
        """A view of the table without the entries for missing and special values, which come first along the axis."""
        first = len(self.design.columns[column].axes[table.ndim - 2].spikes)
        return table[(slice(None),) * axis + (slice(first, None),)]

    @staticmethod
    def _make_monotone(curve: NDArray[np.float64], weights: NDArray[np.float64], axis: int, direction: int) -> None:
        """Replace every line along an axis by its isotonic regression."""
        lines, shares = np.moveaxis(curve, axis, -1), np.moveaxis(weights, axis, -1)
        wrong = (direction * np.diff(lines, axis=-1) < 0).any(axis=-1)
        for place in zip(*np.nonzero(wrong), strict=True):
            lines[place] = isotonic_regression(lines[place], weights=shares[place], increasing=direction > 0).x
