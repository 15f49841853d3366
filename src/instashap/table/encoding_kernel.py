"""Compiled encoding of numbers; arguments are C-contiguous and of the dtypes named below."""

import numpy as np

from .._compile import compile_kernel
from .plain_encoding import encode_columns


@compile_kernel(encode_columns)
def encode_numbers(numbers, columns, edges, edge_starts, lows, scales, missing_cells, cells, offsets):
    """Write ``(cell, t)`` of every number; return the first column with an infinite value, or -1.

    numbers (n_rows, n_numbers) float64; columns (n_numbers,) int64, the columns of the result; edges float64, the columns'
    edges one after the other, ``edges[edge_starts[j]:edge_starts[j + 1]]``; lows and scales float64, one entry per cell, those
    of column j from ``edge_starts[j] + j``; cells (n_rows, n_columns) int32; offsets (n_rows, n_columns) float64.

    Cell k of a column holds ``edge[k-1] < x <= edge[k]``; ``t = (x - low) scale``, clipped to [0, 1]; -0 is a missing number.
    """
    for row in range(numbers.shape[0]):
        for j in range(numbers.shape[1]):
            x = numbers[row, j]
            target = columns[j]
            if np.isnan(x):
                cells[row, target] = missing_cells[j]
                offsets[row, target] = -0.0
                continue
            if np.isinf(x):
                return j
            start = edge_starts[j]
            low, high = start, edge_starts[j + 1]
            while low < high:
                middle = (low + high) // 2
                if edges[middle] < x:
                    low = middle + 1
                else:
                    high = middle
            cell = low - start
            scale = scales[low + j]
            t = (x - lows[low + j]) * scale if scale > 0.0 else 0.0  # the difference may be infinite
            cells[row, target] = cell
            offsets[row, target] = min(max(t, 0.0), 1.0) + 0.0
    return -1
