"""Splines on cells, with free values beside them, and penalties on their roughness."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .bases import Axis, pack_basis
from .cells import Cells


@dataclass(frozen=True)
class CurveScale:
    """The coordinate in which a column's curves are splines.

    Attributes
    ----------
    cells : Cells
    knots, scale : ndarray of shape (n_knots,), float64
        Knots in units of the column and of the coordinate; the map between the two is linear between knots.
    data_scale : ndarray of shape (n_distinct,), float64
        The coordinate of each distinct value.
    spread : float or None
        Unit of the roughness; None for levels, whose coordinate is their rank.
    from_end : bool
        Whether the last of equally heavy free values comes first.
    """

    cells: Cells
    knots: NDArray[np.float64]
    scale: NDArray[np.float64]
    data_scale: NDArray[np.float64]
    spread: float | None = None
    from_end: bool = False

    def make_axis(self, kept: NDArray[np.float64], degree: int, is_free: NDArray[np.bool_]) -> Axis:
        """Axis of a spline on the kept knots, with free values for the points where ``is_free`` and for missing values."""
        cells, n_own = self.cells, int(is_free.sum()) + 1
        if len(kept) < 2:
            kept = np.array([kept[0], kept[0] + 1.0]) if len(kept) else np.array([0.0, 1.0])
        sequence = np.concatenate([[kept[0]] * degree, kept, [kept[-1]] * degree])
        n_raw = len(kept) + degree - 1
        points = np.flatnonzero(cells.is_point)
        point_scale = self.data_scale[cells.spike_of] if len(points) else np.empty(0)
        point_curves = evaluate_splines(sequence, degree, n_raw, point_scale)
        nodes, inverse = _get_nodes(degree)
        places = cells.lows[:, None] + nodes * (cells.highs - cells.lows)[:, None]
        on_scale = np.interp(places, self.knots, self.scale).ravel()
        curves = evaluate_splines(sequence, degree, n_raw, on_scale).reshape(*places.shape, n_raw)
        dense = np.zeros((len(cells.lows) + 1, n_raw, degree + 1))
        intervals = np.flatnonzero(~cells.is_point)
        dense[intervals] = (inverse @ curves[intervals]).transpose(0, 2, 1)
        dense[points[~is_free], :, 0] = point_curves[~is_free]
        owner = np.full(len(dense), -1)
        owner[[*points[is_free], -1]] = np.arange(n_own)
        expansion = np.vstack([point_curves[is_free], np.zeros((1, n_raw)), np.eye(n_raw)])
        # Effects of levels are often steps: at most their second differences are penalised.
        highest = 2 if self.spread is None else 3
        unit = float(len(kept)) if self.spread is None else self.spread
        roughness = {order: compute_roughness(kept, degree, min(order, highest), unit) for order in (2, 3)}
        free = range(n_own - 1)
        spikes = (*(reversed(free) if self.from_end else free), n_own - 1)
        return Axis(pack_basis(dense, owner, n_own), expansion, roughness, spikes)


@cache
def _get_nodes(degree: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places in a cell at which a polynomial is read, and the matrix from its values there to its coefficients."""
    nodes = np.linspace(0.0, 1.0, degree + 1)
    return nodes, np.asarray(np.linalg.inv(np.vander(nodes, increasing=True)), dtype=np.float64)


_get_quadrature = cache(np.polynomial.legendre.leggauss)


def evaluate_splines(sequence: NDArray[np.float64], degree: int, n_raw: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dense values of the B-splines, shape (n_points, n_raw)."""
    from scipy.interpolate import BSpline  # only a fit needs scipy; a loaded explainer does not

    if not len(x):
        return np.empty((0, n_raw))
    clipped = np.clip(x, sequence[0], sequence[-1])
    return np.asarray(BSpline.construct_fast(sequence, np.eye(n_raw), degree)(clipped))


def compute_roughness(kept: NDArray[np.float64], degree: int, order: int, spread: float) -> NDArray[np.float64]:
    """Rows D of a squared-derivative penalty ``cᵀ Dᵀ D c``, in units of ``spread`` so that it does not depend on scale.

    The factor is kept, not the product: smooth curves cancel in D, and in the product they would lose twice the digits. A
    linear spline has no higher derivative: divided differences of its values stand in for it. Columns with too few knots
    for the order are penalised in the highest difference they have.
    """
    kept = kept / spread  # derivatives of a very narrow column would not fit a double
    if degree == 1:
        return _difference_roughness(kept, min(order, max(len(kept) - 1, 1)))
    from scipy.interpolate import BSpline

    sequence = np.concatenate([[kept[0]] * degree, kept, [kept[-1]] * degree])
    nodes, node_weights = _get_quadrature(degree + 1 - order + 1)
    half = np.diff(kept) / 2
    places = ((kept[:-1] + kept[1:]) / 2)[:, None] + half[:, None] * nodes
    curves = BSpline.construct_fast(sequence, np.eye(len(kept) + degree - 1), degree)
    weights = np.sqrt(half[:, None] * node_weights).ravel()
    return np.asarray(curves(places.ravel(), nu=order) * weights[:, None])


def _difference_roughness(kept: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    differences, gaps = divide_differences(kept, order)
    return np.asarray(differences * np.sqrt(gaps)[:, None])


def divide_differences(
    places: NDArray[np.float64], order: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows that take values at some places to divided differences of an order, and the gap each was divided by last."""
    differences = np.eye(len(places))
    gaps = np.diff(places)
    for _ in range(order):
        gaps = np.diff(places)
        differences = np.diff(differences, axis=0) / gaps[:, None]
        places = (places[1:] + places[:-1]) / 2
    return differences, gaps
