"""Singular value decomposition that succeeds for every finite matrix."""

import numpy as np
from numpy.typing import NDArray
from scipy import linalg


def svd(
    matrix: NDArray[np.float64], full_matrices: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Singular value decomposition ``U, sizes, Vᵀ``: by divide and conquer, or where that fails by QR iterations.

    Divide and conquer is several times faster, but does not converge on some rare finite matrices (a column of 255 equally
    frequent levels: LAPACK's gesdd fails, gesvd does not).
    """
    try:
        left, sizes, right = np.linalg.svd(matrix, full_matrices=full_matrices)
    except np.linalg.LinAlgError:
        left, sizes, right = linalg.svd(matrix, full_matrices=full_matrices, lapack_driver="gesvd")
    return left, sizes, right
