"""Figures with intervals: a delete-a-group jackknife over rows, its groups a hash of the rows."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Groups of rows left out in turn, and the 95 % point of Student's t with one degree of freedom less: intervals hold 90 %.
N_GROUPS = 20
_QUANTILE = 1.7291
# Unexplained shares below this are rounding.
_ROUNDING = 1e-12


class Figure(NamedTuple):
    """A number with a 90 % interval."""

    value: float
    low: float
    high: float


def estimate(
    compute: Callable[[NDArray[np.float64]], float],
    sums: NDArray[np.float64],
    *,
    lowest: float = -np.inf,
    highest: float = np.inf,
) -> Figure:
    """A function of sums over rows, and how far it would move with other rows.

    Parameters
    ----------
    compute : callable
        Sums of shape (n_sums,) to the figure.
    sums : ndarray of shape (n_groups, n_sums), float64
        Of each group of rows.
    lowest, highest : float
        Where the interval is cut.
    """
    total = sums.sum(axis=0)
    value = float(compute(total))
    kept = sums[sums.any(axis=1)]
    if len(kept) < 2:
        return Figure(value, lowest if np.isfinite(lowest) else value, highest if np.isfinite(highest) else value)
    without = np.array([compute(total - group) for group in kept])
    half = _QUANTILE * float(np.sqrt((len(kept) - 1) / len(kept) * ((without - without.mean()) ** 2).sum()))
    return Figure(value, max(value - half, lowest), min(value + half, highest))


def estimate_share(lost: NDArray[np.float64], whole: NDArray[np.float64]) -> Figure:
    """``1 - lost / whole`` from both sums by group; the interval is symmetric for the logarithm of what is lost.

    Near one this keeps it below one, and lets the more careless half of a skewed distribution weigh as it should.
    """

    def compute(sums: NDArray[np.float64]) -> float:
        return float(np.log(max(sums[0], 0.0) / max(sums[1], 1e-300) + _ROUNDING))

    log = estimate(compute, np.stack([lost, whole], axis=1), lowest=np.log(_ROUNDING), highest=np.log(1e3))
    return Figure(*(1.0 - float(np.exp(each)) for each in (log.value, log.high, log.low)))


def sum_groups(groups: NDArray[np.int64], weights: NDArray[np.float64], *columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted sums of columns of shape (n_rows,) by group: shape (N_GROUPS, n_columns)."""
    return np.stack([np.bincount(groups, weights=weights * column, minlength=N_GROUPS) for column in columns], axis=1)


def estimate_mean(groups: NDArray[np.int64], weights: NDArray[np.float64], values: NDArray[np.float64]) -> Figure:
    """Weighted mean of values of shape (n_rows,)."""
    return estimate(lambda sums: sums[0] / sums[1], sum_groups(groups, weights, values, np.ones(len(values))))
