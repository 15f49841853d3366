"""Which number columns are codes (stores, weeks): their values have effects of their own beside a smooth curve."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..table.bases import Axis, LearntColumn
from ..table.columns import Table
from ..table.encoding import TableEncoder
from .penalties import compute_axis_functions, compute_local_moments

# A level needs so many rows on average: below, its mean is noise, and the column is as good as continuous.
ROWS_PER_CODE = 3
# What a curve leaves out must stand so many standard deviations above chance,
MIN_SIGNIFICANCE = 5.0
# Free values must also save this share of what the column explains: below, the smooth curve is the simpler model.
MIN_SAVING = 0.15
# Free values must also save this share of the output's variance.
MIN_SHARE = 0.005
# Order of the derivative that main effects are penalised in first.
_DERIVATIVE = 3


def find_codes(
    table: Table,
    encoder: TableEncoder,
    columns: Sequence[LearntColumn],
    outputs: NDArray[np.float64],
    weights: NDArray[np.float64],
    n_functions: int,
    candidates: Iterable[int] | None = None,
) -> tuple[int, ...]:
    """Positions of the number columns whose main effect has a lower held-out risk with a free value for each number.

    Each column is judged by itself, on the mean output given the column, which is what its main effect is in the conditional
    game. The residual r of the curve is held out within each value: the products of the residuals of different rows of a value
    have mean zero where the curve is right, and the squared departure of that value where it is not: their mean is the squared
    mean of r less its variance. No rows are drawn, so their order does not count.

    Parameters
    ----------
    table : Table
    encoder : TableEncoder
    columns : sequence of LearntColumn
        Learnt from the table as curves.
    outputs : ndarray of shape (n_rows, n_outputs), float64
    weights : ndarray of shape (n_rows,), float64
        Above zero.
    n_functions : int
        The most functions a curve has in the fit.
    candidates : iterable of int, optional
        Positions of the columns to judge; default: all.
    """
    found = []
    judged = set(range(len(columns)) if candidates is None else candidates)
    spread = outputs.std(axis=0)
    scaled = (outputs - outputs.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    numbers = iter(range(table.numbers.shape[1]))
    for position, is_category in enumerate(table.schema.is_category):
        if is_category:
            continue
        number = next(numbers)
        if position not in judged:
            continue
        values = np.asarray(table.numbers[:, number], dtype=np.float64)
        present = np.flatnonzero(~np.isnan(values))
        distinct, places = np.unique(values[present], return_inverse=True)
        if not n_functions < len(distinct) <= weights[present].sum() / ROWS_PER_CODE:
            continue
        fit = partial(_fit_curve, encoder, columns[position].axes[0], position, distinct, places)
        if _is_code(partial(fit, weights[present], n_functions), places, scaled[present], weights[present]):
            found.append(position)
    return tuple(found)


def _fit_curve(
    encoder: TableEncoder,
    axis: Axis,
    position: int,
    distinct: NDArray[np.float64],
    places: NDArray[np.int64],
    weights: NDArray[np.float64],
    n_functions: int,
) -> NDArray[np.float64]:
    """The curve's functions at each value, and the constant; shape (n_values, n_functions + 1)."""
    column = encoder.columns[position]
    cells = np.searchsorted(column.edges, distinct).astype(np.int32)
    offsets = np.clip((distinct - column.lows[cells]) * column.scales[cells], 0.0, 1.0)
    totals: NDArray[np.float64] = np.bincount(places, weights=weights).astype(np.float64)
    moments = compute_local_moments(axis.basis, cells, offsets, totals)
    functions = compute_axis_functions(axis, *moments, _DERIVATIVE, n_functions)
    values = functions.basis.combine(cells, offsets, functions.coefficients)
    return np.column_stack([np.ones(len(distinct)), values])


def _is_code(
    fit: Callable[[], NDArray[np.float64]],
    places: NDArray[np.int64],
    outputs: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> bool:
    """Whether free values beat the curve alone clearly, for any output; the curve is fitted only where values differ."""
    curve = None
    totals: NDArray[np.float64] = np.bincount(places, weights=weights).astype(np.float64)
    root = np.sqrt(totals)
    for output in outputs.T:
        means = np.bincount(places, weights=weights * output) / totals
        squares = np.bincount(places, weights=weights * (output - means[places]) ** 2) / totals
        effects = means - totals @ means / totals.sum()
        several = totals > 1.5
        if (totals * (effects**2 - squares / np.maximum(totals - 1, 1.0)))[several].sum() <= 0:
            continue  # the means of the values differ by no more than noise
        curve = fit() if curve is None else curve
        left = means - curve @ np.linalg.lstsq(root[:, None] * curve, root * means, rcond=1e-10)[0]
        if _beats(left[several], effects[several], squares[several], totals[several], (totals / totals.sum())[several]):
            return True
    return False


def _beats(
    left: NDArray[np.float64],
    effects: NDArray[np.float64],
    squares: NDArray[np.float64],
    counts: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> bool:
    """Whether what a curve leaves of the values' means is no chance, and more than free values lose to noise.

    Parameters
    ----------
    left, effects : ndarray of shape (n_values,), float64
        Departure of each value's mean from the curve, and from the mean of all; of values with several rows.
    squares : ndarray of shape (n_values,), float64
        Variance of the rows of each value about their mean.
    counts, shares : ndarray of shape (n_values,), float64
        Rows of each value, and their share.
    """
    noise = squares / (counts - 1)  # variance of a value's mean
    surplus = float(shares @ (left**2 - noise))
    chance = float(np.sqrt(2 * shares**2 @ noise**2))
    whole = float(shares @ (effects**2 - noise))
    if whole <= 0 or surplus <= MIN_SIGNIFICANCE * chance:
        return False
    lost = float(shares @ (noise * surplus / (noise + surplus)))  # of departures shrunk to the curve
    saved = surplus - lost
    return saved > MIN_SAVING * whole and saved > MIN_SHARE
