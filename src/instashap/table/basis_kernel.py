"""Compiled functions of encoded columns; arguments are C-contiguous and of the dtypes named below."""

import numpy as np

from .._compile import compile_kernel
from .plain_encoding import combine_columns, sum_columns


@compile_kernel(combine_columns)
def combine_functions(cells, offsets, first, polynomials, coefficients, values):
    """Write functions ``sum_m b_m(x) coefficients[m]`` of one column on rows: what ``LocalBasis.combine`` gives, transposed.

    cells (n_rows,) int32; offsets (n_rows,) float64; first (n_cells,) int32; polynomials (n_cells, width, degree + 1) float64;
    coefficients (n_local, n_combinations) float64; values (n_combinations, n_rows) float64.
    """
    width, n_powers = polynomials.shape[1], polynomials.shape[2]
    n_combinations = coefficients.shape[1]
    sums = np.empty(n_combinations)
    for row in range(cells.shape[0]):
        cell, t = cells[row], offsets[row]
        start = first[cell]
        for shift in range(width):
            weight = polynomials[cell, shift, n_powers - 1]
            for power in range(n_powers - 2, -1, -1):
                weight = weight * t + polynomials[cell, shift, power]
            for j in range(n_combinations):
                part = weight * coefficients[start + shift, j]
                sums[j] = part if shift == 0 else sums[j] + part
        for j in range(n_combinations):
            values[j, row] = sums[j]


@compile_kernel(sum_columns)
def sum_functions(cells, offsets, weights, first, polynomials, sums, products):
    """Add weighted sums of one column's local functions, and of their products, over rows.

    cells (n_rows,) int32; offsets and weights (n_rows,) float64; first (n_cells,) int32; polynomials
    (n_cells, width, degree + 1) float64; sums (n_local,) float64; products (n_local, n_local) float64.
    """
    width, n_powers = polynomials.shape[1], polynomials.shape[2]
    values = np.empty(width)
    for row in range(cells.shape[0]):
        cell, t, weight = cells[row], offsets[row], weights[row]
        start = first[cell]
        for shift in range(width):
            value = polynomials[cell, shift, n_powers - 1]
            for power in range(n_powers - 2, -1, -1):
                value = value * t + polynomials[cell, shift, power]
            values[shift] = value
        for shift in range(width):
            weighted = weight * values[shift]
            sums[start + shift] += weighted
            for other in range(width):
                products[start + shift, start + other] += weighted * values[other]
