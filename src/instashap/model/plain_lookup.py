"""Look-up of tables in NumPy, where numba cannot be imported; arguments as in :func:`instashap.model.kernels.look_up`."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Numbers held at once: rows are taken in blocks.
_BLOCK_NUMBERS = 2**20


def look_up_rows(cells: NDArray[np.int32], offsets: NDArray[np.float64], *arguments: Any) -> None:
    """What the kernel computes, in the same order; only its fused multiplications round otherwise."""
    *plan, totals = arguments
    n_parts, n_shares = int(plan[10][-1]), len(plan[14])
    step = max(_BLOCK_NUMBERS // max(n_parts, n_shares, 1), 1)
    for start in range(0, len(cells), step):
        block = slice(start, start + step)
        values = _look_up_parts(cells[block], offsets[block], plan)
        share_parts, share_slots, shares = plan[12:]
        np.add.at(totals[block].T, share_slots, shares[:, None] * values[share_parts])


def _look_up_parts(
    cells: NDArray[np.int32], offsets: NDArray[np.float64], plan: list[Any]
) -> NDArray[np.float64]:
    """Values of all parts, shape (n_parts, n_rows)."""
    term_axes, term_strides, term_starts, part_starts, tables = plan[7:12]
    weighed = [_weigh_axis(cells, offsets, plan, axis) for axis in range(len(plan[0]))]
    weights, places = [each[0] for each in weighed], [each[1] for each in weighed]
    values = np.zeros((int(part_starts[-1]), len(cells)))
    for term, axes in enumerate(term_axes):
        used = [int(axis) for axis in axes if axis >= 0]
        parts = np.arange(part_starts[term + 1] - part_starts[term])[:, None]
        for corner in product(*(range(len(weights[axis])) for axis in used)):
            nodes, factors = np.full(len(cells), term_starts[term]), np.ones(len(cells))
            for m, axis, stride in zip(corner, used, term_strides[term], strict=False):
                nodes = nodes + (places[axis] + m) * stride
                factors = factors * weights[axis][m]
            values[part_starts[term] : part_starts[term + 1]] += factors * tables[nodes + parts]
    return values


def _weigh_axis(
    cells: NDArray[np.int32], offsets: NDArray[np.float64], plan: list[Any], axis: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Values of an axis' active functions, (width, n_rows), and its first node, (n_rows,)."""
    columns, first_starts, firsts, polynomial_starts, polynomials, widths, powers = plan[:7]
    cell, t = cells[:, columns[axis]].astype(np.int64), offsets[:, columns[axis]]
    width, n_powers = int(widths[axis]), int(powers[axis])
    at = polynomial_starts[axis] + (cell * width + np.arange(width)[:, None]) * n_powers
    values = polynomials[at + n_powers - 1]
    for power in range(n_powers - 2, -1, -1):
        values = values * t + polynomials[at + power]
    return values, firsts[first_starts[axis] + cell]
