"""Where the fitted rows lie: ranges and cells of each column, and which cells of two columns occur together.

A row outside is explained by extrapolation; of a row whose every value is common but that combines two values as no fitted row
does, the explanation is a guess as well.
"""

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Table
from .encoding import BLOCK_ROWS, Encoded, TableEncoder

# A value so many lengths of the range beyond an end is outside: the first margin at which, of the fitted rows, no more than a
# share would be outside of all others.
MARGINS = (0.1, 0.2, 0.5, 1.0)
# Sides of the grid on which two columns are looked at together: the first on which a fitted row stands alone in a cell of any
# two columns (so that without it the cell would be empty) no more often than the share.
SIDES = (8, 6, 4, 3, 2)
ALONE_SHARE = 0.01
# Columns up to which every two are looked at together.
MAX_COLUMNS = 100


class Place(NamedTuple):
    """Where rows lie against the fitted ones.

    Attributes
    ----------
    distances : ndarray of shape (n_rows, n_columns), float64
        How far each value lies outside, in lengths of the column's range; 1 for a level or missing value that no fitted row
        had; 0 inside.
    is_new_pair : ndarray of shape (n_rows, n_pairs), bool
        Whether two columns, both inside, have values that no fitted row combines.
    pairs : ndarray of shape (n_pairs, 2), int64
        The columns meant.
    """

    distances: NDArray[np.float64]
    is_new_pair: NDArray[np.bool_]
    pairs: NDArray[np.int64]

    @property
    def is_lone(self) -> NDArray[np.bool_]:
        """Columns in which a row is not among the fitted ones, by itself or together with another; like ``distances``."""
        lone = self.distances > 0
        for number in np.flatnonzero(self.is_new_pair.any(axis=0)):
            lone[:, self.pairs[number]] |= self.is_new_pair[:, number, None]
        return lone


@dataclass(frozen=True)
class Reach:
    """The region of the fitted rows, without the rows.

    Attributes
    ----------
    lows, highs : ndarray of shape (n_columns,), float64
        Of the number columns; NaN for categories.
    bins : tuple of ndarray of shape (n_cells,), int32
        Of each column, the part of the grid a cell belongs to; -1 if no fitted row is in it.
    margin : float
        How far beyond an end is still inside, in lengths of the range.
    side : int
        Most parts of a column; missing values are one more.
    is_seen : ndarray of shape (n_pairs, (side + 1)²), bool
        For every two columns, whether a fitted row lies in both parts.
    """

    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    bins: tuple[NDArray[np.int32], ...] = field(repr=False)
    margin: float
    side: int
    is_seen: NDArray[np.bool_] = field(repr=False)

    def place(self, table: Table, encoded: Encoded) -> Place:
        """Where rows lie."""
        parts = self._find_parts(encoded)
        distances = self.measure_distances(table, encoded)
        pairs = _list_pairs(len(self.bins)) if len(self.is_seen) else np.empty((0, 2), dtype=np.int64)
        is_new = np.zeros((len(parts), len(pairs)), dtype=bool)
        inside = np.where(distances > 0, -1, parts)
        for start in range(0, len(parts) if len(pairs) else 0, BLOCK_ROWS):
            block = inside[start : start + BLOCK_ROWS]
            first, second = block[:, pairs[:, 0]], block[:, pairs[:, 1]]
            seen = self.is_seen[np.arange(len(pairs)), np.maximum(first * (self.side + 1) + second, 0)]
            is_new[start : start + BLOCK_ROWS] = ~seen & (first >= 0) & (second >= 0)
        return Place(distances, is_new, pairs)

    def _find_parts(self, encoded: Encoded) -> NDArray[np.int32]:
        """Part of the grid of each value, shape (n_rows, n_columns)."""
        return np.stack([own[encoded.cells[:, column]] for column, own in enumerate(self.bins)], axis=1)

    def measure_distances(self, table: Table, encoded: Encoded) -> NDArray[np.float64]:
        """How far each value lies outside, as in :class:`Place`, column by column."""
        distances = np.where(self._find_parts(encoded) < 0, 1.0, 0.0)
        numbers = np.flatnonzero(~np.array(table.schema.is_category))
        if len(numbers):
            low, high = self.lows[numbers], self.highs[numbers]
            with np.errstate(invalid="ignore", over="ignore"):
                values = np.asarray(table.numbers, dtype=np.float64)
                length = np.where(high > low, high - low, np.maximum(np.abs(low), 1.0))
                beyond = np.maximum((low - values) / length, (values - high) / length)
            is_beyond = beyond > self.margin
            distances[:, numbers] = np.where(is_beyond, np.maximum(beyond, 0.0), distances[:, numbers])
        return distances

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """JSON facts and arrays of a file."""
        arrays: dict[str, NDArray[Any]] = {"reach_lows": self.lows, "reach_highs": self.highs, "reach_pairs": self.is_seen}
        arrays |= {f"reach_bins_{column:05d}": own for column, own in enumerate(self.bins)}
        return {"margin": self.margin, "side": self.side}, arrays

    @classmethod
    def unpack(cls, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> "Reach":
        """From what :meth:`pack` gave."""
        bins = tuple(arrays[f"reach_bins_{column:05d}"] for column in range(len(arrays["reach_lows"])))
        return cls(arrays["reach_lows"], arrays["reach_highs"], bins, facts["margin"], facts["side"], arrays["reach_pairs"])


def _list_pairs(n_columns: int) -> NDArray[np.int64]:
    return np.array(list(combinations(range(n_columns), 2)), dtype=np.int64).reshape(-1, 2)


def learn_reach(encoder: TableEncoder, encoded: Encoded) -> Reach:
    """The region of encoded rows."""
    lows, highs, margin = _learn_ranges(encoder, encoded)
    n_columns = len(encoder.columns)
    for side in SIDES:
        bins = tuple(_cut(encoder, encoded, column, side) for column in range(n_columns))
        none = Reach(lows, highs, bins, margin, side, np.zeros((0, (side + 1) ** 2), dtype=bool))
        if n_columns > MAX_COLUMNS:
            break
        counts, alone_share = _count_pairs(bins, encoded, side)
        if alone_share <= ALONE_SHARE:
            return replace(none, is_seen=counts > 0)
    return none


def _count_pairs(bins: tuple[NDArray[np.int32], ...], encoded: Encoded, side: int) -> tuple[NDArray[np.int64], float]:
    """Rows by the parts of every two columns, shape (n_pairs, (side + 1)²), and the share of rows alone in any of them."""
    parts = np.stack([own[encoded.cells[:, column]] for column, own in enumerate(bins)], axis=1)
    pairs = _list_pairs(len(bins))
    counts = np.zeros((len(pairs), (side + 1) ** 2), dtype=np.int64)
    alone = np.zeros(len(parts), dtype=bool)
    for number, (first, second) in enumerate(pairs):
        joint = parts[:, first] * (side + 1) + parts[:, second]
        counts[number] = np.bincount(joint, minlength=counts.shape[1])
        alone |= counts[number, joint] == 1
    return counts, float(alone.mean())


def _learn_ranges(encoder: TableEncoder, encoded: Encoded) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Smallest and largest number of each column, NaN for a category, and the margin that suits them."""
    n_rows, n_columns = encoded.cells.shape
    lows, highs = np.full(n_columns, np.nan), np.full(n_columns, np.nan)
    beyond = np.zeros(n_rows)  # how far each row lies beyond all others
    for position, column in enumerate(encoder.columns):
        cells, offsets = encoded.cells[:, position], encoded.offsets[:, position]
        rows = np.flatnonzero(cells != column.missing_cell)
        if column.is_category or not len(rows):
            continue
        spans = np.divide(1.0, column.scales, out=np.zeros_like(column.scales), where=column.scales > 0)
        values = column.lows[cells[rows]] + offsets[rows] * spans[cells[rows]]
        lows[position], highs[position] = values.min(), values.max()
        for signed in (values, -values):
            ends = np.argsort(signed)[-2:]
            rest = signed[ends[0]] - signed.min()
            if len(ends) == 2 and rest > 0:
                row = rows[ends[1]]
                beyond[row] = max(beyond[row], (signed[ends[1]] - signed[ends[0]]) / rest)
    fitting = [margin for margin in MARGINS if (beyond > margin).mean() <= ALONE_SHARE]
    return lows, highs, fitting[0] if fitting else MARGINS[-1]


def _cut(encoder: TableEncoder, encoded: Encoded, position: int, side: int) -> NDArray[np.int32]:
    """Part of each cell: numbers in parts of like rows, categories the heaviest apart; missing values the last, -1 if empty."""
    column = encoder.columns[position]
    counts = np.bincount(encoded.cells[:, position], minlength=column.n_cells)
    known = counts[:-1]
    if column.is_category:
        ranks = np.argsort(np.argsort(-known, kind="stable"), kind="stable")
        parts = np.minimum(ranks, side - 1)
    else:
        middles = (np.cumsum(known) - known / 2) / max(known.sum(), 1)
        parts = np.minimum((middles * side).astype(np.int64), side - 1)
    return np.where(counts > 0, np.append(parts, side), -1).astype(np.int32)
