"""Encoding of numbers and values of functions in NumPy, where numba cannot be imported; arguments as in the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def encode_columns(*arguments: Any) -> int:
    """What :func:`.encoding_kernel.encode_numbers` computes, to the same bits."""
    numbers, columns, edges, edge_starts, lows, scales, missing_cells, cells, offsets = arguments
    infinite = np.isinf(numbers)
    if infinite.any():
        return int(np.argwhere(infinite)[0, 1])
    for j, target in enumerate(columns):
        x, start, stop = numbers[:, j], edge_starts[j], edge_starts[j + 1]
        is_missing = np.isnan(x)
        found = np.searchsorted(edges[start:stop], x, side="left")
        found[is_missing] = 0
        low, scale = lows[start + j + found], scales[start + j + found]
        with np.errstate(over="ignore", invalid="ignore"):
            t = np.where(scale > 0.0, (x - low) * scale, 0.0)
        cells[:, target] = np.where(is_missing, missing_cells[j], found)
        offsets[:, target] = np.where(is_missing, -0.0, np.clip(t, 0.0, 1.0) + 0.0)
    return -1


def combine_columns(
    cells: NDArray[np.int32],
    offsets: NDArray[np.float64],
    first: NDArray[np.int32],
    polynomials: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    values: NDArray[np.float64],
) -> None:
    """What :func:`.basis_kernel.combine_functions` computes, to the same bits."""
    values[:] = 0.0
    for shift in range(polynomials.shape[1]):
        weight = polynomials[cells, shift, -1]
        for power in range(polynomials.shape[2] - 2, -1, -1):
            weight = weight * offsets + polynomials[cells, shift, power]
        values += weight * coefficients[first[cells] + shift].T


def sum_columns(
    cells: NDArray[np.int32],
    offsets: NDArray[np.float64],
    weights: NDArray[np.float64],
    first: NDArray[np.int32],
    polynomials: NDArray[np.float64],
    sums: NDArray[np.float64],
    products: NDArray[np.float64],
) -> None:
    """What :func:`.basis_kernel.sum_functions` computes, to the same bits."""
    starts = first[cells]
    values = polynomials[cells, :, -1]
    for power in range(polynomials.shape[2] - 2, -1, -1):
        values = values * offsets[:, None] + polynomials[cells, :, power]
    weighted = values * weights[:, None]
    places = starts[:, None] + np.arange(polynomials.shape[1])
    np.add.at(sums, places, weighted)
    np.add.at(products, (places[:, :, None], places[:, None, :]), weighted[:, :, None] * values[:, None, :])
