"""Solutions with a positive definite matrix by its Cholesky factor, with a nearly singular one by its eigenvectors."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.linalg.lapack import dpotrf, dpotrs

# Added to the diagonal, relative to it, so that exactly collinear columns share an effect and the factorisation exists.
_JITTER = 1e-11
# Share of the largest eigenvalue below which a direction is rounding, used where a larger diagonal does not help either.
_RANK = 1e-7


def factorise(matrix: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Function that applies the inverse of a symmetric matrix; the matrix is overwritten."""
    if not len(matrix):
        return lambda target: target
    diagonal = np.diag(matrix).copy()
    columns = matrix if matrix.flags.f_contiguous else matrix.T  # symmetric; in Fortran order LAPACK copies it fast
    for jitter in (_JITTER, 1e-8, 1e-5):
        np.fill_diagonal(matrix, diagonal * (1 + jitter) + 1e-300)
        # SciPy's functions around LAPACK's take longer than these on small matrices, of which a fit solves thousands.
        factor, failed = dpotrf(columns, lower=True, clean=False)
        if not failed:
            return lambda target: dpotrs(factor, target, lower=True)[0]
    # After nearly all weight has been subtracted from moments, some directions are only rounding; they are left out.
    np.fill_diagonal(matrix, diagonal)
    sizes, vectors = eigh(matrix, check_finite=False)
    kept = sizes > _RANK * sizes[-1]
    inverse = vectors[:, kept] / sizes[kept]
    return lambda target: inverse @ (vectors[:, kept].T @ target)
