"""Columns for display: their range, the values that can be entered, and the distribution of the rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitted.game import FittedGame
from ..plots.axis_scales import AxisScale, choose_scale
from ..table.bases import ColumnEncoder
from ..table.columns import Table

# Shapes are drawn between these quantiles of the rows, as a single outlier would compress the curve of all others.
_SHOWN = (0.005, 0.995)
_N_BINS = 30
_N_PLACES = 100
# Largest number of values of a number column that are drawn one by one.
_MAX_POINTS = 64


@dataclass(frozen=True)
class ColumnView:
    """Description of one column.

    Attributes
    ----------
    name : str
    is_category : bool
    levels : list
        For a category, the values that have their own coefficient; other values are pooled.
    order : list of int
        Positions of ``levels`` in the order in which they are listed.
    has_order : bool
        Whether a category's levels are also drawn in this order; otherwise they are sorted by their effects.
    low, high, step : float
        For a number column, the range of the rows, and a step of suitable size.
    places : list of float
        For a number column, the values at which its shape is drawn, in increasing order.
    points : list of float
        For a number column, values with their own coefficient beside the curve.
    is_discrete : bool
        Whether ``places`` are all values of the column, each with its own coefficient.
    has_missing : bool
    counts : list of int
        Number of rows by level, then of the pooled and missing ones; or by bin between the first and last place.
    axis : {"linear", "log", "symlog"}
        Scale of the axis on which a number column's shape is drawn.
    threshold : float
        Of "symlog": values of smaller size are on a linear scale.
    edges : list of float
        Ends of the bins of ``counts``, evenly spaced along the axis.
    is_boolean : bool
        Whether a number column was true or false in the fit; 1 is shown as True.
    """

    name: str
    is_category: bool
    levels: list[Any]
    order: list[int]
    has_order: bool
    low: float
    high: float
    step: float
    places: list[float]
    points: list[float]
    is_discrete: bool
    has_missing: bool
    counts: list[int]
    axis: str = "linear"
    threshold: float = 1.0
    edges: list[float] = field(default_factory=list)
    is_boolean: bool = False


def view_columns(fitted: FittedGame, table: Table | None) -> list[ColumnView]:
    """Views of all columns; without rows their ranges are those of the fit."""
    numbers, categories = (iter(()), iter(())) if table is None else (iter(table.numbers.T), iter(table.categories))
    views = []
    for encoder in fitted.encoder.columns:
        if encoder.is_category:
            found = next(categories, None)
            views.append(_view_category(encoder, None if found is None else encoder.find_cells(*found)))
        else:
            own = next(numbers, None)
            view = _view_numbers(encoder, None if own is None else np.asarray(own, dtype=np.float64))
            views.append(replace(view, is_boolean=encoder.name in fitted.schema.flags))
    return views


# Numbers of a column on some rows (NaN where missing), or cells of a category.
ColumnValues = NDArray[np.float64] | NDArray[np.int32]


def place_values(fitted: FittedGame, table: Table) -> list[ColumnValues]:
    """Values of every column on the rows: numbers, or cells of a category."""
    numbers, categories = iter(table.numbers.T), iter(table.categories)
    return [
        encoder.find_cells(*next(categories)) if encoder.is_category else np.asarray(next(numbers), dtype=np.float64)
        for encoder in fitted.encoder.columns
    ]


def read_values(table: Table) -> list[list[Any]]:
    """Values by column as JSON types: numbers, text, booleans, and None for missing."""
    numbers, categories = iter(table.numbers.T), iter(table.categories)
    columns: list[list[Any]] = []
    for is_category in table.schema.is_category:
        if is_category:
            codes, levels = next(categories)
            columns.append([levels[code] if code >= 0 else None for code in codes])
        else:
            columns.append([None if value != value else float(value) for value in next(numbers)])
    return columns


def _view_category(encoder: ColumnEncoder, cells: NDArray[np.int32] | None) -> ColumnView:
    counts: list[int] = [] if cells is None else np.bincount(cells, minlength=encoder.n_cells).tolist()
    levels = list(encoder.levels or ())
    order = encoder.shown_cells, encoder.has_order
    return ColumnView(encoder.name, True, levels, *order, 0.0, 0.0, 0.0, [], [], True, bool(counts and counts[-1]), counts)


def _view_numbers(encoder: ColumnEncoder, values: NDArray[np.float64] | None) -> ColumnView:
    known = np.empty(0) if values is None else values[~np.isnan(values)]
    inside = known if len(known) else _find_fitted_range(encoder)
    low, high = float(inside.min()), float(inside.max())
    is_discrete = 0 < len(encoder.values) <= _MAX_POINTS
    shown = np.quantile(inside, _SHOWN, method="inverted_cdf")
    scale = AxisScale() if is_discrete else choose_scale(known)
    edges = scale.space(float(shown[0]), float(shown[1]), _N_BINS + 1) if shown[1] > shown[0] else np.unique(inside)
    if is_discrete:
        places = np.array(encoder.values)
    elif shown[1] > shown[0]:
        places = scale.space(float(shown[0]), float(shown[1]), _N_PLACES)
    else:
        places = np.unique(inside)
    spikes = encoder.lows[encoder.scales == 0] if not encoder.values else np.empty(0)
    return ColumnView(
        name=encoder.name,
        is_category=False,
        levels=[],
        order=[],
        has_order=True,
        low=low,
        high=high,
        step=_choose_step(inside, low, high),
        places=places.tolist(),
        points=spikes[:_MAX_POINTS].tolist(),
        is_discrete=is_discrete,
        has_missing=values is not None and len(known) < len(values),
        counts=_count(known, places, edges, is_discrete),
        axis=scale.kind,
        threshold=scale.threshold,
        edges=[] if is_discrete else edges.tolist(),
    )


def _find_fitted_range(encoder: ColumnEncoder) -> NDArray[np.float64]:
    """Ends of the cells, whose range is within that of the fitted rows."""
    spans = np.divide(1.0, encoder.scales, out=np.zeros_like(encoder.scales), where=encoder.scales > 0)
    return np.concatenate([encoder.lows, encoder.lows + spans])


def _choose_step(values: NDArray[np.float64], low: float, high: float) -> float:
    """1 for whole numbers, else the power of ten that divides the range into 100 to 1 000 steps."""
    if (values == np.rint(values)).all():
        return 1.0
    return float(10.0 ** np.floor(np.log10(max(high - low, 1e-300) / 100)))


def _count(
    known: NDArray[np.float64], places: NDArray[np.float64], edges: NDArray[np.float64], is_discrete: bool
) -> list[int]:
    if not len(known):
        return []
    if is_discrete:
        return [int((known == place).sum()) for place in places]
    return np.histogram(known, bins=edges if len(edges) > 1 else 1)[0].tolist()  # type: ignore[no-any-return]
