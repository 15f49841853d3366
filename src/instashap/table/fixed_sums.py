"""Weighted sums of columns that are the same in every fitted row, and rows in which they differ.

Indicators of the levels of one category add up to 1, parts to their total: a row with all indicators 0 is unlike every fitted
row although each of its values, and each two of them, occur.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Table
from .encoding import Encoded, TableEncoder
from .relations import MAX_COLUMNS, find_sums

# A sum is fixed if no fitted row is farther from its constant than this, in lengths of the range of the column that counts
# least.
_MAX_SPREAD = 0.02
# A row breaks a sum beyond the region's margin, in the same lengths, and beyond this share of the largest number in the sum:
# numbers of single precision add up to a constant no better.
_ROUNDING = 1e-5
# Without a row whose leverage is above this, one sum more would be fixed, which this row would break. More columns would be
# needed to explain a row than others have: directions of less than _LEAST of the variance of one column are no columns.
_FULL_LEVERAGE, _LEAST = 0.999, 1e-6


class FixedSums(NamedTuple):
    """Sums that are constant in the fitted rows.

    Attributes
    ----------
    coefficients : ndarray of shape (n_sums, n_columns), float64
        0 for columns that are not in a sum. Numbers count as they are, categories of two levels by their cell, 0 or 1.
    constants : ndarray of shape (n_sums,), float64
        A row breaks a sum if it lies farther than 1 from the constant.
    """

    coefficients: NDArray[np.float64]
    constants: NDArray[np.float64]

    @property
    def members(self) -> tuple[NDArray[np.int64], ...]:
        """The columns of each sum."""
        return tuple(np.flatnonzero(own) for own in self.coefficients)

    def find_broken(self, table: Table, encoded: Encoded, is_outside: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which sums each row breaks although all columns in them are inside their ranges; shape (n_rows, n_sums)."""
        broken = np.zeros((table.n_rows, len(self.constants)), dtype=bool)
        if not len(self.constants):
            return broken
        is_category = np.array(table.schema.is_category)
        places = np.cumsum(~is_category) - 1
        numbers = np.asarray(table.numbers, dtype=np.float64)
        for number, (own, constant) in enumerate(zip(self.coefficients, self.constants, strict=True)):
            columns = np.flatnonzero(own)
            values = [encoded.cells[:, each] if is_category[each] else numbers[:, places[each]] for each in columns.tolist()]
            with np.errstate(invalid="ignore", over="ignore"):
                away = np.abs(np.stack(values, axis=1) @ own[columns] - constant)
            broken[:, number] = (away > 1.0) & ~is_outside[:, columns].any(axis=1)
        return broken


def make_no_sums(n_columns: int) -> FixedSums:
    """Where no sum is known."""
    return FixedSums(np.zeros((0, n_columns)), np.zeros(0))


def learn_fixed_sums(
    encoder: TableEncoder, encoded: Encoded, lengths: NDArray[np.float64], margin: float, alone_share: float
) -> FixedSums:
    """Sums of the encoded rows that a new row of their kind breaks with at most a small probability.

    Parameters
    ----------
    encoder : TableEncoder
    encoded : Encoded
    lengths : ndarray of shape (n_columns,), float64
        Lengths of the columns' ranges.
    margin : float
        How far from its constant a sum is broken, in lengths of the range of the column that counts least in it.
    alone_share : float
        None is learned if more than this share of the rows would break a sum that is fixed in all others.
    """
    n_columns = len(encoder.columns)
    if n_columns > MAX_COLUMNS:
        return make_no_sums(n_columns)
    columns, values = _read_values(encoder, encoded)
    found = find_sums(values, np.ones(len(values)))
    if not found or _measure_full_leverage(values) > alone_share:
        return make_no_sums(n_columns)
    coefficients, constants = [], []
    for each in found:
        members = np.array([each.target, *each.parts])
        factors = np.append(-1.0, each.factors)
        away = values[:, members] @ factors + each.constant
        least = float((np.abs(factors) * lengths[columns[members]]).min())
        if np.abs(away).max() > _MAX_SPREAD * least:
            continue
        limit = max(margin * least, _ROUNDING * float(np.abs(values[:, members] * factors).max()))
        own = np.zeros(n_columns)
        own[columns[members]] = factors / limit
        coefficients.append(own)
        constants.append(-each.constant / limit)
    return FixedSums(np.array(coefficients).reshape(-1, n_columns), np.array(constants))


def _read_values(encoder: TableEncoder, encoded: Encoded) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Columns that can be in a sum, and their values: numbers that vary, and categories of two levels, without missing ones."""
    columns, values = [], []
    for number, column in enumerate(encoder.columns):
        cells, offsets = encoded.cells[:, number], encoded.offsets[:, number]
        if (cells == column.missing_cell).any() or (column.is_category and cells.max() > 1):
            continue
        own = cells.astype(np.float64) if column.is_category else column.decode(cells, offsets)
        if (own != own[0]).any():
            columns.append(number)
            values.append(own)
    return np.array(columns, dtype=np.int64), np.array(values).reshape(len(columns), len(encoded.cells)).T


def _measure_full_leverage(values: NDArray[np.float64]) -> float:
    """Share of the rows without which the columns would have one relation more."""
    units = np.abs(values).max(axis=0)  # squares of numbers from 1e154 on overflow
    scaled = values / units
    scaled = (scaled - scaled.mean(axis=0)) / scaled.std(axis=0)
    sizes, directions = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    kept = sizes > _LEAST
    leverage = ((scaled @ directions[:, kept]) ** 2 / sizes[kept]).sum(axis=1) / len(scaled) + 1.0 / len(scaled)
    return float((leverage > _FULL_LEVERAGE).mean())
