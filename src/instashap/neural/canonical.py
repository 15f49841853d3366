"""Canonical order of a table's rows and columns, so that trained nets do not depend on the order in which it was given."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..game.terms import ValueSet
from ..masked.folds import hash_rows
from ..table.encoding import Encoded
from ..table.row_hash import mix


@dataclass(frozen=True)
class CanonicalRows:
    """Distinct rows of a table with rows and columns in canonical order.

    Attributes
    ----------
    encoded : Encoded
        Distinct rows, with columns in canonical order.
    outputs : ndarray of shape (n_distinct, n_outputs), float64
        Weighted mean of the outputs of equal rows.
    weights : ndarray of shape (n_distinct,), float64
        Total weight of equal rows.
    order : ndarray of shape (n_columns,), int64
        The table's column at each canonical place.
    first : ndarray of shape (n_distinct,), int64
        First of the table's rows that are equal to each distinct row.
    """

    encoded: Encoded
    outputs: NDArray[np.float64]
    weights: NDArray[np.float64]
    order: NDArray[np.int64]
    first: NDArray[np.int64]

    def rename(self, values: ValueSet) -> ValueSet:
        """Canonical places of the table's columns ``values``, in increasing order."""
        places = np.argsort(self.order)
        return tuple(sorted(places[list(values)].tolist()))

    def permute(self, encoded: Encoded) -> Encoded:
        """Encoded rows with the table's columns put in canonical order."""
        return Encoded(encoded.cells[:, self.order], encoded.offsets[:, self.order])


def canonicalise(encoded: Encoded, outputs: NDArray[np.float64], weights: NDArray[np.float64]) -> CanonicalRows:
    """Merge equal rows, and sort columns by their values and rows by a hash.

    The result does not depend on the order of rows and columns, nor on whether a row of weight two was given once or twice.
    """
    order = np.argsort(_sum_up(encoded, outputs, weights), kind="stable")
    sorted_columns = Encoded(encoded.cells[:, order], encoded.offsets[:, order])
    _, places = hash_rows(sorted_columns)
    _, first, group = np.unique(places, return_index=True, return_inverse=True)
    total: NDArray[np.float64] = np.bincount(group, weights).astype(np.float64)
    sums = [np.bincount(group, weights * column) for column in outputs.T]
    means: NDArray[np.float64] = np.stack(sums, axis=1) / total[:, None]
    alike = Encoded(np.ascontiguousarray(sorted_columns.cells[first]), np.ascontiguousarray(sorted_columns.offsets[first]))
    return CanonicalRows(alike, means, total, order, first)


def _sum_up(encoded: Encoded, outputs: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """One number per column, from its values and the outputs; columns with the same values in every row have the same one."""
    bits = (encoded.offsets + 0.0).view(np.uint64) ^ (encoded.cells.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    uniform = mix(bits) / 2.0**64  # (n_rows, n_columns), a number in [0, 1) for every value
    level = outputs.sum(axis=1)
    spread = np.ptp(level)
    return np.asarray((weights * (1.0 + (level - level.min()) / (spread or 1.0))) @ uniform)
