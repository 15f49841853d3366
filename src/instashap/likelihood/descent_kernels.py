"""Compiled halves of a limited-memory step; products of vectors are BLAS's, as in NumPy.

Rows of ``steps`` and ``bends``, (memory, size) float64, are the last steps and the changes of the gradient along them;
``products``, (memory,) float64, are their dot products. What was kept ``age`` steps before the ``newest`` is in row
``(newest - age) % memory``.
"""

import numpy as np

from .._compile import compile_kernel


@compile_kernel()
def subtract_bends(steps, bends, products, newest, n_pairs, target, shares):
    """From the newest pair to the oldest, write a pair's share of the target, and subtract that share of its bend."""
    for age in range(n_pairs):
        pair = (newest - age) % len(products)
        shares[pair] = np.dot(steps[pair], target) / products[pair]
        target -= shares[pair] * bends[pair]


@compile_kernel()
def add_steps(steps, bends, products, newest, n_pairs, shares, result):
    """From the oldest pair to the newest, add to the result what its share is above the share that the result has."""
    for age in range(n_pairs - 1, -1, -1):
        pair = (newest - age) % len(products)
        result += (shares[pair] - np.dot(bends[pair], result) / products[pair]) * steps[pair]
