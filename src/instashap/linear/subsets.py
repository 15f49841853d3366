"""Systems of equations on many subsets of the same unknowns."""

import numpy as np
from numpy.typing import NDArray

# Numbers in the matrices of the systems that are solved at once: 32 MB.
_BLOCK_NUMBERS = 2**22


def solve_subsets(
    matrix: NDArray[np.float64], target: NDArray[np.float64], members: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Solutions of ``A_SS x_S = b_S`` for many subsets S of the unknowns, zero outside S.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float64
        Symmetric and positive definite.
    target : ndarray of shape (n, n_outputs), float64
    members : ndarray of shape (n_subsets, n), bool

    Returns
    -------
    ndarray of shape (n_subsets, n, n_outputs), float64

    Examples
    --------
    >>> matrix, target = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[4.0], [5.0]])
    >>> solve_subsets(matrix, target, np.array([[True, False], [True, True]]))[:, :, 0]
    array([[2., 0.],
           [1., 2.]])
    """
    n = len(matrix)
    solutions = np.empty((len(members), *target.shape))
    step = max(_BLOCK_NUMBERS // max(n * n, 1), 1)
    diagonal = np.arange(n)
    for start in range(0, len(members), step):
        block = slice(start, start + step)
        inside = members[block]
        systems = np.where(inside[:, :, None] & inside[:, None, :], matrix, 0.0)
        systems[:, diagonal, diagonal] += ~inside  # absent unknowns have an equation of their own: x = 0
        solutions[block] = np.linalg.solve(systems, np.where(inside[:, :, None], target, 0.0))
    return solutions


def solve_prefixes(
    matrix: NDArray[np.float64], target: NDArray[np.float64], orders: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Solutions of ``A_SS x_S = b_S`` for the first one, two, … unknowns of some orders, zero outside.

    With ``A = L Lᵀ`` in the order's sequence and ``y = L⁻¹ b`` the k-th unknown adds ``y_k`` times the k-th row of ``L⁻¹``: one
    factor serves all prefixes of an order.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float64
        Symmetric and positive definite.
    target : ndarray of shape (n, n_outputs), float64
    orders : ndarray of shape (n_orders, n), int64
        Permutations of the unknowns.

    Returns
    -------
    ndarray of shape (n_orders, n, n, n_outputs), float64
        Order, number of unknowns in it less one, unknown, output.
    """
    n_orders, n = orders.shape
    permuted = matrix[orders[:, :, None], orders[:, None, :]]
    inverses = np.linalg.inv(np.linalg.cholesky(permuted))
    innovations = inverses @ target[orders]  # (n_orders, n, n_outputs)
    steps = np.tril(inverses)[:, :, :, None] * innovations[:, :, None, :]
    solutions = np.empty((n_orders, n, n, target.shape[1]))
    np.put_along_axis(solutions, orders[:, None, :, None], np.cumsum(steps, axis=1), axis=2)
    return solutions
