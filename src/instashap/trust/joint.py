"""Dependence that distributions of one component lack and regressions of few rows miss: of three columns at once, or bent."""

import numpy as np
from numpy.typing import NDArray

from .held_rows import Rows
from .references import score_numbers

# Rows that are looked at, and columns up to which all products of two are.
_MAX_ROWS, _MAX_COLUMNS = 3000, 100
# Standard errors that a covariance must be away from zero (there are hundreds of them), and those taken off it.
_SURE, _MARGIN = 4.0, 2.0
# Covariance with a product, in standard deviations of both, from which on it counts.
_LEAST = 0.3
_RIDGE = 1e-6
# Parts of a column whose means of another are compared with a straight line, and the share of the other's variance that their
# distance from it must hold: 0 but for chance under a copula, .5 where one column is a wave of the other.
_PARTS, _LEAST_BENT = 8, 0.25
# Chance of a new row to be one of those seen from which on a table shows every dependence as it is.
_MOSTLY = 0.5


def has_joint_dependence(rows: Rows) -> bool:
    """Whether the product of two number columns says much about a third one, beyond what all others say of it linearly.

    ``cov(e_k, z_i z_j)`` with normal scores z and the residual e of the linear prediction of ``z_k``: 0 for a Gaussian copula,
    a t copula, and sums of their columns. False where rows repeat.
    """
    scores, weights = _score(rows, 3)
    d = scores.shape[1]
    precision = np.linalg.inv(scores.T @ (scores * weights[:, None]) + _RIDGE * np.eye(d))
    residuals = scores @ precision / np.diag(precision)
    return any(_find_largest(scores, residuals, weights, one) > _LEAST for one in range(d - 1))


def has_bent_dependence(rows: Rows) -> bool:
    """Whether the mean of a number column follows another one far from a straight line, as temperature does the hour.

    On normal scores, where a Gaussian or t copula has straight lines only. False where rows repeat.
    """
    scores, weights = _score(rows, 2)
    return any(_measure_bend(scores, weights, one) > _LEAST_BENT for one in range(scores.shape[1]))


def _score(rows: Rows, n_least: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Normal scores of the number columns of some rows, and the rows' shares of the weight.

    There are no columns where rows repeat, which show every dependence as it is, or where columns are fewer than ``n_least`` or
    too many.
    """
    is_number = np.array([not column.is_category for column in rows.columns], dtype=bool)
    is_number &= n_least <= is_number.sum() <= _MAX_COLUMNS and rows.repeats <= _MOSTLY
    chosen = rows.choose(_MAX_ROWS)
    return score_numbers(rows)[chosen][:, is_number], rows.weights[chosen] / rows.weights[chosen].sum()


def _measure_bend(scores: NDArray[np.float64], weights: NDArray[np.float64], one: int) -> float:
    """Largest share of another column's variance between parts of one column, beyond a straight line and chance."""
    own = scores[:, one]
    variances = weights @ scores**2
    others = (variances > 0) & (np.arange(scores.shape[1]) != one)
    if not variances[one] or not others.any():
        return 0.0
    left = scores[:, others] - np.outer(own, (weights * own) @ scores[:, others] / variances[one])
    _, value = np.unique(own, return_inverse=True)
    mass = np.bincount(value, weights)
    _, part = np.unique(((np.cumsum(mass) - mass / 2) * _PARTS).astype(np.int64)[value], return_inverse=True)
    shares = np.bincount(part, weights)
    sums = np.stack([np.bincount(part, weights * each) for each in left.T])
    between = (sums**2 / shares).sum(axis=1)
    chance = (len(shares) - 2) * (weights @ left**2 - between) * (weights @ weights)
    return float(((between - chance) / variances[others]).max())


def _find_largest(
    scores: NDArray[np.float64], residuals: NDArray[np.float64], weights: NDArray[np.float64], one: int
) -> float:
    """Largest covariance of one column's product with a later one, and any third column, less what may be chance."""
    products = scores[:, [one]] * scores[:, one + 1 :]
    products -= weights @ products
    spread = np.sqrt(weights @ products**2)
    products /= np.where(spread > 0, spread, 1.0)
    weighted = products * weights[:, None]
    found = np.abs(weighted.T @ residuals)
    errors = np.sqrt((weighted**2).T @ residuals**2)
    others = np.arange(one + 1, scores.shape[1])
    found[:, one] = found[np.arange(len(others)), others] = 0.0  # third columns only
    return float(np.where(found > _SURE * errors, found - _MARGIN * errors, 0.0).max())
