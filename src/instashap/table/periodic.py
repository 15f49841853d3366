"""Periodic number columns: hours of the day, months, angles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from .bases import Axis, LearntColumn, pack_basis
from .cells import Cells, finish_column
from .counted import CountedValues
from .grain import ROWS_PER_INTERVAL, Grain, drop_rounding

# Fewest intervals of a period: a cubic spline on fewer cannot have both a peak and a trough.
_LEAST_INTERVALS = 4
# Fewest functions that are repeated at the end of a period: second differences around the period then are those of neighbours.
_LEAST_REPEATED = 2
# Size of the differences between the weights of intervals in the roughness, and the ratio whose multiples make all different.
_TILT, _GOLDEN = 0.02, 0.6180339887498949


@dataclass(frozen=True)
class Periodic:
    """Basis of a periodic spline, for hours, weekdays, months, angles.

    Value, slope and curvature of a main effect agree at both ends of the period; a side of an interaction, which has hat
    functions, has equal values there. Values beyond the period are not wrapped into it: pass a column modulo its period.

    Parameters
    ----------
    period : float, optional
        Length of the period, in the column's own units. Default: the range of whole numbers plus 1, 24 for hours 0 to 23.
    start : float, optional
        Where a period begins. Default: 0 if all values lie between 0 and the period, else the lowest value.

    Examples
    --------
    >>> import numpy as np
    >>> from instashap import Explainer, Periodic
    >>> rng = np.random.default_rng(0)
    >>> X = np.column_stack([rng.integers(0, 24, 500), rng.normal(size=500)])
    >>> explainer = Explainer(bases={0: Periodic(24)}, order=1).fit(X, outputs=np.cos(X[:, 0] * np.pi / 12) + X[:, 1])
    >>> ends = explainer.predict(np.array([[0.0, 0.0], [24.0, 0.0]]))
    >>> bool(abs(ends[0] - ends[1]) < 1e-9)
    True
    """

    period: float | None = None
    start: float | None = None

    def learn(self, column: CountedValues, grain: Grain) -> LearntColumn:
        """A column with equally spaced knots, so many that intervals hold enough rows on average."""
        start, period = self._find_period(column)
        n_filled = drop_rounding(column.totals.sum()) / ROWS_PER_INTERVAL
        wanted = int(np.clip(n_filled, _LEAST_INTERVALS, grain.n_intervals)) // 2 * 2
        n_steps = _count_steps(column.values * column.unit, start, period)
        n_intervals = n_steps if _LEAST_INTERVALS <= n_steps <= 2 * wanted else wanted
        knots = (start + period * np.arange(n_intervals + 1) / n_intervals) / column.unit
        points = np.zeros(n_intervals, dtype=bool), np.empty(0, dtype=np.int64)
        cells = Cells(knots[:-1], knots[1:], *points, knots[1:-1])
        axes, kept = [], knots[:-1]
        for step, degree in zip(grain.nesting, grain.degrees, strict=True):
            kept = knots[:-1][::step] if n_intervals > step else kept
            axes.append(_make_axis(cells, kept, period / column.unit, degree))
        return finish_column(column.name, cells, axes, ())

    def _find_period(self, column: CountedValues) -> tuple[float, float]:
        """Start and length of the period; raises ``ValueError`` if they are unknown, or if values lie outside."""
        values = column.values * column.unit if len(column) else np.zeros(1)
        low, high = float(values[0]), float(values[-1])
        if self.period is not None:
            period = _check_period(self.period)
        elif _is_whole(values):
            period = high - low + 1.0
        else:
            raise ValueError(
                f"column {column.name!r} holds numbers that are not whole, so that its period is unknown: "
                "pass Periodic(period), for example Periodic(360) for angles in degrees"
            )
        start = self.start if self.start is not None else 0.0 if low >= 0.0 and high <= period else low
        if low < start or high > start + period:
            raise ValueError(
                f"column {column.name!r} has values from {low:g} to {high:g}, beyond the period from {start:g} to "
                f"{start + period:g}: pass the column modulo its period, or another period or start"
            )
        return float(start), period


def _check_period(period: Any) -> float:
    if isinstance(period, bool) or not isinstance(period, Real) or not 0 < float(period) < np.inf:
        raise ValueError(f"period must be a finite number above 0, got {period!r}")
    return float(period)


def _count_steps(values: NDArray[np.float64], start: float, period: float) -> int:
    """Number of equal steps of a period on which all values lie, such as 24 hours of a day; 0 if there is none."""
    if len(values) < 2:
        return 0
    step = float(np.diff(values).min())
    places = np.append(values - start, period) / step
    return round(period / step) if np.allclose(places, np.round(places), rtol=0.0, atol=1e-6) else 0


def _is_whole(values: NDArray[np.float64]) -> bool:
    return bool((values == np.round(values)).all())


def _make_axis(cells: Cells, knots: NDArray[np.float64], period: float, degree: int) -> Axis:
    """Axis of a periodic spline on the knots of one period, with a further function for missing values.

    Its functions in the cells are ordinary B-splines on the knots, continued to both sides; the first and the last ``degree``
    of them (but at least two, of which a hat function may be zero in every cell) have the same coefficients.
    """
    sequence, wrap = _continue(knots, period, degree)
    nodes = np.linspace(0.0, 1.0, degree + 1)
    inverse = np.linalg.inv(np.vander(nodes, increasing=True))
    places = cells.lows[:, None] + nodes * (cells.highs - cells.lows)[:, None]
    curves = BSpline.design_matrix(places.ravel(), sequence, degree).toarray().reshape(*places.shape, len(wrap))
    dense = np.zeros((len(places) + 1, len(wrap), degree + 1))
    dense[:-1] = (inverse @ curves).transpose(0, 2, 1)
    owner = np.full(len(dense), -1)
    owner[-1] = 0
    expansion = np.vstack([np.zeros((1, len(knots))), wrap])
    orders = {order: _compute_roughness(knots, period, (degree, order)) for order in (2, 3)}
    basis = replace(pack_basis(dense, owner, 1), n_repeated=len(wrap) - len(knots))
    return Axis(basis, expansion, orders, (0,))


def _compute_roughness(knots: NDArray[np.float64], period: float, asked: tuple[int, int]) -> NDArray[np.float64]:
    """Rows D of a penalty ``cᵀ Dᵀ D c`` on squared derivatives around the period.

    Derivatives are in units of the period over π. The penalty of one wave per period is then small beside that of two, as for
    straight lines and parabolas in other columns (1 500 rows of one wave with noise of half its size: error .070 in units of
    the period, .056 in these). A sine and a cosine of the same frequency are equally rough, so that only rounding would order
    them; the weights of intervals therefore differ by up to a hundredth.
    """
    degree, order = asked
    n_knots = len(knots)
    tilts = np.sqrt(1.0 + _TILT * (np.arange(1, n_knots + 1) * _GOLDEN % 1.0 - 0.5))
    if degree == 1:
        rows = _difference(knots, period, order) * tilts[:, None]
    else:
        sequence, wrap = _continue(knots, period, degree)
        nodes, weights = np.polynomial.legendre.leggauss(degree - order + 2)
        half = np.diff(np.append(knots, knots[0] + period)) / 2
        places = (knots + half)[:, None] + half[:, None] * nodes
        curves = BSpline(sequence, wrap, degree).derivative(order)(places.ravel())
        rows = curves * (np.sqrt(half[:, None] * weights) * tilts[:, None]).ravel()[:, None]
    return np.asarray(rows * (period / np.pi) ** (order - 0.5))


def _difference(knots: NDArray[np.float64], period: float, order: int) -> NDArray[np.float64]:
    """Divided differences of neighbouring values around the period, in place of derivatives of hat functions."""
    places, differences = knots, np.eye(len(knots))
    gaps = np.full(len(knots), period)
    for _ in range(order):
        later = np.append(places[1:], places[0] + period)
        gaps = later - places
        differences = (np.roll(differences, -1, axis=0) - differences) / gaps[:, None]
        places = (later + places) / 2
    return np.asarray(differences * np.sqrt(gaps)[:, None])


def _continue(
    knots: NDArray[np.float64], period: float, degree: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The knots continued to both sides of a period, and a matrix of which coefficient each B-spline on them has, by row."""
    n_knots, n_repeated = len(knots), max(degree, _LEAST_REPEATED)
    numbers = np.arange(-degree, n_knots + n_repeated + 1)
    sequence = knots[numbers % n_knots] + period * (numbers // n_knots)
    return sequence, np.eye(n_knots)[np.arange(n_knots + n_repeated) % n_knots]
