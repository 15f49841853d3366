"""Where an order fails: parts of the rows, found by a tree on half of them and measured on the other half."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table.bases import ColumnEncoder
from ..table.units import find_unit
from .figures import Figure, estimate_share
from .held_rows import Rows, mark_missing

# Questions a segment may need, and the rows it holds at least: this share of all, and this number.
_MAX_DEPTH = 4
_MIN_SHARE, _MIN_ROWS = 0.02, 25
# What holds for most rows is no segment: the others, which are explained better, would be the exception.
_MAX_SHARE = 0.5
MAX_SEGMENTS = 3
# Mean squared residual of a segment beside that of all other rows, and how sure that it is larger (standard errors).
_WORSE = 1.5
_CERTAIN = 4.0
# Values of a column that are named one by one.
_MAX_NAMED = 6
# Numbers that float32 holds with all its digits.
_FLOAT32 = 2.0**100


@dataclass(frozen=True)
class Segment:
    """Rows that an order explains badly.

    Attributes
    ----------
    conditions : tuple of str
        In the columns' own units; all must hold.
    share : float
        Share of the rows.
    carried : Figure
        Share of the outputs' squared distance from the base value that is reproduced in these rows.
    lost : float
        Share of everything left unexplained that lies in these rows.
    """

    conditions: tuple[str, ...]
    share: float
    carried: Figure
    lost: float


@dataclass(frozen=True)
class _Region:
    """A node of a tree: for every column a range of its numbers, or some of its cells."""

    lows: NDArray[np.float64]
    highs: NDArray[np.float64]

    def holds(self, coded: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray(((coded > self.lows) & (coded <= self.highs)).all(axis=1))


def find_segments(
    rows: Rows, residual: NDArray[np.float64], deviation: NDArray[np.float64]
) -> tuple[tuple[Segment, ...], tuple[NDArray[np.bool_], ...]]:
    """The worst parts of the rows, disjoint, the surest first; and which rows each holds.

    Parameters
    ----------
    rows : Rows
    residual : ndarray of shape (n_rows, n_outputs), float64
        Held out, in spreads of the outputs.
    deviation : ndarray of shape (n_rows, n_outputs), float64
        Distances of the outputs from the base value, in spreads.
    """
    squared, whole = (residual**2).sum(axis=1), (deviation**2).sum(axis=1)
    least = max(_MIN_ROWS, int(_MIN_SHARE * len(rows)))
    if len(rows) < 4 * least or squared.sum() <= 1e-9 * whole.sum():
        return (), ()
    search, check = rows.halves, ~rows.halves
    coded, orders = _order_cells(rows, squared, search)
    regions = _grow(coded[search], np.sqrt(squared[search]), rows.weights[search], least // 2)
    found: list[tuple[Segment, NDArray[np.bool_]]] = []
    free = np.ones(len(rows), dtype=bool)
    for _ in range(MAX_SEGMENTS):
        best = _find_worst(regions, coded, squared, rows.weights, search & free, least // 2)
        if best is None:
            break
        inside = best.holds(coded)
        regions = [region for region in regions if not (region.holds(coded) & inside).any()]
        free &= ~inside
        segment = _verify(rows, best, orders, inside, check, squared, whole)
        if segment is not None:
            found.append((segment, inside))
    found.sort(key=lambda each: each[0].carried.value)
    return tuple(segment for segment, _ in found), tuple(inside for _, inside in found)


def _order_cells(
    rows: Rows, squared: NDArray[np.float64], search: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], dict[int, NDArray[np.int64]]]:
    """Columns a tree can cut: numbers (missing: below all), and categories by rising mean residual of the rows searched."""
    coded = rows.values.copy()
    orders = {}
    sizes = np.sqrt(squared)
    for position, column in enumerate(rows.columns):
        if not column.is_category:
            missing = np.isnan(coded[:, position])
            coded[missing, position] = -np.inf if missing.all() else mark_missing(np.nanmin(coded[:, position]))
            if missing.all():
                coded[:, position] = 0.0
            continue
        cells = coded[:, position].astype(np.int64)
        weights = np.bincount(cells[search], weights=rows.weights[search], minlength=column.n_cells)
        sums = np.bincount(cells[search], weights=(rows.weights * sizes)[search], minlength=column.n_cells)
        middle = sums.sum() / max(weights.sum(), 1e-300)
        ranking = np.argsort((sums + 5 * middle) / (weights + 5), kind="stable")
        place = np.empty(column.n_cells)
        place[ranking] = np.arange(column.n_cells)
        coded[:, position] = place[cells]
        orders[position] = ranking
    return coded, orders


def _grow(
    coded: NDArray[np.float64], sizes: NDArray[np.float64], weights: NDArray[np.float64], least: int
) -> list[_Region]:
    """Every node of a shallow regression tree but its root."""
    from sklearn.tree import DecisionTreeRegressor

    # The tree reads float32: each column at the scale of its middle, cut where that ends.
    units = np.array([find_unit(float(np.median(np.abs(column)))) for column in coded.T])
    readable = np.clip(coded / units, -_FLOAT32, _FLOAT32)
    tree = DecisionTreeRegressor(max_depth=_MAX_DEPTH, min_samples_leaf=max(least, 1), random_state=0)
    nodes = tree.fit(readable, sizes, sample_weight=weights).tree_
    n_columns = coded.shape[1]
    regions = {0: _Region(np.full(n_columns, -np.inf), np.full(n_columns, np.inf))}
    for node in range(nodes.node_count):
        if nodes.children_left[node] < 0:
            continue
        column, cut, parent = nodes.feature[node], nodes.threshold[node], regions[node]
        cut = cut * units[column]
        lows, highs = parent.lows.copy(), parent.highs.copy()
        highs[column], lows[column] = min(highs[column], cut), max(lows[column], cut)
        regions[nodes.children_left[node]] = _Region(parent.lows, highs)
        regions[nodes.children_right[node]] = _Region(lows, parent.highs)
    del regions[0]
    return list(regions.values())


def _find_worst(
    regions: list[_Region],
    coded: NDArray[np.float64],
    squared: NDArray[np.float64],
    weights: NDArray[np.float64],
    free: NDArray[np.bool_],
    least: int,
) -> _Region | None:
    """The region that is most surely worse than the other rows."""
    scored = []
    for number, region in enumerate(regions):
        inside = region.holds(coded) & free
        ratio, sureness = compare(squared, weights, inside, free & ~inside)
        is_part = least <= inside.sum() and weights[inside].sum() <= _MAX_SHARE * weights[free].sum()
        if is_part and ratio >= _WORSE:
            scored.append((sureness, -number))
    return regions[-max(scored)[1]] if scored else None


def compare(
    squared: NDArray[np.float64], weights: NDArray[np.float64], inside: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> tuple[float, float]:
    """Mean inside over mean outside, and their difference in standard errors."""
    if not (inside.any() and outside.any()):
        return 0.0, 0.0
    means, variances = [], []
    for part in (inside, outside):
        mean = np.average(squared[part], weights=weights[part])
        means.append(mean)
        variances.append(np.average((squared[part] - mean) ** 2, weights=weights[part]) / part.sum())
    return float(means[0] / max(means[1], 1e-300)), float((means[0] - means[1]) / max(np.sqrt(sum(variances)), 1e-300))


def _verify(
    rows: Rows,
    region: _Region,
    orders: dict[int, NDArray[np.int64]],
    inside: NDArray[np.bool_],
    check: NDArray[np.bool_],
    squared: NDArray[np.float64],
    whole: NDArray[np.float64],
) -> Segment | None:
    """The segment with its figures, if the other half of the rows agrees that it is worse."""
    own = inside & check
    ratio, sureness = compare(squared, rows.weights, own, check & ~inside)
    if ratio < _WORSE or sureness < _CERTAIN:
        return None
    carried = estimate_share(squared[own], whole[own], rows.weights[own])
    weights = rows.weights
    lost = float((weights * squared)[own].sum() / (weights * squared)[check].sum())
    conditions = describe_region(rows, region, orders, inside)
    return Segment(conditions, float(weights[inside].sum() / weights.sum()), carried, lost)


def describe_region(
    rows: Rows, region: _Region, orders: dict[int, NDArray[np.int64]], inside: NDArray[np.bool_]
) -> tuple[str, ...]:
    """A region in words: ranges of numbers, names of levels."""
    conditions = []
    for position, column in enumerate(rows.columns):
        low, high = region.lows[position], region.highs[position]
        if np.isneginf(low) and np.isposinf(high):
            continue
        if position in orders:
            conditions.append(_describe_levels(column, orders[position], low, high, rows.values[:, position]))
        else:
            is_flag = column.name in rows.flags
            conditions.append(_describe_range(column.name, rows.values[:, position], low, high, is_flag))
    return tuple(conditions)


def _describe_levels(
    column: ColumnEncoder, ranking: NDArray[np.int64], low: float, high: float, cells: NDArray[np.float64]
) -> str:
    assert column.levels is not None
    places = np.arange(len(ranking))
    present = set(np.unique(cells).astype(int).tolist())
    labels: list[Any] = [*column.levels, "other", "missing"]
    kept = [cell for cell in ranking.tolist() if cell in present]
    inside = [cell for cell in ranking[(places > low) & (places <= high)].tolist() if cell in present]
    if len(inside) > _MAX_NAMED and len(kept) - len(inside) < len(inside):
        return f"{column.name} is not {_list_names(_name_levels(column, set(kept) - set(inside), labels))}"
    return f"{column.name} is {_list_names(_name_levels(column, inside, labels))}"


def _name_levels(column: ColumnEncoder, cells: Iterable[int], labels: Sequence[Any]) -> list[str]:
    """Labels of cells in the order of the levels if they have one, else of the alphabet."""
    if not column.has_order:
        return sorted(str(labels[cell]) for cell in cells)
    places = {cell: place for place, cell in enumerate(column.shown_cells)}
    return [str(labels[cell]) for cell in sorted(cells, key=lambda cell: places.get(cell, cell))]


def _list_names(names: list[str]) -> str:
    shown = names if len(names) <= _MAX_NAMED else [*names[: _MAX_NAMED - 1], f"{len(names) - _MAX_NAMED + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def _describe_range(name: str, values: NDArray[np.float64], low: float, high: float, is_flag: bool) -> str:
    """The cut between two values of the column, or the values themselves where they are few."""
    present = values[~np.isnan(values)]
    distinct = np.unique(present)
    kept = distinct[(distinct > low) & (distinct <= high)]
    takes_missing = bool(np.isnan(values).any() and low < mark_missing(distinct[0]) <= high) if len(distinct) else True
    suffix = " or is missing" if takes_missing else ""
    if not len(kept):
        return f"{name} is missing"
    if len(distinct) <= 32:
        if len(kept) == 1:
            return f"{name} is {bool(kept[0]) if is_flag else _format(kept[0])}{suffix}"
        if kept[0] == distinct[0]:
            return f"{name} is at most {_format(kept[-1])}{suffix}"
        if kept[-1] == distinct[-1]:
            return f"{name} is at least {_format(kept[0])}{suffix}"
        return f"{name} is from {_format(kept[0])} to {_format(kept[-1])}{suffix}"
    if np.isposinf(high):
        return f"{name} is above {_format(low)}{suffix}"
    if np.isneginf(low) or low < distinct[0]:
        return f"{name} is at most {_format(high)}{suffix}"
    return f"{name} is above {_format(low)} and at most {_format(high)}{suffix}"


def _format(value: float) -> str:
    return f"{value:.4g}"
