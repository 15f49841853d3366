"""Region of the fitted rows: ranges, gaps and cells of each column, pairs of cells that occur together, sums that are fixed.

Explanations of rows outside this region are extrapolations. So are those of rows with a value in a wide gap between the fitted
values (2.5 where all are whole numbers from 0 to 4), with values inside the ranges, two of which no fitted row combines, or
with values whose weighted sum is the same in all fitted rows and another here (indicators of levels that are all 0).
"""

from dataclasses import dataclass, field, replace
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Table
from .encoding import BLOCK_ROWS, Encoded, TableEncoder
from .fixed_sums import FixedSums, learn_fixed_sums, make_no_sums

# A value is outside if it is farther beyond an end than this multiple of the range. The first margin is chosen at which at most
# ALONE_SHARE of the fitted rows lie outside the range of all others. A value between two fitted ones is outside if it is
# farther from both than half of the margin. Near zero, columns of one sign and with a long tail have a margin of logarithms.
MARGINS = (0.1, 0.2, 0.5, 1.0)
# Number of parts per column in the grid of two columns. The first number is chosen at which at most ALONE_SHARE of the fitted
# rows are alone in a cell of any two columns: without such a row, the cell would be empty.
SIDES = (8, 6, 4, 3, 2)
ALONE_SHARE = 0.01
# With more columns than this, pairs of columns are not compared.
MAX_COLUMNS = 100
# At most this many steps between fitted values of a column, and at most this share of them if that is more, do not count for
# the length of its range; and never more than the greatest number, as files store each such gap.
N_SKIPPED, SKIPPED_SHARE, MAX_SKIPPED = 4, 0.01, 50
# Skewness from which a column of one sign has a long tail, and the least distance from its end, in lengths of the range, that
# float64 keeps on the way.
_LONG_TAIL, _ROUNDING = 1.0, 1e-9


class Place(NamedTuple):
    """Position of rows relative to the region of the fitted rows.

    Attributes
    ----------
    distances : ndarray of shape (n_rows, n_columns), float64
        How far each value lies beyond the range or, in a gap, from the nearest fitted value, in lengths of the range;
        1 for a level or missing value that no fitted row had; 0 inside.
    is_new_pair : ndarray of shape (n_rows, n_pairs), bool
        Whether two columns, both inside, have values that no fitted row combines.
    pairs : ndarray of shape (n_pairs, 2), int64
        The columns of each pair.
    is_broken : ndarray of shape (n_rows, n_sums), bool
        Whether columns, all inside, have a sum other than that of all fitted rows.
    sums : tuple of ndarray of shape (n_members,), int64
        The columns of each sum.
    """

    distances: NDArray[np.float64]
    is_new_pair: NDArray[np.bool_]
    pairs: NDArray[np.int64]
    is_broken: NDArray[np.bool_]
    sums: tuple[NDArray[np.int64], ...]

    @property
    def is_new(self) -> NDArray[np.bool_]:
        """Whether each row combines values as no fitted row does; shape (n_rows,)."""
        return np.asarray(self.is_new_pair.any(axis=1) | self.is_broken.any(axis=1))

    @property
    def is_lone(self) -> NDArray[np.bool_]:
        """Whether a value is outside, alone or in combination with other columns; of the shape of ``distances``."""
        lone = self.distances > 0
        for columns, is_new in ((self.pairs, self.is_new_pair), (self.sums, self.is_broken)):
            for number in np.flatnonzero(is_new.any(axis=0)):
                lone[:, columns[number]] |= is_new[:, number, None]
        return lone

    def list_combinations(self, row: int) -> list[tuple[int, ...]]:
        """Columns of the new pairs and broken sums of a row, each once."""
        broken = [self.sums[number] for number in np.flatnonzero(self.is_broken[row])]
        return list(dict.fromkeys(tuple(map(int, each)) for each in [*self.pairs[self.is_new_pair[row]], *broken]))


@dataclass(frozen=True)
class Reach:
    """The region of the fitted rows, without the rows.

    Attributes
    ----------
    lows, highs : ndarray of shape (n_columns,), float64
        Least and greatest value of each number column; NaN for categories.
    lengths : ndarray of shape (n_columns,), float64
        Length of each number column's range, without the empty stretches that a mistyped value or a code such as -999 leaves:
        see :func:`_measure_length`. 1 for categories.
    bins : tuple of ndarray of shape (n_cells,), int32
        For each column, the part of the grid that holds each cell; -1 if no fitted row is in the cell.
    margin : float
        Distance beyond an end that is still inside, in lengths of the range; in a gap it is half of this.
    side : int
        The most parts of a column; missing values are a further part.
    is_seen : ndarray of shape (n_pairs, (side + 1)²), bool
        For every two columns and every two of their parts, whether a fitted row is in both.
    gaps : ndarray of shape (n_columns, n_gaps, 2), float64
        Both ends of each gap between fitted values that is wider than the margin, and of one near zero in columns of one sign
        and with a long tail: see :func:`_find_way_to_zero`. (0, 0) where a column has fewer.
    sums : FixedSums
        Sums of columns that are the same in all fitted rows.
    """

    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    lengths: NDArray[np.float64]
    bins: tuple[NDArray[np.int32], ...] = field(repr=False)
    margin: float
    side: int
    is_seen: NDArray[np.bool_] = field(repr=False)
    gaps: NDArray[np.float64] = field(repr=False)
    sums: FixedSums

    def place(self, table: Table, encoded: Encoded) -> Place:
        """Position of rows relative to this region."""
        parts = self._find_parts(encoded)
        distances = self._measure_distances(table, parts)
        pairs = _list_pairs(len(self.bins)) if len(self.is_seen) else np.empty((0, 2), dtype=np.int64)
        is_new = np.zeros((len(parts), len(pairs)), dtype=bool)
        inside = np.where(distances > 0, -1, parts)
        for start in range(0, len(parts) if len(pairs) else 0, BLOCK_ROWS):
            block = inside[start : start + BLOCK_ROWS]
            first, second = block[:, pairs[:, 0]], block[:, pairs[:, 1]]
            seen = self.is_seen[np.arange(len(pairs)), np.maximum(first * (self.side + 1) + second, 0)]
            is_new[start : start + BLOCK_ROWS] = ~seen & (first >= 0) & (second >= 0)
        broken = self.sums.find_broken(table, encoded, distances > 0)
        return Place(distances, is_new, pairs, broken, self.sums.members)

    def _find_parts(self, encoded: Encoded) -> NDArray[np.int32]:
        """Part of the grid of each value, shape (n_rows, n_columns)."""
        return np.stack([own[encoded.cells[:, column]] for column, own in enumerate(self.bins)], axis=1)

    def measure_distances(self, table: Table, encoded: Encoded) -> NDArray[np.float64]:
        """How far each value lies outside, as in :class:`Place`, column by column."""
        return self._measure_distances(table, self._find_parts(encoded))

    def _measure_distances(self, table: Table, parts: NDArray[np.int32]) -> NDArray[np.float64]:
        distances = np.where(parts < 0, 1.0, 0.0)
        numbers = np.flatnonzero(~np.array(table.schema.is_category))
        if len(numbers):
            low, high = self.lows[numbers], self.highs[numbers]
            with np.errstate(invalid="ignore", over="ignore"):
                values = np.asarray(table.numbers, dtype=np.float64)
                length = self.lengths[numbers]
                beyond = np.maximum((low - values) / length, (values - high) / length)
                own = np.where(beyond > self.margin, beyond, distances[:, numbers])
                for start, end in self.gaps[numbers].transpose(1, 2, 0):
                    within = np.minimum(values - start, end - values) / length
                    own = np.where(within > self.margin / 2, np.maximum(own, within), own)
            distances[:, numbers] = own
        return distances

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """JSON facts and arrays to store in a file."""
        arrays: dict[str, NDArray[Any]] = {"reach_lows": self.lows, "reach_highs": self.highs, "reach_pairs": self.is_seen}
        arrays |= {"reach_lengths": self.lengths, "reach_gaps": self.gaps}
        arrays |= {f"reach_bins_{column:05d}": own for column, own in enumerate(self.bins)}
        facts = {"margin": self.margin, "side": self.side, "n_gaps": self.gaps.shape[1]}
        if len(self.sums.constants):
            facts["n_fixed_sums"] = len(self.sums.constants)
            arrays |= {"reach_coefficients": self.sums.coefficients, "reach_constants": self.sums.constants}
        return facts, arrays

    @classmethod
    def unpack(cls, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> "Reach":
        """The region from the result of :meth:`pack`; files of earlier versions have no lengths, gaps and sums."""
        lows, highs = arrays["reach_lows"], arrays["reach_highs"]
        own = np.where(highs > lows, highs - lows, np.fmax(np.abs(lows), 1.0))  # 1 for a category, whose ends are NaN
        lengths = arrays.get("reach_lengths", own)
        bins = tuple(arrays[f"reach_bins_{column:05d}"] for column in range(len(lows)))
        gaps = arrays.get("reach_gaps", np.zeros((len(lows), 0, 2)))
        sums = make_no_sums(len(lows))
        if "n_fixed_sums" in facts:
            sums = FixedSums(arrays["reach_coefficients"], arrays["reach_constants"])
        return cls(lows, highs, lengths, bins, facts["margin"], facts["side"], arrays["reach_pairs"], gaps, sums)


@cache
def _list_pairs(n_columns: int) -> NDArray[np.int64]:
    return np.array(list(combinations(range(n_columns), 2)), dtype=np.int64).reshape(-1, 2)


def learn_reach(encoder: TableEncoder, encoded: Encoded) -> Reach:
    """The region of encoded rows."""
    lows, highs, lengths, margin, gaps = _learn_ranges(encoder, encoded)
    n_columns = len(encoder.columns)
    sums = learn_fixed_sums(encoder, encoded, lengths, margin, ALONE_SHARE)
    for side in SIDES:
        bins = tuple(_cut(encoder, encoded, column, side) for column in range(n_columns))
        without_pairs = Reach(lows, highs, lengths, bins, margin, side, np.zeros((0, (side + 1) ** 2), dtype=bool), gaps, sums)
        if n_columns > MAX_COLUMNS:
            break
        counts, alone_share = _count_pairs(bins, encoded, side)
        if alone_share <= ALONE_SHARE:
            return replace(without_pairs, is_seen=counts > 0)
    return without_pairs


def _count_pairs(bins: tuple[NDArray[np.int32], ...], encoded: Encoded, side: int) -> tuple[NDArray[np.int64], float]:
    """Number of rows in the parts of every two columns, shape (n_pairs, (side + 1)²), and the share of rows alone in any."""
    parts = np.stack([own[encoded.cells[:, column]] for column, own in enumerate(bins)], axis=1)
    pairs = _list_pairs(len(bins))
    counts = np.zeros((len(pairs), (side + 1) ** 2), dtype=np.int64)
    alone = np.zeros(len(parts), dtype=bool)
    for number, (first, second) in enumerate(pairs):
        joint = parts[:, first] * (side + 1) + parts[:, second]
        counts[number] = np.bincount(joint, minlength=counts.shape[1])
        alone |= counts[number, joint] == 1
    return counts, float(alone.mean())


def _learn_ranges(
    encoder: TableEncoder, encoded: Encoded
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float, NDArray[np.float64]]:
    """Least and greatest number of each column, NaN for a category; its length; the margin, and the gaps wider than it."""
    n_rows, n_columns = encoded.cells.shape
    lows, highs, lengths = np.full(n_columns, np.nan), np.full(n_columns, np.nan), np.ones(n_columns)
    alone = np.zeros(n_rows)  # how large the margin must be for a row to be inside the region of all others
    found: list[NDArray[np.float64]] = []
    for position, column in enumerate(encoder.columns):
        cells, offsets = encoded.cells[:, position], encoded.offsets[:, position]
        rows = np.flatnonzero(cells != column.missing_cell)
        known = np.empty(0)
        if not column.is_category and len(rows):
            known, own = np.unique(column.decode(cells[rows], offsets[rows]), return_inverse=True)
            lows[position], highs[position], lengths[position] = known[0], known[-1], _measure_length(known)
            is_single = np.bincount(own) == 1
            isolation = _measure_isolation(known, lengths[position])
            alone[rows] = np.maximum(alone[rows], np.where(is_single, isolation, 0.0)[own])
        found.append(known)
    fitting = [margin for margin in MARGINS if (alone > margin).mean() <= ALONE_SHARE]
    margin = fitting[0] if fitting else MARGINS[-1]
    gaps = [
        np.concatenate([_find_gaps(known, margin * length), _find_way_to_zero(known, length, margin)])
        for known, length in zip(found, lengths, strict=True)
    ]
    padded = np.zeros((n_columns, max(map(len, gaps)), 2))
    for position, own_gaps in enumerate(gaps):
        padded[position, : len(own_gaps)] = own_gaps
    return lows, highs, lengths, margin, padded


def _measure_length(known: NDArray[np.float64]) -> float:
    """Length of the range of rising values, without its widest steps if each is longer than all others together.

    A body-mass index from 15 to 50 and one of 1 000 000 have a length of 35, so that 500 is far from all of them.
    """
    if len(known) < 2:
        return float(np.maximum(np.abs(known), 1.0).max(initial=1.0))
    steps = np.sort(np.diff(known))
    most = min(max(N_SKIPPED, int(SKIPPED_SHARE * len(known))), MAX_SKIPPED, len(known) // 2, len(steps) - 1)
    lengths = np.cumsum(steps)  # of the range without all wider steps
    n_skipped = [0, *(n for n in range(1, most + 1) if steps[-n] > lengths[-n - 1])][-1]
    return float(lengths[-n_skipped - 1])


def _measure_isolation(known: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """The margin at which each of a column's rising values is inside the region of all others."""
    if len(known) < 3:
        return np.zeros(len(known))
    steps = np.diff(known)
    outer = steps[[0, -1]]
    ends = outer / np.where(outer < length, length - outer, length)  # beyond the range of the others
    between = 2 * np.minimum(steps[:-1], steps[1:]) / length
    return np.concatenate([ends[:1], between, ends[1:]])


def _find_gaps(known: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Both ends of each gap between rising values that is wider than the least one; shape (n_gaps, 2)."""
    is_wide = np.diff(known) > least
    return np.stack([known[:-1][is_wide], known[1:][is_wide]], axis=1)


def _find_way_to_zero(known: NDArray[np.float64], length: float, margin: float) -> NDArray[np.float64]:
    """Ends of a gap in which values too near to zero lie, for a column of one sign and with a long tail; shape (0 or 1, 2).

    Of amounts from .04 to 20, zero is no farther than a hundredth of their length; a model of their logarithm is far off there.
    So the margin at that end is a share of the range of logarithms, where these are less skewed than the values. The gap
    reaches so far into the column that half of the margin, by which a value must be inside it, is at the wanted place.
    """
    none = np.empty((0, 2))
    if len(known) < 3 or known[0] <= 0 <= known[-1]:
        return none
    sizes = np.abs(known) if known[0] > 0 else np.abs(known)[::-1]
    logs = np.log(sizes)
    if not _measure_skewness(sizes) > max(_LONG_TAIL, abs(_measure_skewness(logs))):
        return none
    least = sizes[0] * np.exp(-margin * (logs[-1] - logs[0]))
    if sizes[0] - least < _ROUNDING * length:
        return none
    with np.errstate(over="ignore"):
        ends = np.array([sizes[0] - 2 * margin * length, least + margin / 2 * length])
    if not np.isfinite(ends).all():
        return none
    return ends[None] if known[0] > 0 else -ends[None, ::-1]


def _measure_skewness(values: NDArray[np.float64]) -> float:
    """Third standardised moment of values that are not all equal."""
    centred = values / np.abs(values).max()
    centred = centred - centred.mean()
    return float(np.mean(centred**3) / np.mean(centred**2) ** 1.5)


def _cut(encoder: TableEncoder, encoded: Encoded, position: int, side: int) -> NDArray[np.int32]:
    """Part of each cell, -1 if it is empty; missing values are in the last part.

    Numbers have parts with about equal rows; for categories, the most frequent levels have parts of their own.
    """
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
