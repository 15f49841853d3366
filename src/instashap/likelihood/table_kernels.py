"""Compiled kernels: passes of the penalised likelihood over encoded rows, and the prior of the tables.

Arguments are C-contiguous and of the dtypes named below. One vector holds all tables, term after term: a term's nodes are in C
order of its axes, and the outputs of a node next to each other.
"""

import numpy as np

from .._compile import compile_kernel
from ..model.kernels import TILE, weigh_axes


@compile_kernel()
def find_nodes(term, node, axes, strides, starts, widths, weights, places, n, nodes, factors):
    """Write the position in the vector of a term's ``node``-th active function of each row, and the value of that function."""
    a, b, c = axes[term, 0], axes[term, 1], axes[term, 2]
    i = node % widths[a]
    for row in range(n):
        nodes[row] = starts[term] + (places[a, row] + i) * strides[term, 0]
        factors[row] = weights[a, i, row]
    if b >= 0:
        j = node // widths[a] % widths[b]
        for row in range(n):
            nodes[row] += (places[b, row] + j) * strides[term, 1]
            factors[row] *= weights[b, j, row]
    if c >= 0:
        k = node // widths[a] // widths[b]
        for row in range(n):
            nodes[row] += (places[c, row] + k) * strides[term, 2]
            factors[row] *= weights[c, k, row]


@compile_kernel(fastmath={"contract"})
def add_tables(cells, offsets, plan, axes, strides, starts, counts, tables, scores):
    """Add every term's value to the scores of every row.

    axes, strides (n_terms, 3) int64, -1 where a term has fewer axes; starts, counts (n_terms,) int64: the position of a term,
    and the number of its active functions per row; tables (size,) float64; scores (n_rows, n_outputs) float64, changed in
    place.
    """
    n_axes, n_outputs = plan[0].shape[0], scores.shape[1]
    weights = np.empty((n_axes, max(1, plan[5].max()), TILE))
    places = np.empty((n_axes, TILE), dtype=np.int64)
    nodes = np.empty(TILE, dtype=np.int32)
    factors = np.empty(TILE)
    sums = np.empty((n_outputs, TILE))
    for start in range(0, cells.shape[0], TILE):
        n = min(TILE, cells.shape[0] - start)
        weigh_axes(cells, offsets, plan, start, n, weights, places)
        sums[:] = 0.0
        for term in range(axes.shape[0]):
            for node in range(counts[term]):
                find_nodes(term, node, axes, strides, starts, plan[5], weights, places, n, nodes, factors)
                for output in range(n_outputs):
                    for row in range(n):
                        sums[output, row] += factors[row] * tables[nodes[row] + output]
        for row in range(n):
            for output in range(n_outputs):
                scores[start + row, output] += sums[output, row]


@compile_kernel(fastmath={"contract"})
def scatter_rows(cells, offsets, plan, axes, strides, starts, counts, values, totals):
    """Add every row's values, times its active functions, to their nodes: the adjoint of :func:`add_tables`.

    values (n_rows, n_outputs) float64; totals (size,) float64, changed in place.
    """
    n_axes, n_outputs = plan[0].shape[0], values.shape[1]
    weights = np.empty((n_axes, max(1, plan[5].max()), TILE))
    places = np.empty((n_axes, TILE), dtype=np.int64)
    nodes = np.empty(TILE, dtype=np.int32)
    factors = np.empty(TILE)
    for start in range(0, cells.shape[0], TILE):
        n = min(TILE, cells.shape[0] - start)
        weigh_axes(cells, offsets, plan, start, n, weights, places)
        for term in range(axes.shape[0]):
            for node in range(counts[term]):
                find_nodes(term, node, axes, strides, starts, plan[5], weights, places, n, nodes, factors)
                for row in range(n):
                    for output in range(n_outputs):
                        totals[nodes[row] + output] += factors[row] * values[start + row, output]


@compile_kernel()
def list_products(cells, offsets, plan, axes, strides, starts, counts, nodes, factors):
    """Write the position in the vector, and the value, of every function that is active on a row, for tiles of rows.

    nodes int32, factors float64, (n_tiles, n_products, TILE): products are term after term; the end of the last tile is left.
    """
    n_axes = plan[0].shape[0]
    weights = np.empty((n_axes, max(1, plan[5].max()), TILE))
    places = np.empty((n_axes, TILE), dtype=np.int64)
    for tile in range(nodes.shape[0]):
        start = tile * TILE
        n = min(TILE, cells.shape[0] - start)
        weigh_axes(cells, offsets, plan, start, n, weights, places)
        k = 0
        for term in range(axes.shape[0]):
            for node in range(counts[term]):
                find_nodes(
                    term, node, axes, strides, starts, plan[5], weights, places, n, nodes[tile, k], factors[tile, k]
                )
                k += 1


@compile_kernel(fastmath={"contract"})
def add_products(nodes, factors, tables, scores):
    """What :func:`add_tables` does, to the bit, from what :func:`list_products` wrote."""
    n_outputs = scores.shape[1]
    sums = np.empty((n_outputs, TILE))
    for tile in range(nodes.shape[0]):
        start = tile * TILE
        n = min(TILE, scores.shape[0] - start)
        sums[:] = 0.0
        for k in range(nodes.shape[1]):
            for output in range(n_outputs):
                for row in range(n):
                    sums[output, row] += factors[tile, k, row] * tables[nodes[tile, k, row] + output]
        for row in range(n):
            for output in range(n_outputs):
                scores[start + row, output] += sums[output, row]


@compile_kernel(fastmath={"contract"})
def scatter_products(nodes, factors, values, totals):
    """What :func:`scatter_rows` does, to the bit, from what :func:`list_products` wrote."""
    n_outputs = values.shape[1]
    for tile in range(nodes.shape[0]):
        start = tile * TILE
        n = min(TILE, values.shape[0] - start)
        for k in range(nodes.shape[1]):
            for row in range(n):
                for output in range(n_outputs):
                    totals[nodes[tile, k, row] + output] += factors[tile, k, row] * values[start + row, output]


@compile_kernel()
def add_roughness(tables, shapes, lows, bends, bend_starts, starts, roughness, ridge, n_outputs, result):
    """Add ``(roughness Σ_axes DᵀD + ridge) tables`` to the result; D takes second differences of neighbours along an axis.

    shapes, lows (n_terms, 3) int64: nodes along each axis, and the first of them on the curve (nodes before it, and axes with
    ``low = shape``, have no neighbours); bends (n_bends, 3) float64: coefficients of the second difference of node i and the
    next two, where those of an axis start at ``bend_starts[term, axis]``; roughness, ridge (n_terms,) float64; tables, result
    (size,) float64.
    """
    for term in range(shapes.shape[0]):
        size = shapes[term, 0] * shapes[term, 1] * shapes[term, 2] * n_outputs
        at = starts[term]
        for k in range(at, at + size):
            result[k] += ridge[term] * tables[k]
        inner = size
        outer = 1
        for axis in range(3):
            n = shapes[term, axis]
            inner //= n
            for block in range(outer):
                for i in range(lows[term, axis], n - 2):
                    bend = bend_starts[term, axis] + i - lows[term, axis]
                    a, b, c = bends[bend, 0], bends[bend, 1], bends[bend, 2]
                    base = at + (block * n + i) * inner
                    for k in range(base, base + inner):
                        pull = roughness[term] * (a * tables[k] + b * tables[k + inner] + c * tables[k + 2 * inner])
                        result[k] += a * pull
                        result[k + inner] += b * pull
                        result[k + 2 * inner] += c * pull
            outer *= n


@compile_kernel(fastmath=True)
def factorise_blocks(
    shapes,
    lows,
    bends,
    bend_starts,
    starts,
    bands,
    band_starts,
    roughness,
    ridge,
    curvature,
    n_outputs,
    first,
    last,
    factors,
):
    """Write Cholesky factors of every term's block ``diag(curvature) + roughness Σ DᵀD + ridge``, one per output.

    A block has ``bands[term]`` bands below the diagonal. Row i of a factor holds columns ``i - band … i``. Terms ``first …
    last - 1`` are factorised. curvature (size,) float64; band_starts (n_terms,) int64; factors float32 or float64.
    """
    for term in range(first, last):
        n_nodes = shapes[term, 0] * shapes[term, 1] * shapes[term, 2]
        band = bands[term]
        width = band + 1
        plain = np.zeros((n_nodes, width), dtype=factors.dtype)
        own = np.empty(n_nodes, dtype=factors.dtype)
        plain[:, band] = ridge[term]
        inner = n_nodes
        outer = 1
        for axis in range(3):
            n = shapes[term, axis]
            inner //= n
            for block in range(outer):
                for i in range(lows[term, axis], n - 2):
                    bend = bend_starts[term, axis] + i - lows[term, axis]
                    a, b, c = bends[bend, 0], bends[bend, 1], bends[bend, 2]
                    base = (block * n + i) * inner
                    for k in range(base, base + inner):
                        plain[k, band] += roughness[term] * a * a
                        plain[k + inner, band] += roughness[term] * b * b
                        plain[k + 2 * inner, band] += roughness[term] * c * c
                        plain[k + inner, band - inner] += roughness[term] * a * b
                        plain[k + 2 * inner, band - inner] += roughness[term] * b * c
                        plain[k + 2 * inner, band - 2 * inner] += roughness[term] * a * c
            outer *= n
        for output in range(n_outputs):
            at = band_starts[term] + output * n_nodes * width
            factor = factors[at : at + n_nodes * width].reshape(n_nodes, width)
            for i in range(n_nodes):
                own[i] = curvature[starts[term] + i * n_outputs + output]
            for i in range(n_nodes):
                low = max(0, i - band)
                for j in range(low, i + 1):
                    total = plain[i, band - i + j]
                    if j == i:
                        total += own[i]
                    begin = max(low, j - band)
                    for k in range(begin, j):
                        total -= factor[i, band - i + k] * factor[j, band - j + k]
                    if j < i:
                        factor[i, band - i + j] = total / factor[j, band]
                    else:
                        # Rounding may make a small pivot negative; a millionth of the prior's diagonal then replaces it.
                        own[i] = plain[i, band] * 1e-6
                        factor[i, band] = np.sqrt(max(total, own[i]))


@compile_kernel(fastmath=True)
def solve_blocks(shapes, starts, bands, band_starts, factors, n_outputs, first, last, target, result):
    """Write the solution of every term's block for terms ``first … last - 1``; target, result (size,) float64."""
    for term in range(first, last):
        n_nodes = shapes[term, 0] * shapes[term, 1] * shapes[term, 2]
        band = bands[term]
        width = band + 1
        solution = np.empty(n_nodes, dtype=factors.dtype)
        for output in range(n_outputs):
            at = band_starts[term] + output * n_nodes * width
            factor = factors[at : at + n_nodes * width].reshape(n_nodes, width)
            scale = 0.0
            for i in range(n_nodes):
                scale = max(scale, abs(target[starts[term] + i * n_outputs + output]))
            if scale == 0.0:
                scale = 1.0
            for i in range(n_nodes):
                solution[i] = target[starts[term] + i * n_outputs + output] / scale
                total = solution[i]
                for k in range(max(0, i - band), i):
                    total -= factor[i, band - i + k] * solution[k]
                solution[i] = total / factor[i, band]
            for i in range(n_nodes - 1, -1, -1):
                solution[i] /= factor[i, band]
                for k in range(max(0, i - band), i):
                    solution[k] -= factor[i, band - i + k] * solution[i]
            for i in range(n_nodes):
                result[starts[term] + i * n_outputs + output] = scale * solution[i]
