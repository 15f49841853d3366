"""Solving with a positive definite matrix by its Cholesky factor; nearly singular ones by their eigenvectors."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

# Added to the diagonal, relative to it, so that exactly collinear columns share instead of failing.
_JITTER = 1e-11
# Share of the largest eigenvalue below which a direction is rounding, where even more on the diagonal does not help.
_RANK = 1e-7


def factorise(matrix: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """What applies the inverse of a symmetric matrix, which is overwritten."""
    if not len(matrix):
        return lambda target: target
    diagonal = np.diag(matrix).copy()
    for jitter in (_JITTER, 1e-8, 1e-5):
        np.fill_diagonal(matrix, diagonal * (1 + jitter) + 1e-300)
        try:
            factor = cho_factor(matrix, lower=True, check_finite=False)
        except LinAlgError:
            continue
        return lambda target: cho_solve(factor, target, check_finite=False)
    # Moments from which nearly all weight was taken are rounding in some directions: these are left out.
    np.fill_diagonal(matrix, diagonal)
    sizes, vectors = eigh(matrix, check_finite=False)
    kept = sizes > _RANK * sizes[-1]
    inverse = vectors[:, kept] / sizes[kept]
    return lambda target: inverse @ (vectors[:, kept].T @ target)
