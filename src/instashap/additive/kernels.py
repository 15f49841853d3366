"""Compiled look-up of tables. Arguments are C-contiguous and of the dtypes named below."""

import numba as nb
import numpy as np


@nb.njit(nogil=True, cache=True, fastmath={"contract"})
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
    term_widths,
    term_slots,
    slots,
    tables,
    totals,
):
    """Add every term's table entries to its slots, for every row.

    cells (n_rows, n_columns) int32; offsets (n_rows, n_columns) float64; the other arguments are laid out by
    :class:`instashap.additive.lookup.Lookup`; totals (n_rows, n_slots) float64 is added to.
    """
    n_axes = axis_columns.shape[0]
    max_width = 1
    for axis in range(n_axes):
        max_width = max(max_width, widths[axis])
    weights = np.zeros((n_axes, max_width))
    places = np.zeros(n_axes, dtype=np.int64)
    for row in range(cells.shape[0]):
        for axis in range(n_axes):
            cell = cells[row, axis_columns[axis]]
            t = offsets[row, axis_columns[axis]]
            places[axis] = firsts[first_starts[axis] + cell]
            width, n_powers = widths[axis], powers[axis]
            at = polynomial_starts[axis] + cell * width * n_powers
            for m in range(width):
                value = polynomials[at + n_powers - 1]
                for power in range(n_powers - 2, -1, -1):
                    value = value * t + polynomials[at + power]
                weights[axis, m] = value
                at += n_powers
        for term in range(term_axes.shape[0]):
            a, b, c = term_axes[term, 0], term_axes[term, 1], term_axes[term, 2]
            width, slot = term_widths[term], term_slots[term]
            for i in range(widths[a]):
                if weights[a, i] == 0.0:
                    continue
                at_a = term_starts[term] + (places[a] + i) * term_strides[term, 0]
                if b < 0:
                    _add(tables, at_a, width, weights[a, i], slots, slot, totals, row)
                    continue
                for j in range(widths[b]):
                    weight = weights[a, i] * weights[b, j]
                    if weight == 0.0:
                        continue
                    at_b = at_a + (places[b] + j) * term_strides[term, 1]
                    if c < 0:
                        _add(tables, at_b, width, weight, slots, slot, totals, row)
                        continue
                    for k in range(widths[c]):
                        at_c = at_b + (places[c] + k) * term_strides[term, 2]
                        _add(tables, at_c, width, weight * weights[c, k], slots, slot, totals, row)


@nb.njit(nogil=True, inline="always")
def _add(tables, at, width, weight, slots, slot, totals, row):
    """``totals[row, slots] += weight · tables[at : at + width]``; ``slot < 0`` means all slots in order."""
    if slot < 0:
        for k in range(width):
            totals[row, k] += weight * tables[at + k]
    else:
        for k in range(width):
            totals[row, slots[slot + k]] += weight * tables[at + k]
