"""Compiled look-up of tables. Arguments are C-contiguous and of the dtypes named below."""

import numpy as np

from .._compile import compile_kernel
from .plain_lookup import look_up_rows

# Number of rows processed together: a term's table stays in the first-level cache, and the inner loops run over rows, where
# they vectorise.
TILE = 64


@compile_kernel(fastmath={"contract"})
def weigh_axes(cells, offsets, plan, start, n, weights, places):
    """Write the active functions' values and first node of every axis for rows ``start … start + n - 1``.

    cells (n_rows, n_columns) int32; offsets (n_rows, n_columns) float64; plan as :func:`instashap.model.lookup.lay_out_axes`
    gives it; weights (n_axes, max_width, at least n) float64; places (n_axes, at least n) int64.
    """
    columns, first_starts, firsts, polynomial_starts, polynomials, widths, powers = plan
    for axis in range(columns.shape[0]):
        column, width, n_powers = columns[axis], widths[axis], powers[axis]
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


@compile_kernel(look_up_rows, fastmath={"contract"})
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
    """Look up the parts of every term and add their shares to the slots of every row.

    A term's table holds ``n_parts`` numbers per node; ``part_starts`` numbers the parts of all terms consecutively. Entry k of
    the shares adds ``shares[k]`` times the value of part ``share_parts[k]`` to slot ``share_slots[k]``.

    cells (n_rows, n_columns) int32; offsets (n_rows, n_columns) float64; the other arguments are laid out by
    :func:`instashap.model.lookup.make_lookup`; totals (n_rows, n_slots) float64 is added to.
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
    plan = (axis_columns, first_starts, firsts, polynomial_starts, polynomials, widths, powers)
    for start in range(0, cells.shape[0], TILE):
        n = min(size, cells.shape[0] - start)
        weigh_axes(cells, offsets, plan, start, n, weights, places)
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

    It proceeds by rows, so that both are read once without copies. left (n, m), right (n, any) float64; columns (m,) int64.
    """
    n_rows, n_columns = left.shape
    totals = np.zeros(n_columns)
    for row in range(n_rows):
        for k in range(n_columns):
            totals[k] += left[row, k] * right[row, columns[k]]
    return totals


@compile_kernel()
def fill_matrix(gram, penalty, functions, presence, masses, matrix):
    """Write the normal equations of a masked fit: ``(G + P)[u, u'] W[R, R']`` for unknowns ``(u, R)`` and ``(u', R')``.

    gram (n_functions, n_functions); penalty (n_functions,), the diagonal of P; functions, presence (n_unknowns,) int64;
    masses W (n_sets, n_sets); matrix (n_unknowns, n_unknowns), overwritten; all else float64.
    """
    for row in range(functions.shape[0]):
        function, own = functions[row], presence[row]
        for column in range(functions.shape[0]):
            value = gram[function, functions[column]]
            if functions[column] == function:
                value += penalty[function]
            matrix[row, column] = value * masses[own, presence[column]]


@compile_kernel(fastmath={"contract", "reassoc"})
def couple_repeated(
    masses,
    between,
    repeated,
    penalty,
    sets,
    set_of,
    once_presence,
    once,
    often_presence,
    often_functions,
    often,
    singles,
    repeats,
):
    """Multiply by the part of the normal equations that concerns functions repeated under several presence sets, in place.

    With C the coefficients ``often`` as a matrix (presence sets × repeated functions), adds to ``singles[k]`` their product for
    the k-th unknown that is not repeated, ``sum_{u, R} between[k, u] W[R_k, R] C[R, u]``, and to ``repeats`` the entries at the
    positions of the repeated unknowns of ``W (C (G + P) + C_once G)``.

    masses W (n_sets, n_sets); between (n_once, n_repeated); repeated (n_repeated, n_repeated); penalty (n_repeated,);
    sets, the presence sets of the unknowns that are not repeated; set_of (n_once,) their positions in it; once_presence
    (n_once,) int64; once (n_once,) their coefficients; often_presence, often_functions (n_often,) int64; often, repeats
    (n_often,); all else float64.
    """
    n_sets, n_repeated = masses.shape[0], repeated.shape[0]
    spread = np.zeros((n_repeated, sets.shape[0]))  # C W at the presence sets of unknowns that are not repeated
    reached = np.zeros((n_sets, n_repeated))  # C (G + P)
    for k in range(often.shape[0]):
        row, function, value = often_presence[k], often_functions[k], often[k]
        for j in range(sets.shape[0]):
            spread[function, j] += value * masses[row, sets[j]]
        for j in range(n_repeated):
            reached[row, j] += value * repeated[function, j]
        reached[row, function] += value * penalty[function]
    spread = np.ascontiguousarray(spread.T)
    for k in range(once.shape[0]):
        row, place, value = once_presence[k], set_of[k], once[k]
        total = 0.0
        for j in range(n_repeated):
            total += between[k, j] * spread[place, j]
            reached[row, j] += value * between[k, j]
        singles[k] += total
    reached = np.ascontiguousarray(reached.T)
    for k in range(often.shape[0]):
        row, function = often_presence[k], often_functions[k]
        total = 0.0
        for j in range(n_sets):
            total += masses[row, j] * reached[function, j]
        repeats[k] += total


@compile_kernel()
def sum_live(named, counts, absent, sizes, components, totals):
    """Add the components whose named players all lie in a coalition, each times its count at the coalition's size.

    named (n_sets, n_words) and absent (n_rows, n_masks, n_words) uint64, players as bits; counts (n_sets, n_players + 1)
    float64; sizes (n_rows, n_masks) int64; components (n_rows, n_sets, n_outputs); totals (n_rows, n_masks, n_outputs) float64
    is added to.
    """
    n_rows, n_masks, n_words = absent.shape
    for row in range(n_rows):
        for mask in range(n_masks):
            size = sizes[row, mask]
            for number in range(named.shape[0]):
                is_live = True
                for word in range(n_words):
                    if named[number, word] & absent[row, mask, word]:
                        is_live = False
                        break
                if is_live:
                    for output in range(components.shape[2]):
                        totals[row, mask, output] += counts[number, size] * components[row, number, output]
