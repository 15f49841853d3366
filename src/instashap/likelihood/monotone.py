"""Scores that never fall (or never rise) with a column: tables whose every step along it goes the right way."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from .tables import TableDesign

# Main effects of constrained columns rise by at least this share of the largest entry a step, so that rounding, here and in
# all that is computed from the tables, cannot turn a level stretch into a fall.
MIN_STEP = 1e-9
# Rounds in which the two axes of an interaction of two constrained columns are made monotone in turn.
_MAX_ROUNDS = 20


@dataclass(frozen=True)
class Monotone:
    """Directions of columns, and every table's steps along them.

    If every table that reads a column is monotone in it, so is their sum. Nothing is lost by asking each: where the sum of two
    pairs is monotone for all values of their other columns, so is each, once a function of the column has moved between them.

    Attributes
    ----------
    design : TableDesign
        Tables of hats and levels, whose entries are values at nodes.
    directions : tuple of int
        Of each column: 1 rising, -1 falling, 0 free; empty if all are.
    """

    design: TableDesign
    directions: tuple[int, ...]

    def __bool__(self) -> bool:
        return any(self.directions)

    def mark(self) -> NDArray[np.float64]:
        """1 at the entries of tables that read a constrained column, else 0; shape (size,)."""
        marks = np.zeros(len(self.design))
        for term, values in enumerate(self.design.value_sets):
            marks[self.design.starts[term] : self.design.starts[term + 1]] = any(self.directions[column] for column in values)
        return marks

    def project(self, vector: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The nearest monotone tables by weighted squares; where a table has two constrained columns, about the nearest.

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
                    self._level(self._cut(table, axis, column), self._cut(own, axis, column), axis, self.directions[column])
                if np.array_equal(before, table):
                    break
            for axis, column in axes if len(axes) > 1 else []:
                curve = self._cut(table, axis, column)
                curve[...] = self.directions[column] * np.maximum.accumulate(self.directions[column] * curve, axis=axis)
        return result

    def tilt(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Monotone tables whose main effects rise strictly."""
        result, step = vector.copy(), MIN_STEP * float(np.abs(vector).max(initial=1.0))
        for term, values in enumerate(self.design.value_sets):
            if len(values) == 1 and self.directions[values[0]]:
                curve = self._cut(self.design.view(result, term), 0, values[0])
                curve += self.directions[values[0]] * step * np.arange(len(curve))[:, None]
        return result

    def _cut(self, table: NDArray[np.float64], axis: int, column: int) -> NDArray[np.float64]:
        """A view of the curve's entries along an axis; missing comes before them."""
        first = len(self.design.columns[column].axes[table.ndim - 2].spikes)
        return table[(slice(None),) * axis + (slice(first, None),)]

    @staticmethod
    def _level(curve: NDArray[np.float64], weights: NDArray[np.float64], axis: int, direction: int) -> None:
        """Isotonic regression of every line along an axis, in place."""
        lines, shares = np.moveaxis(curve, axis, -1), np.moveaxis(weights, axis, -1)
        wrong = (direction * np.diff(lines, axis=-1) < 0).any(axis=-1)
        for place in zip(*np.nonzero(wrong), strict=True):
            lines[place] = isotonic_regression(lines[place], weights=shares[place], increasing=direction > 0).x
