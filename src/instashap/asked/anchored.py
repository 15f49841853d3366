"""Value functions of games that replace absent columns: axis functions centred on the replacements, and constants beside them.

Under a marginal or baseline game a function ``f(x_i, x_j)`` has components that are sums of products ``a(x_i) b(x_j)`` of
functions with mean zero *on the reference rows*, and a constant for every set of players, because the mean of a component over
the fitted rows is not zero in general.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..game.terms import ValueSet
from ..masked.design import Axes, ValueFunctions, make_value_functions
from ..masked.penalties import AxisFunctions, compute_axis_functions, compute_local_moments
from ..masked.search_limits import TRIPLE_RESOLUTION
from ..table.bases import Axis

Places = tuple[NDArray[np.int32], NDArray[np.float64]]


def compute_anchored_axis(
    axis: Axis, places: Places, weights: NDArray[np.float64], references: Places, order: int, limit: int
) -> AxisFunctions:
    """Axis functions of mean zero on the reference rows, then the constant; all are 0 in cells that hold no row of the fit.

    Parameters
    ----------
    axis : Axis
    places, references : tuple of ndarray of shape (n,)
        Cells and offsets of the column on the rows of the fit, and on the reference rows.
    weights : ndarray of shape (n_rows,), float64
    order, limit : int
        Order of the penalised derivative, and the largest number of functions beside the constant.
    """
    means, second = compute_local_moments(axis.basis, *places, weights)
    functions = compute_axis_functions(axis, means, second, order, limit)
    centre = axis.basis.combine(*references, functions.coefficients).mean(axis=0)
    is_known = np.ones(len(means)) if axis.roughness else (means > 0).astype(np.float64)
    is_known[axis.spikes[-1]] = means[axis.spikes[-1]] > 0  # missing values
    return AxisFunctions(
        axis.basis,
        np.column_stack([functions.coefficients - np.outer(is_known, centre), is_known]),
        np.append(functions.roughness, 0.0),
        np.append(functions.ridge, 1.0),
        np.append(functions.ranks, 1),
    )


def make_anchored_functions(value_sets: Sequence[ValueSet], axes: Axes, resolution: int) -> ValueFunctions:
    """Products of axis functions and constants: those without a constant, the all-constant one, and some smooth ones between.

    Products in which n axes, but not all, are constant describe the part of an interaction that depends on fewer columns. They
    are kept only if ``2**n`` times their product of ranks is within the limit.

    Parameters
    ----------
    value_sets : sequence of tuple of int
    axes : mapping of (size, column) to AxisFunctions
        The axis functions that :func:`compute_anchored_axis` returns.
    resolution : int
        Largest product of ranks in a pair.
    """
    limits = {1: 0, 2: resolution, 3: TRIPLE_RESOLUTION}
    functions = make_value_functions(value_sets, axes, limits)
    kept = [np.zeros(0, dtype=bool)]
    for owner, (values, chosen) in enumerate(zip(functions.value_sets, functions.choices, strict=True)):
        size = len(values)
        constants = [len(functions.axes[size, column]) - 1 for column in values]
        n_constants = (chosen == constants).sum(axis=1)
        is_smooth = functions.ranks[functions.owners == owner] * 2**n_constants <= limits[size]
        kept.append((n_constants == 0) | (n_constants == size) | is_smooth)
    return functions.select(np.concatenate(kept))
