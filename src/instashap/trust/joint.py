"""Dependence of three columns at once, which distributions of one component lack and regressions of few rows miss."""

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
# Chance of a new row to be one of those seen from which on a table shows every dependence as it is.
_MOSTLY = 0.5


def has_joint_dependence(rows: Rows) -> bool:
    """Whether the product of two number columns says much about a third one, beyond what all others say of it linearly.

    ``cov(e_k, z_i z_j)`` with normal scores z and the residual e of the linear prediction of ``z_k``: 0 for a Gaussian copula,
    a t copula, and sums of their columns. False where rows repeat.
    """
    is_number = np.array([not column.is_category for column in rows.columns])
    if not 3 <= is_number.sum() <= _MAX_COLUMNS or rows.repeats > _MOSTLY:
        return False
    chosen = rows.choose(_MAX_ROWS)
    scores, weights = score_numbers(rows)[chosen][:, is_number], rows.weights[chosen] / rows.weights[chosen].sum()
    d = scores.shape[1]
    precision = np.linalg.inv(scores.T @ (scores * weights[:, None]) + _RIDGE * np.eye(d))
    residuals = scores @ precision / np.diag(precision)
    return any(_find_largest(scores, residuals, weights, one) > _LEAST for one in range(d - 1))


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
