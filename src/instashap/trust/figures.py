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
# Rows as influential as the most influential one that other samples may hold more.
_N_MORE = 2
# Intervals of a logarithm end here: beyond, nothing is known.
_MOST = 7.0


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
        Sums over each group of rows.
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


def estimate_share(lost: NDArray[np.float64], whole: NDArray[np.float64], weights: NDArray[np.float64]) -> Figure:
    """``1 - sum w lost / sum w whole``, R² for squared errors; arrays of shape (n_rows,).

    The interval is symmetric for the logarithm of the lost share, which keeps it below one. Its variance is that of the rows'
    influences, with two more rows like the most influential one: where a few rows hold most of what is lost, other rows may
    hold more, and the plain variance is too small most often when the loss is (intervals of heavy-tailed residuals held
    80 % instead of 90).
    """
    total, lost_share = weights @ whole, float(weights @ lost) / max(float(weights @ whole), 1e-300)
    if lost_share <= _ROUNDING:
        return Figure(1.0 - lost_share, 1.0 - _ROUNDING, 1.0)
    influences = (lost / lost_share - whole) / total  # of one row, on the logarithm
    variance = weights @ influences**2 + _N_MORE * (influences**2).max()
    half = _QUANTILE * float(np.sqrt(variance))
    low, high = (1.0 - lost_share * float(np.exp(min(step, _MOST))) for step in (half, -half))
    return Figure(1.0 - lost_share, low, high)


def estimate_proportion(groups: NDArray[np.int64], weights: NDArray[np.float64], is_so: NDArray[np.bool_]) -> Figure:
    """Weighted share of rows for which something holds, with Wilson's interval, which lies within 0 and 1.

    ``(p + z²/2n ± z sqrt(p (1 - p) / n + z²/4n²)) / (1 + z²/n)`` (Wilson 1927), where n is the number of independent rows that
    gives the variance of the jackknife over groups, ``p (1 - p) / n``, and at most the total weight. Unlike a symmetric
    interval it does not end above 1, and has a length where the share is 0 or 1.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,), int64
        Group of each row for the jackknife.
    weights : ndarray of shape (n_rows,), float64
        A row of weight w counts as w rows.
    is_so : ndarray of shape (n_rows,), bool
    """
    share, low, _ = estimate_mean(groups, weights, is_so.astype(np.float64))
    share, total = min(max(share, 0.0), 1.0), float(weights.sum())
    variance = ((share - low) / _QUANTILE) ** 2
    n = min(max(share * (1.0 - share) / variance, 1.0), total) if variance > 0 else total
    middle, reach = share + _QUANTILE**2 / (2 * n), _QUANTILE * np.sqrt(share * (1 - share) / n + _QUANTILE**2 / (4 * n**2))
    ends = ((middle + sign * reach) / (1 + _QUANTILE**2 / n) for sign in (-1.0, 1.0))
    low, high = (float(min(max(each, 0.0), 1.0)) for each in ends)
    return Figure(share, min(low, share), max(high, share))


def sum_groups(groups: NDArray[np.int64], weights: NDArray[np.float64], *columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted sums of columns of shape (n_rows,) by group: shape (N_GROUPS, n_columns)."""
    return np.stack([np.bincount(groups, weights=weights * column, minlength=N_GROUPS) for column in columns], axis=1)


def estimate_mean(groups: NDArray[np.int64], weights: NDArray[np.float64], values: NDArray[np.float64]) -> Figure:
    """Weighted mean of values of shape (n_rows,)."""
    return estimate(lambda sums: sums[0] / sums[1], sum_groups(groups, weights, values, np.ones(len(values))))
