"""Roughness of curves with very unevenly spaced knots, for example at quantiles of a column with heavy tails."""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .bases import Axis
from .number_axis import compute_roughness, divide_differences, evaluate_splines

# Points per interval at which a curve is evaluated on the scale of ranks.
_PLACES_PER_INTERVAL = 3
_ORDERS = (2, 3)
# Ratio of two distances between knots up to which third derivatives in the unit of either are float64.
_MOST_UNEVEN = 1e60


def even_out(axis: Axis, kept: NDArray[np.float64], degree: int) -> Axis:
    """The axis with derivatives measured by the distance between neighbouring knots, or by the rank of a value.

    Where distances differ too much for derivatives to be numbers, as beside a single 1e250, both are measured by rank.

    Parameters
    ----------
    axis : Axis
        A spline of the column's values.
    kept : ndarray of shape (n_knots,), float64
    degree : int
    """
    gaps = np.diff(kept)
    by_rank = {order: compute_rank_roughness(kept, degree, order) for order in _ORDERS}
    if gaps.max() > _MOST_UNEVEN * gaps.min():
        return replace(axis, roughness=by_rank, rank_roughness=by_rank)
    by_gap = {order: compute_local_roughness(kept, degree, order) for order in _ORDERS}
    return replace(axis, roughness=by_gap, rank_roughness=by_rank)


def compute_local_roughness(kept: NDArray[np.float64], degree: int, order: int) -> NDArray[np.float64]:
    """Rows D of a penalty on derivatives in units of the distance between neighbouring knots.

    The mean over intervals of ``(gap^order f^(order))²`` penalises a bend among dense knots as much as one among sparse knots;
    the plain integral would penalise curvature among dense knots so much that only the tails could bend. Polynomials of a
    degree below the order are not penalised.
    """
    n_intervals = len(kept) - 1
    kept = kept / np.median(np.diff(kept))  # the penalty has no unit; derivatives of a very narrow column do not fit a double
    if degree == 1:
        order = min(order, n_intervals)
        gaps = (kept[order:] - kept[:-order]) / order
        sizes = (gaps * n_intervals) ** order / np.sqrt(n_intervals)
        return np.asarray(divide_differences(kept, order)[0] * sizes[:, None])
    rows = compute_roughness(kept, degree, order, 1.0)
    gaps = np.repeat(np.diff(kept), len(rows) // n_intervals)
    return np.asarray(rows * (gaps * n_intervals)[:, None] ** (order - 0.5))


def compute_rank_roughness(kept: NDArray[np.float64], degree: int, order: int) -> NDArray[np.float64]:
    """Rows D of a penalty on derivatives by rank: differences of the curve's values at evenly spaced ranks.

    Knots are at quantiles, so that a value's rank is nearly linear in the number of knots below it; between knots it is
    interpolated by a monotone cubic.
    """
    if degree == 1:
        return _difference_ranks(len(kept), min(order, len(kept) - 1))
    from scipy.interpolate import PchipInterpolator

    n_places = _PLACES_PER_INTERVAL * (len(kept) - 1) + 1
    sequence = np.concatenate([[kept[0]] * degree, kept, [kept[-1]] * degree])
    places = PchipInterpolator(np.linspace(0.0, 1.0, len(kept)), kept)(np.linspace(0.0, 1.0, n_places))
    return _difference_ranks(n_places, order) @ evaluate_splines(sequence, degree, len(kept) + degree - 1, places)


@cache
def _difference_ranks(n_places: int, order: int) -> NDArray[np.float64]:
    """Rows that take values at evenly spaced ranks to their differences of an order, each times the root of its gap."""
    differences, gaps = divide_differences(np.linspace(0.0, 1.0, n_places), order)
    return np.asarray(differences * np.sqrt(gaps)[:, None])
