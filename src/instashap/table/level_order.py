"""The order of a category column's levels, in which their names have no say: renaming levels changes nothing."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import Table

# Digits to which weights and marks are compared: the order of rows, which changes their sums' last digits, decides nothing.
_DIGITS = 9


def rank_levels(
    codes: NDArray[np.int64],
    levels: Sequence[Any],
    weights: NDArray[np.float64],
    mark_rows: Callable[[], NDArray[np.float64]] | None = None,
) -> list[int]:
    """Positions of the levels by falling weight; those of equal weight by the mean mark of their rows, and last by their text.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,), int64
        Level of each row, -1 for missing.
    levels : sequence of length n_levels
    weights : ndarray of shape (n_rows,), float64
    mark_rows : callable or None
        Returns a number for each row, shape (n_rows,), as :func:`measure_rows` does; called only if levels have equal weights.

    Examples
    --------
    >>> rank_levels(np.array([0, 1, 1, 2]), ["a", "b", "c"], np.ones(4))
    [1, 0, 2]
    """
    known = codes >= 0
    codes, weights = codes[known], weights[known]
    totals = np.bincount(codes, weights=weights, minlength=len(levels))
    rounded = np.round(totals / max(totals.sum(), 1e-300), _DIGITS)
    means = np.zeros(len(levels))
    if mark_rows is not None and len(np.unique(rounded)) < len(levels):
        marks = np.bincount(codes, weights=weights * mark_rows()[known], minlength=len(levels))
        means = np.round(marks / np.maximum(totals, 1e-300), _DIGITS)
    return sorted(range(len(levels)), key=lambda i: (-rounded[i], means[i], str(levels[i])))


def measure_rows(table: Table, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """How unusual each row is, shape (n_rows,), in whatever unit and order columns and rows come.

    It is the mean over columns: of a number, of its distance from the column's mean in mean distances; of a category, of the
    share of the weight that its level has; missing values count 0.
    """
    marks = np.zeros(table.n_rows)
    for place in range(table.numbers.shape[1]):
        marks += _measure_distances(np.asarray(table.numbers[:, place], dtype=np.float64), weights)
    for codes, levels in table.categories:
        shares = np.bincount(codes + 1, weights=weights, minlength=len(levels) + 1) / weights.sum()
        shares[0] = 0.0
        marks += shares[codes + 1]
    return marks / len(table.schema.names)


def _measure_distances(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each value from their mean, over the mean distance; 0 for values that are not finite."""
    distances = np.zeros_like(values)
    known = np.flatnonzero(np.isfinite(values) & (weights > 0))
    largest = np.abs(values[known]).max(initial=0.0)
    if largest == 0.0:
        return distances
    scaled, own = values[known] / largest, weights[known]
    from_mean = np.abs(scaled - np.average(scaled, weights=own))
    spread = np.average(from_mean, weights=own)
    distances[known] = from_mean / spread if spread > 0 else 0.0
    return distances
