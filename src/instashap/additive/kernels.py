"""Compiled look-up of tables. Arguments are C-contiguous and of the dtypes named below."""

import numpy as np

from .._compile import compile_kernel

# Rows worked together: one term's table stays in the first-level cache while a tile passes, and the inner loops run over
# rows, where they vectorise.
TILE = 64


@compile_kernel(fastmath={"contract"})
def look_up(
    cells,
    offsets,
    axis_columns,
    first_starts,
    firsts,
    polynomial_starts,
    polynomials,
    widths,
    powers,
    term_axes,
    term_strides,
    term_starts,
    part_starts,
    tables,
    share_parts,
    share_slots,
    shares,
    totals,
):
    """Add every term's parts, looked up and shared out, to the slots of every row.

    A term's table holds ``n_parts`` numbers a node; ``part_starts`` counts the parts of all terms through. Entry k of the
    shares adds ``shares[k]`` times the value of part ``share_parts[k]`` to slot ``share_slots[k]``.

    cells (n_rows, n_columns) int32; offsets (n_rows, n_columns) float64; the other arguments are laid out by
    :func:`instashap.additive.lookup.make_lookup`; totals (n_rows, n_slots) float64 is added to.
    """
    n_axes = axis_columns.shape[0]
    max_width = 1
    for axis in range(n_axes):
        max_width = max(max_width, widths[axis])
    size = min(TILE, cells.shape[0])
    weights = np.empty((n_axes, max_width, size))
    places = np.empty((n_axes, size), dtype=np.int64)
    values = np.empty((part_starts[-1], size))
    sums = np.empty((totals.shape[1], size))
    nodes = np.empty(size, dtype=np.int64)
    factors = np.empty(size)
    for start in range(0, cells.shape[0], TILE):
        n = min(size, cells.shape[0] - start)
        for axis in range(n_axes):
            column, width, n_powers = axis_columns[axis], widths[axis], powers[axis]
            for row in range(n):
                cell = cells[start + row, column]
                t = offsets[start + row, column]
                places[axis, row] = firsts[first_starts[axis] + cell]
                at = polynomial_starts[axis] + cell * width * n_powers
                for m in range(width):
                    value = polynomials[at + n_powers - 1]
                    for power in range(n_powers - 2, -1, -1):
                        value = value * t + polynomials[at + power]
                    weights[axis, m, row] = value
                    at += n_powers
        for term in range(term_axes.shape[0]):
            part, stop = part_starts[term], part_starts[term + 1]
            values[part:stop, :n] = 0.0
            a, b, c = term_axes[term, 0], term_axes[term, 1], term_axes[term, 2]
            # A missing second or third axis counts as one node of weight one.
            for i in range(widths[a]):
                for j in range(widths[b] if b >= 0 else 1):
                    for k in range(widths[c] if c >= 0 else 1):
                        for row in range(n):
                            nodes[row] = term_starts[term] + (places[a, row] + i) * term_strides[term, 0]
                            factors[row] = weights[a, i, row]
                        if b >= 0:
                            for row in range(n):
                                nodes[row] += (places[b, row] + j) * term_strides[term, 1]
                                factors[row] *= weights[b, j, row]
                        if c >= 0:
                            for row in range(n):
                                nodes[row] += (places[c, row] + k) * term_strides[term, 2]
                                factors[row] *= weights[c, k, row]
                        for p in range(stop - part):
                            for row in range(n):
                                values[part + p, row] += factors[row] * tables[nodes[row] + p]
        sums[:, :n] = 0.0
        for k in range(shares.shape[0]):
            share, part, slot = shares[k], share_parts[k], share_slots[k]
            for row in range(n):
                sums[slot, row] += share * values[part, row]
        for row in range(n):
            for slot in range(totals.shape[1]):
                totals[start + row, slot] += sums[slot, row]


@compile_kernel()
def contract_columns(left, right, columns):
    """Dot product of each column of ``left`` with the chosen column of ``right``: ``sum_r left[r, k] right[r, columns[k]]``.

    Row by row, so that both are read once and nothing is copied. left (n, m), right (n, anything) float64; columns (m,) int64.
    """
    n_rows, n_columns = left.shape
    totals = np.zeros(n_columns)
    for row in range(n_rows):
        for k in range(n_columns):
            totals[k] += left[row, k] * right[row, columns[k]]
    return totals
