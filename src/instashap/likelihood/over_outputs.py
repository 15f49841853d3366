"""Sums and maxima over a few outputs, column by column: a reduction along a short last axis takes many times as long."""

import numpy as np
from numpy.typing import NDArray

# Of fewer terms NumPy adds one after the other, so that both ways give the same bits.
_ADDED_IN_TURN = 8


def sum_outputs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of values of shape (n_rows, n_outputs) over the outputs, shape (n_rows, 1); the bits of ``values.sum(axis=1)``.

    Examples
    --------
    >>> sum_outputs(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[3.],
           [7.]])
    """
    if values.shape[1] >= _ADDED_IN_TURN:
        return np.asarray(np.add.reduce(values, axis=1, keepdims=True))
    total = values[:, 0].copy()
    for column in values.T[1:]:
        total += column
    return total[:, None]


def find_largest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maxima of values of shape (n_rows, n_outputs) over the outputs, shape (n_rows, 1).

    Examples
    --------
    >>> find_largest(np.array([[1.0, 2.0], [5.0, 4.0]]))
    array([[2.],
           [5.]])
    """
    largest = values[:, 0].copy()
    for column in values.T[1:]:
        np.maximum(largest, column, out=largest)
    return largest[:, None]
