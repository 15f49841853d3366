"""Rows that are near copies of others: measured again, moved by noise, or written in another precision."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from .._errors import DataWarning, warn_caller
from .columns import Table
from .sparse import SparseNumbers

# Rows from which distances to the others are taken, and up to how many rows and neighbours.
_ROWS_ASKED, _MOST_ROWS, _MOST_NEIGHBOURS = 200, 100_000, 1_000
# Sorted distances from one row to the others grow little from one neighbour to the next: the median over rows of the largest
# step is about 3 in one column, 1.6 in two, 1.1 in ten and more. A step of 6 is the edge of a tight group; fewer than 30 rows
# take such steps by chance, but not of 1 000.
_STEP, _STEP_OF_FEW, _FEW = 6.0, 1e3, 30
# Neighbours that link a row to its group in one round of grouping.
_LINKS = 8
# Groups whose targets vary by more than this share of all variance are populations of their own.
_SHARE_WITHIN = 0.05
# Standard deviation of the middle nine tenths of a normal distribution.
_MIDDLE = 0.7893
# Standard deviations: where missing values lie, and what copies differ by that went through another precision or unit.
_FAR, _ROUNDING = 10.0, 1e-6


def merge_near_rows(
    table: Table, target: NDArray[Any], weights: NDArray[np.float64]
) -> tuple[Table, NDArray[Any]]:
    """Table and target with the same numbers for all rows of a tight group, where at least half of the rows lie in such groups.

    Rows are a tight group if the nearest row outside it is at least six times as far as the farthest inside. Held out beside
    its near copies, a row would say nothing about new rows, and curves would get knots between the copies. Distances are those
    of standardised columns; rows of different levels, or of which one lacks a value, are apart. In each column the group takes
    the middle one of its numbers, its target is the weighted mean (labels stay). Tables of more than 100 000 rows and sparse
    ones stay as they are, and those whose groups have different targets inside: they may be populations of their own.

    Warns ``DataWarning`` where the copies differ by more than rounding, and says what held-out figures are for.

    Examples
    --------
    >>> from instashap.table.columns import read_table
    >>> values = np.array([0.1, 0.3, 0.7, 1.5, 3.0, 9.0])
    >>> copies = read_table(np.append(values, values + 1e-9)[:, np.newaxis])
    >>> table, _ = merge_near_rows(copies, np.arange(12.0) % 6, np.ones(12))
    >>> table.numbers.ravel().tolist()
    [0.1, 0.3, 0.7, 1.5, 3.0, 9.0, 0.1, 0.3, 0.7, 1.5, 3.0, 9.0]
    """
    if isinstance(table.numbers, SparseNumbers) or not table.numbers.size or not 4 <= table.n_rows <= _MOST_ROWS:
        return table, target
    places = _standardise(table)
    edge = _find_edge(places)
    if edge is None:
        return table, target
    inside, outside = edge
    groups = _group(places, np.sqrt(inside * outside))
    is_merged = _measure_share_within(target, groups) <= _SHARE_WITHIN
    if inside > _ROUNDING:
        rows = "each group counts as one row, and held-out figures are for rows of new groups"
        if not is_merged:
            rows = "held-out figures are for more rows of the same groups, not for new groups"
        warn_caller(f"the {table.n_rows:,} rows are {groups.max() + 1:,} tight groups of near copies: {rows}", DataWarning)
    if not is_merged:
        return table, target
    numbers = np.asarray(table.numbers, dtype=np.float64)
    merged = replace(table, numbers=np.column_stack([_take_middle(values, groups) for values in numbers.T]))
    return merged, _average(target, groups, weights) if target.dtype.kind == "f" else target


def _standardise(table: Table) -> NDArray[np.float64]:
    """Columns of mean 0 and unit spread, missing values far from all, levels by number; (n_rows, n_columns).

    The spread is the standard deviation of the middle nine tenths, in units of that of a normal column: a code such as -999
    would leave the others so near to each other that rows of a second column's level looked like copies.
    """
    numbers = np.asarray(table.numbers, dtype=np.float64)
    is_known = np.isfinite(numbers)
    n_known = np.maximum(is_known.sum(axis=0), 1)
    largest = np.where(is_known, np.abs(numbers), 0.0).max(axis=0)
    scaled = np.where(is_known, numbers / np.where(largest > 0, largest, 1.0), 0.0)
    centred = np.where(is_known, scaled - scaled.sum(axis=0) / n_known, 0.0)
    spread = np.array([_measure_spread(values[known]) for values, known in zip(centred.T, is_known.T, strict=True)])
    places = np.where(is_known, centred / np.where(spread > 0, spread, 1.0), _FAR)
    return np.column_stack([places, *(codes for codes, _ in table.categories)])


def _measure_spread(values: NDArray[np.float64]) -> float:
    """Standard deviation without the twentieth of the values at either end; of all where it would be 0."""
    if not len(values):
        return 0.0
    low, high = np.quantile(values, 0.05, method="lower"), np.quantile(values, 0.95, method="higher")
    middle = float(values[(low <= values) & (values <= high)].std()) / _MIDDLE
    return middle or float(values.std())


def _find_edge(places: NDArray[np.float64]) -> tuple[float, float] | None:
    """Distances from a row to the farthest of its group and to the next group, by the median; None without tight groups.

    Asked are rows evenly spaced along the sum of the columns, whatever the order of the rows.
    """
    n_rows = len(places)
    ranked = np.argsort(places.sum(axis=1), kind="stable")
    asked = ranked[np.unique(np.linspace(0, n_rows - 1, _ROWS_ASKED).astype(np.int64))]
    n_near = min(max(n_rows // 5, 3), _MOST_NEIGHBOURS) + 1
    near = cdist(places[asked], places)
    near = np.sort(np.partition(near, n_near - 1, axis=1)[:, :n_near], axis=1)
    step = _STEP if n_rows >= _FEW else _STEP_OF_FEW
    is_edge = (near[:, :-1] > 0) & (near[:, 1:] > step * near[:, :-1])
    has_edge = is_edge.any(axis=1)
    if 2 * np.count_nonzero(has_edge) < len(asked):
        return None
    last = is_edge.shape[1] - 1 - np.argmax(is_edge[has_edge, ::-1], axis=1)
    rows = np.arange(len(last))
    return float(np.median(near[has_edge][rows, last])), float(np.median(near[has_edge][rows, last + 1]))


def _group(places: NDArray[np.float64], radius: float) -> NDArray[np.int64]:
    """Number of the group of each row: chains of steps below the radius lead from any of its rows to any other.

    Each round links rows to their nearest few, and the next goes on with one row of each group so far.
    """
    from sklearn.neighbors import NearestNeighbors

    _, first, groups = np.unique(places, axis=0, return_index=True, return_inverse=True)
    groups = groups.reshape(-1)
    while True:
        heads = places[first]
        n_links = min(_LINKS, len(heads))
        near = NearestNeighbors(n_neighbors=n_links).fit(heads).kneighbors_graph(heads, mode="distance")
        near.data[near.data == 0.0] = np.finfo(np.float64).tiny
        near.data[near.data > radius] = 0.0
        near.eliminate_zeros()
        n_groups, joined = connected_components(near, directed=False)
        groups = joined[groups].astype(np.int64)
        if n_groups == len(heads):
            return np.asarray(groups)
        first = first[np.unique(joined, return_index=True)[1]]


def _measure_share_within(target: NDArray[Any], groups: NDArray[np.int64]) -> float:
    """Share of the target's variance that is within the groups; the largest of several targets'. Labels count as numbers."""
    values = target if target.dtype.kind in "fiub" else np.unique(target, return_inverse=True)[1]
    values = np.asarray(values, dtype=np.float64).reshape(len(groups), -1)
    values = values - values.mean(axis=0)
    within = ((values - _average(values, groups, np.ones(len(groups)))) ** 2).mean(axis=0)
    total = (values**2).mean(axis=0)
    return float(np.max(np.divide(within, total, out=np.zeros(len(total)), where=total > 0)))


def _average(target: NDArray[np.floating], groups: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weighted mean of its group for each row; of the target's shape."""
    totals = np.bincount(groups, weights=weights)
    means = [np.bincount(groups, weights=weights * each) / totals for each in target.reshape(len(groups), -1).T]
    return np.asarray(np.stack(means, axis=1)[groups].reshape(target.shape))


def _take_middle(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """For each row the middle one of its group's numbers, of two the lower; missing ones are last."""
    ranked = np.lexsort([values, groups])
    sizes = np.bincount(groups)
    middles = np.cumsum(sizes) - sizes + (sizes - 1) // 2
    return np.asarray(values[ranked[middles]][groups])
