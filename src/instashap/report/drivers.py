"""Where predictions are highest and lowest on average, by the values of a single column: sentences for the first screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .column_views import ColumnValues, ColumnView
from .row_outputs import Floats, RowOutputs

# Number of features in sentences; largest number of groups of a column of many numbers, and rows that each has about; smallest
# number of rows of a group.
N_DRIVERS, _N_GROUPS, _GROUP_ROWS, _MIN_ROWS = 3, 10, 25, 10
# Largest number of values of a number column that may be groups of their own.
_MAX_VALUES = 31


@dataclass(frozen=True)
class Group:
    """Rows that share a value, or a range of values, of one column.

    Attributes
    ----------
    name : list
        The value, or the lowest and the highest one.
    mean : float
        Mean response (a probability or an amount) of the rows.
    known : float or None
        Mean known outcome of the rows that have one.
    n_rows : int
    """

    name: list[Any]
    mean: float
    known: float | None
    n_rows: int


@dataclass(frozen=True)
class Driver:
    """The groups of a column with the highest and with the lowest mean; ``player`` is the column's feature."""

    player: int
    high: Group
    low: Group


def find_drivers(
    players: tuple[int, ...], views: list[ColumnView], values: list[ColumnValues], found: RowOutputs, importance: Floats
) -> list[list[Driver]]:
    """For each output, drivers among the strongest features; features of several columns, or of one group, have none.

    Parameters
    ----------
    players : tuple of int
        The feature of each column.
    views : list of ColumnView
    values : list of ndarray
        Values of each column on the rows of ``found``.
    importance : ndarray of shape (n_features, n_outputs), float64
    """
    strongest = np.argsort(-importance, axis=0, kind="stable")[:N_DRIVERS]
    return [
        [each for player in strongest[:, output].tolist() if (each := _find(player, output, players, views, values, found))]
        for output in range(importance.shape[1])
    ]


def _find(
    player: int, output: int, players: tuple[int, ...], views: list[ColumnView], values: list[ColumnValues], found: RowOutputs
) -> Driver | None:
    if players.count(player) != 1:
        return None
    column = players.index(player)
    truths = None if found.truths is None else found.truths[:, output]
    groups = [
        _average(name, rows, found.responses[:, output], truths)
        for name, rows in _split(views[column], values[column])
        if len(rows) >= _MIN_ROWS
    ]
    if len(groups) < 2:
        return None
    ranked = sorted(groups, key=lambda group: group.mean)
    return Driver(player, ranked[-1], ranked[0]) if ranked[-1].mean > ranked[0].mean else None


def _average(name: list[Any], rows: NDArray[np.int64], responses: Floats, truths: Floats | None) -> Group:
    known = np.empty(0) if truths is None else truths[rows][~np.isnan(truths[rows])]
    return Group(name, float(responses[rows].mean()), float(known.mean()) if len(known) else None, len(rows))


def _split(view: ColumnView, values: ColumnValues) -> list[tuple[list[Any], NDArray[np.int64]]]:
    """Names of groups, each with its rows; pooled and missing values are in none.

    A few numbers are groups of their own if half of the rows at least are in groups that are large enough; else ranges are.
    """
    if view.is_category:
        return [([view.levels[cell]], np.flatnonzero(values == cell)) for cell in range(len(view.levels))]
    known = values[~np.isnan(values)]
    distinct, counts = np.unique(known, return_counts=True)
    if len(distinct) <= _MAX_VALUES and 2 * counts[counts >= _MIN_ROWS].sum() >= len(known):
        return [([value], np.flatnonzero(values == value)) for value in distinct.tolist()]
    n_groups = min(max(len(known) // _GROUP_ROWS, 2), _N_GROUPS)
    ends = np.quantile(known, np.linspace(0, 1, n_groups + 1)[1:-1], method="inverted_cdf")
    place = np.where(np.isnan(values), -1, np.searchsorted(np.unique(ends), values))  # a group holds its upper end
    rows = [np.flatnonzero(place == group) for group in range(n_groups)]
    return [([float(values[own].min()), float(values[own].max())], own) for own in rows if len(own)]
