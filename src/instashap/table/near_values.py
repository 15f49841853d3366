"""Numbers that differ by rounding alone, as in copies of rows that went through another precision or unit."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .columns import Table
from .sparse import SparseNumbers

# Neighbours are alike if they differ by less than this share of their size, several times the rounding of float32, and by less
# than this share of the mean step between the column's values, so that close values of a fine scale stay apart.
_ROUNDING, _SHARE_OF_STEP = 1e-6, 1e-3


def merge_near_values(table: Table) -> Table:
    """The table with one number for those that differ by rounding, in columns where that leaves half of the numbers or fewer.

    Otherwise the copies of a row would be different rows: some of them would be held out while others are fitted, and a curve
    would get knots between them.

    Examples
    --------
    >>> from instashap.table.columns import read_table
    >>> copies = read_table([[0.1], [0.7], [0.10000001], [0.70000002]])
    >>> merge_near_values(copies).numbers.tolist()
    [[0.1], [0.7], [0.1], [0.7]]
    """
    if isinstance(table.numbers, SparseNumbers) or not table.numbers.size or table.numbers.dtype.kind != "f":
        return table
    merged = {column: _merge(values) for column, values in enumerate(table.numbers.T)}
    changed = {column: values for column, values in merged.items() if values is not None}
    if not changed:
        return table
    numbers = np.array(table.numbers, dtype=np.float64)
    for column, values in changed.items():
        numbers[:, column] = values
    return replace(table, numbers=numbers)


def _merge(values: NDArray[np.floating]) -> NDArray[np.float64] | None:
    """The column with the least of each group of near numbers, or None if that leaves more than half of the numbers."""
    known, owner = np.unique(values.astype(np.float64), return_inverse=True)  # NaN is last, and near to nothing
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.diff(known)
        sizes = np.maximum(np.abs(known[1:]), np.abs(known[:-1]))
        is_near = steps < np.minimum(_ROUNDING * sizes, _SHARE_OF_STEP * np.nanmean(steps) if len(steps) > 1 else 0.0)
    if 2 * np.count_nonzero(is_near) < len(known):
        return None
    first = np.flatnonzero(np.append(True, ~is_near))
    return np.asarray(known[first][np.cumsum(np.append(True, ~is_near)) - 1][owner])
