"""Where the output jumps along a number column: thresholds that smooth curves cannot follow.

What the curves of all columns leave of the outputs is searched, column by column, for step functions that explain it beside
the column's own curve: the one that explains most first (orthogonal matching pursuit). Thresholds are first looked for among
quantiles, then among all values beside the best of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..linear.cholesky import factorise
from ..table.bases import LearntColumn
from ..table.cells import cut_between
from ..table.columns import Table
from ..table.encoding import Encoded
from .penalties import AxisFunctions, compute_axis_functions, compute_local_moments

# Quantiles between which thresholds are looked for first, values looked at around each found, and jumps of a column at most.
_N_QUANTILES = 256
_N_FINE = 64
_MAX_JUMPS = 12
# A jump must explain so many times what chance explains of the residual (the square of 5 standard deviations),
MIN_CHANCE_RATIO = 25.0
# and this share of the output's variance: a curve of many functions leaves less at a kink.
MIN_SHARE = 1e-3
# Share of a step's variance beside the curve that steps chosen before must leave.
_MIN_OWN = 1e-4
# Variance of a step beside the curve that is rounding.
_ROUNDING = 1e-9
# Fewest rows on either side of a jump.
_MIN_ROWS = 10
# Multiplications that the fit of all columns' curves may take; beyond, each column's curve is fitted by itself.
_MAX_WORK = 4e9
# Penalty on the functions' coefficients, which have unit variance; order of the derivative that curves are penalised in.
_RIDGE, _DERIVATIVE = 1e-3, 3


def find_jumps(
    table: Table,
    encoded: Encoded,
    columns: Sequence[LearntColumn],
    outputs: NDArray[np.float64],
    weights: NDArray[np.float64],
    n_functions: int,
) -> dict[int, NDArray[np.float64]]:
    """Thresholds of the number columns along which an output jumps, by position of the column.

    Columns without any are left out. Each column is searched by itself, so that columns that are alike have the same jumps.
    No rows are drawn.

    Parameters
    ----------
    table : Table
    encoded : Encoded
        Its rows.
    columns : sequence of LearntColumn
        Learnt from the table as curves and levels.
    outputs : ndarray of shape (n_rows, n_outputs), float64
    weights : ndarray of shape (n_rows,), float64
        Above zero.
    n_functions : int
        The most functions a curve has in the fit.
    """
    smooth = [number for number, column in enumerate(columns) if number not in table.bases and _is_smooth(column)]
    shares = weights / weights.sum()
    centred = outputs - shares @ outputs
    spread = np.sqrt(shares @ centred**2)
    centred = centred[:, spread > 0] / spread[spread > 0]
    if not smooth or not centred.shape[1]:
        return {}
    n_rows = float(weights.sum())
    n_all = n_functions * len(columns)
    left, every = centred, []
    if n_all < n_rows / 2 and n_rows * n_all**2 <= _MAX_WORK:
        every = [
            _evaluate(column, encoded.cells[:, number], encoded.offsets[:, number], weights, n_functions)
            for number, column in enumerate(columns)
        ]
        left = centred - _fit(np.vstack(every), shares, (np.vstack(every) * shares) @ centred)
    numbers = np.flatnonzero(~np.array(table.schema.is_category))
    found = {}
    for number in smooth:
        values = np.asarray(table.numbers[:, int(np.searchsorted(numbers, number))], dtype=np.float64)
        # A sparse column has far fewer values than rows; NaN is the last of them.
        distinct, first, owner = np.unique(values, return_index=True, return_inverse=True)
        if every:
            curve = every[number][:, first]
        else:
            places = encoded.cells[first, number], encoded.offsets[first, number]
            curve = _evaluate(columns[number], *places, _sum_by(owner, weights), n_functions)
        mass, sums = _sum_by(owner, shares), np.stack([_sum_by(owner, shares * own) for own in left.T], axis=1)
        beside = left - _fit(curve, mass, curve @ sums)[owner]
        jumps = _search_column(distinct, owner, curve, beside, shares, n_rows)
        if len(jumps):
            found[number] = jumps
    return found


def _sum_by(owner: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.bincount(owner, weights=values), dtype=np.float64)


def _is_smooth(column: LearntColumn) -> bool:
    """Whether a column is a number column with a curve that is no set of levels."""
    return not column.encoder.is_category and not column.encoder.values and bool(column.axes[0].roughness)


def _evaluate(
    column: LearntColumn,
    cells: NDArray[np.int32],
    offsets: NDArray[np.float64],
    weights: NDArray[np.float64],
    n_functions: int,
) -> NDArray[np.float64]:
    """A column's functions on rows, or on values with their weight, shape (n_functions, n_rows)."""
    axis = column.axes[0]
    moments = compute_local_moments(axis.basis, cells, offsets, weights)
    functions: AxisFunctions = compute_axis_functions(axis, *moments, _DERIVATIVE, n_functions)
    return functions.basis.tabulate(cells, offsets, functions.coefficients)


def _fit(design: NDArray[np.float64], shares: NDArray[np.float64], cross: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted ridge regression on some functions, given their products with the target: fitted values."""
    gram = (design * shares) @ design.T
    gram[np.diag_indices(len(gram))] += _RIDGE
    return np.asarray(design.T @ factorise(gram)(cross))


@dataclass
class _ByValue:
    """Sums over the rows of each of a column's values.

    Attributes
    ----------
    mass : ndarray of shape (n_values,), float64
        Of the rows' shares.
    left, squares : ndarray of shape (n_values, n_outputs), float64
        Of what is left of the outputs, and of its square, times the share.
    basis : ndarray of shape (n_functions, n_values), float64
        Orthonormal functions that span the constant, the curve and the steps chosen so far.
    n_rows : float
        Total weight.
    """

    mass: NDArray[np.float64]
    left: NDArray[np.float64]
    squares: NDArray[np.float64]
    basis: NDArray[np.float64]
    n_rows: float

    def describe(self, places: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Products of the steps above some values with 1, with the basis, and with what is left."""
        mass, curve, left = (_sum_above(each)[..., places] for each in (self.mass, self.basis * self.mass, self.left.T))
        return mass, curve, left.T

    def measure(self, place: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A step beside the basis, and by how much what it explains exceeds chance; the noise of each row is its own."""
        step = (np.arange(len(self.mass)) > place).astype(np.float64)
        step -= self.basis.T @ (self.basis @ (self.mass * step))
        noise = step**2 @ self.squares / self.n_rows
        return step, (step @ self.left) ** 2 / np.maximum(noise, 1e-300)

    def add(self, step: NDArray[np.float64]) -> None:
        """Take a step into the basis and its part out of what is left."""
        step = step / np.sqrt(self.mass @ step**2)
        fitted = np.outer(step, step @ self.left)
        self.squares = self.squares - 2.0 * fitted * self.left + fitted**2 * self.mass[:, None]
        self.left = self.left - fitted * self.mass[:, None]
        self.basis = np.vstack([self.basis, step])


def _sum_above(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over all later entries along the last axis."""
    return np.asarray(values.sum(axis=-1, keepdims=True) - np.cumsum(values, axis=-1))


def _search_column(
    distinct: NDArray[np.float64],
    owner: NDArray[np.int64],
    curve: NDArray[np.float64],
    left: NDArray[np.float64],
    shares: NDArray[np.float64],
    n_rows: float,
) -> NDArray[np.float64]:
    """Thresholds of one column, rising; its values are ``distinct[owner]``, the last of them NaN if any are missing."""
    n_known = len(distinct) - int(np.isnan(distinct[-1]))
    known = owner < n_known if n_known < len(distinct) else slice(None)
    sums = _sum_by_value(curve[:, :n_known], left[known], shares[known], owner[known], n_rows)
    fewest = (_MIN_ROWS - 1e-6) / n_rows
    above = _sum_above(sums.mass)
    places = np.flatnonzero((above >= fewest) & (sums.mass.sum() - above >= fewest))
    step = max(len(places) // _N_QUANTILES, 1)
    chosen = _pursue(replace(sums), places[::step])
    if chosen and step > 1:
        around = [np.linspace(place - step, place + step, min(2 * step + 1, _N_FINE)).round() for place in chosen]
        chosen = _pursue(sums, np.intersect1d(np.concatenate(around).astype(np.int64), places))
    return np.array([cut_between(float(distinct[place]), float(distinct[place + 1])) for place in sorted(chosen)])


def _sum_by_value(
    curve: NDArray[np.float64],
    left: NDArray[np.float64],
    shares: NDArray[np.float64],
    owner: NDArray[np.int64],
    n_rows: float,
) -> _ByValue:
    """Rows summed by value; ``curve`` holds functions of the values, ``owner`` the place of each row's value."""
    mass = _sum_by(owner, shares)
    sums, squares = (np.stack([_sum_by(owner, shares * own) for own in rows.T], axis=1) for rows in (left, left**2))
    functions = np.vstack([np.ones(len(mass)), curve])
    vectors, sizes, _ = np.linalg.svd((functions * mass) @ functions.T)
    kept = sizes > _ROUNDING * sizes[0]
    basis = (vectors[:, kept] / np.sqrt(sizes[kept])).T @ functions
    return _ByValue(mass, sums, squares, basis, n_rows)


def _pursue(sums: _ByValue, places: NDArray[np.int64]) -> list[int]:
    """Values above which a step explains most, one after the other, beside the curve and those chosen before."""
    mass, curve, cross = sums.describe(places)
    alone = sizes = mass - (curve**2).sum(axis=0)
    free = alone > _ROUNDING
    chosen: list[int] = []
    second = np.empty((0, 0))
    while len(chosen) < _MAX_JUMPS and free.any():
        gains = cross**2 / np.where(free, sizes, np.inf)[:, None]
        best = int(np.argmax(gains.sum(axis=1)))
        step, ratios = sums.measure(int(places[best]))
        if not ((gains[best] >= MIN_SHARE) & (ratios >= MIN_CHANCE_RATIO)).any():
            break
        chosen.append(int(places[best]))
        sums.add(step)
        if not len(second):  # most columns have no jump, and need no products of two steps
            second = np.minimum(mass[:, None], mass) - curve.T @ curve
        row = second[best] / second[best, best]
        cross = cross - np.outer(row, cross[best])
        second = second - np.outer(row, second[best])
        sizes = np.diag(second)
        free = free & (sizes > _MIN_OWN * alone)
        free[best] = False
    return chosen
