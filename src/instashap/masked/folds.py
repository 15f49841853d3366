"""Which rows fall together: copies, folds, and the hashes of values and ranks that decide both.

Nothing here depends on the order of the rows, and a fold's rule assigns rows that come later as it would have assigned them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..table.counted import CountedValues
from ..table.encoding import Encoded
from ..table.row_hash import mix

# Rows for each distinct one from which a table of discrete columns is taken as the whole population of its rows.
_REPEATS = 20
# Different rows that are too few to hold any out of, if none of their columns takes more than 4 values, or half as many as
# there are rows.
_FEW_ROWS, _FEW_VALUES = 32, 4

# Steps in which a value's rank enters the fold of its row, and where the first ends: at an irrational place, so that ranks of
# equal weights, which are rational, do not lie on a boundary.
_RANK_STEPS, _FIRST_STEP = 256, 0.5 * (np.sqrt(5.0) - 1.0)
# The same for outputs: those of one of the few different rows may be a small part of them.
_OUTPUT_STEPS = 4096
# Rank of a missing number, which has no place among the others: above all of theirs.
_MISSING_RANK = 4 * _RANK_STEPS
# Differences of sums of weights, relative to them, and of outputs, relative to their range, that are rounding. The second is a
# power of two: simple fractions of the range are not between two steps.
_ROUNDING, _OUTPUT_ROUNDING = 1e-9, 2.0**-30

# Positions of rows, and their weights.
Fold = tuple[NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True)
class RowCensus:
    """How often rows are equal, and whether that is to be expected.

    Attributes
    ----------
    n_distinct : int
        Different rows.
    is_discrete : bool
        Whether the different rows fill a fair part of the grid of their columns' values, as rows of a few discrete columns do,
        or are at most 32 and have few values in each column: a new row is then taken to be one of them.
    is_copied : bool
        Whether every row is there at least twice although the columns are not discrete: rows were copied, or stand for
        many. A new row is then a different one, and copies hold no information of their own.
    """

    n_distinct: int
    is_discrete: bool
    is_copied: bool


def take_census(encoded: Encoded, weights: NDArray[np.float64]) -> RowCensus:
    """Count different rows; whole-number weights are counts, other weights count as one row each."""
    _, placed = hash_rows(encoded)
    _, owner = np.unique(placed, return_inverse=True)
    copies = np.bincount(owner.reshape(-1), weights=count_copies(weights))
    if copies.sum() < 2 * len(copies):
        return RowCensus(len(copies), False, False)
    is_discrete = _is_discrete(encoded, len(copies))
    return RowCensus(len(copies), is_discrete, not is_discrete and bool((copies >= 2).all()))


def count_copies(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that each weight stands for: itself if all are whole numbers, else one."""
    return weights if are_counts(weights) else np.ones_like(weights)


def are_counts(weights: NDArray[np.float64]) -> bool:
    """Whether weights are numbers of equal rows: all are whole."""
    return bool((weights == np.floor(weights)).all())


def _is_discrete(encoded: Encoded, n_distinct: int) -> bool:
    """Whether the different rows are about all that there can be, by the number of values in each column.

    The grid of all columns' values counts those of a curve squared: a number that takes many values is rarely all of what it
    can be.
    """
    n_values = np.array([len(np.unique(values)) for values in _hash_values(encoded).T])
    is_curve = n_values > [len(np.unique(cells)) for cells in encoded.cells.T]
    if 1.5 * np.log(n_distinct) >= ((1 + is_curve) * np.log(n_values)).sum():
        return True
    return n_distinct <= _FEW_ROWS and bool(n_values.max() <= max(_FEW_VALUES, n_distinct // 2))


def assign_folds(encoded: Encoded, outputs: NDArray[np.float64], weights: NDArray[np.float64], n_folds: int) -> list[Fold]:
    """Rows and weights of each fold, by a hash of the row's ranks: equal rows fall together, in whatever order they come.

    Ranks are the same in any unit and precision (:func:`hash_ranks`). The hash is symmetric in the columns, so permuting them
    changes nothing. A table of discrete columns whose few different
    rows each occur many times has nothing to hold out by: a new row will be one of them. There every fold is all rows, each
    with its share of the weight; unless the outputs are noisy measurements, mostly different for one row, which the hash then
    takes in. Copies of rows of other tables are held out together: how often a row is repeated, or what whole-number weight
    it has, makes nothing known about other rows.
    """
    rule = learn_fold_rule(encoded, outputs, weights, n_folds)
    if rule.is_shared:
        return [(np.arange(len(weights)), weights / n_folds)] * n_folds
    folds = rule.assign(encoded, outputs)
    parts = (np.flatnonzero(folds == fold) for fold in range(n_folds))
    return [(rows, weights[rows]) for rows in parts if len(rows)]


def hold_rows_out(folds: Sequence[Fold], n_rows: int) -> bool:
    """Whether the folds of :func:`assign_folds` hold rows out; else each is all rows."""
    return any(len(rows) < n_rows for rows, _ in folds)


@dataclass(frozen=True)
class RankCuts:
    """Ranks of the values of a column: ``ranks[k]`` from ``starts[k]`` on, up to the next start.

    Both are empty for a column of one value, which has no say in a row's fold.

    Attributes
    ----------
    starts : ndarray of shape (n_steps,), float64
        Cell plus offset, plus 1 for missing numbers; or outputs.
    ranks : ndarray of shape (n_steps,), uint64
    """

    starts: NDArray[np.float64]
    ranks: NDArray[np.uint64]

    @classmethod
    def from_values(cls, values: NDArray[np.float64], ranks: NDArray[np.uint64]) -> "RankCuts":
        """Cuts between rising values of different ranks."""
        if len(values) < 2:
            return cls(np.empty(0), np.empty(0, dtype=np.uint64))
        first = np.flatnonzero(np.append(True, ranks[1:] != ranks[:-1]))
        return cls(values[first], ranks[first])

    def hash_values(self, values: NDArray[np.float64]) -> NDArray[np.uint64]:
        """Hash of the rank of each value; of one below all starts that of the first."""
        places = np.searchsorted(self.starts, values, side="right") - 1
        return mix(self.ranks + np.uint64(1))[np.maximum(places, 0)]


@dataclass(frozen=True)
class FoldRule:
    """Which fold a row belongs to, by its own values alone: rows that come later fall as they would have fallen.

    Attributes
    ----------
    cuts : tuple of RankCuts
        One a column.
    n_folds : int
    output_cuts : tuple of RankCuts
        One an output where the outputs have a say too, else none.
    is_shared : bool
        Whether nothing can be held out, and every fold is all rows.
    """

    cuts: tuple[RankCuts, ...]
    n_folds: int
    output_cuts: tuple[RankCuts, ...] = ()
    is_shared: bool = False

    def assign(self, encoded: Encoded, outputs: NDArray[np.float64]) -> NDArray[np.int64]:
        """Fold of each row, from 0 on; shape (n_rows,)."""
        hashed = _hash_by_cuts(self.cuts, _order_values(encoded))
        if self.output_cuts:
            hashed = mix(hashed ^ _hash_by_cuts(self.output_cuts, outputs))
        return np.asarray((hashed % np.uint64(self.n_folds)).astype(np.int64))


def _hash_by_cuts(cuts: Sequence[RankCuts], values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Hashes of rows by the ranks of their values, symmetric in the columns; shape (n_rows,), uint64."""
    hashed = np.zeros(len(values), dtype=np.uint64)
    for cut, column in zip(cuts, values.T, strict=True):
        if len(cut.starts):
            hashed += cut.hash_values(column)
    return mix(hashed)


def learn_fold_rule(
    encoded: Encoded, outputs: NDArray[np.float64], weights: NDArray[np.float64], n_folds: int
) -> FoldRule:
    """The rule of :func:`assign_folds`, which says what it is."""
    cuts, _ = learn_rank_cuts(encoded, weights)
    census = take_census(encoded, weights)
    n_rows = count_copies(weights).sum()
    if not (census.is_discrete and n_rows >= _REPEATS * census.n_distinct):
        return FoldRule(cuts, n_folds)
    _, placed = hash_rows(encoded)
    n_measured = len(np.unique(placed ^ hash_outputs(outputs)[1]))
    if n_measured < 2 * census.n_distinct or n_rows >= _REPEATS * n_measured:
        return FoldRule(cuts, n_folds, is_shared=True)
    values = [_list_values(output) for output in outputs.T]
    return FoldRule(cuts, n_folds, _learn_cuts(values, weights, [False] * len(values), _OUTPUT_STEPS)[0])


def hash_rows(encoded: Encoded) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hashes of rows by their values, each of shape (n_rows,), uint64.

    The first is symmetric in the columns; the second has the columns' places mixed in: to it (1, 0) and (0, 1) differ.
    """
    return _sum_columns(_hash_values(encoded))


def _sum_columns(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hashes of rows from those of their values, symmetric in the columns, and with their places mixed in."""
    places: NDArray[np.uint64] = np.arange(hashes.shape[1], dtype=np.uint64)
    placed = mix(hashes ^ mix(places + np.uint64(1)))
    return mix(hashes.sum(axis=1, dtype=np.uint64)), placed.sum(axis=1, dtype=np.uint64)


def _hash_values(encoded: Encoded) -> NDArray[np.uint64]:
    """Hash of every value by its cell and offset, shape (n_rows, n_columns), uint64."""
    bits: NDArray[np.uint64] = (encoded.offsets + 0.0).view(np.uint64)  # adding 0 turns -0 into 0
    return mix(bits ^ (encoded.cells.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)))


def hash_outputs(outputs: NDArray[np.float64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hashes of rows by the places of their outputs within the range of all, as :func:`hash_rows` gives them of values.

    They are the same in any unit and sign: places are measured from the end of the short tail, in steps of a billionth.
    """
    return _sum_columns(mix(np.stack([_place_output(output) for output in outputs.T], axis=1)))


def _place_output(output: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Steps of each row's output from the end of the short tail."""
    values = np.unique(output)
    if len(values) < 2:
        return np.zeros(len(output), dtype=np.uint64)
    is_left_skewed = CountedValues("output", values, np.ones(len(values))).is_left_skewed
    lengths = (values[-1] - output if is_left_skewed else output - values[0]) / (values[-1] - values[0])
    return np.asarray(np.rint(lengths / _OUTPUT_ROUNDING).astype(np.uint64))


def _list_values(output: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Where each different value of an output starts, and which of them each row has.

    Values that differ by a billionth of the range are equal, and starts lie in the middle between two: rounding moves no row.
    """
    values, owner = np.unique(output, return_inverse=True)
    is_new = np.append(True, np.diff(values) > _OUTPUT_ROUNDING * (values[-1] - values[0]))
    starts = np.append(values[:1], 0.5 * values[1:] + 0.5 * values[:-1])[is_new]
    return starts, np.asarray(np.cumsum(is_new)[owner] - 1)


def hash_ranks(encoded: Encoded, weights: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Hashes of rows by their values' ranks within each column, symmetric in the columns; shape (n_rows,), uint64.

    The rank among up to 256 values is their number in order; among more it is the share of the weight below a value, plus half
    of the value's own, in 256 steps. It does not change with the unit of a column, is the same in float32 but for values that
    become equal there, and a row of weight w counts as w rows. Columns of one value do not enter: adding one changes nothing.
    Ranks are counted from the nearer end of a column, so that a column of the other sign changes nothing either; of two of up
    to 256 values that are as far from their ends, the one of more weight is another. Ranks are counted from below where that
    would leave less than half of the different rows different, as in a few balanced columns of few values. Missing numbers have
    a rank of their own.
    """
    return learn_rank_cuts(encoded, weights)[1]


def learn_rank_cuts(
    encoded: Encoded, weights: NDArray[np.float64]
) -> tuple[tuple[RankCuts, ...], NDArray[np.uint64]]:
    """The ranks of every column's values, as :func:`hash_ranks` counts them, and the hashes of these rows."""
    columns = [np.unique(column, return_inverse=True) for column in _order_values(encoded).T]
    return _learn_cuts(columns, weights, [bool(each.any()) for each in np.signbit(encoded.offsets).T])


def _order_values(encoded: Encoded) -> NDArray[np.float64]:
    """Numbers in the order of each column's values; missing ones are above the last cell, whose end is theirs."""
    return np.asarray(encoded.cells + encoded.offsets + np.signbit(encoded.offsets))


def _learn_cuts(
    columns: Sequence[tuple[NDArray[np.float64], NDArray[np.int64]]],
    weights: NDArray[np.float64],
    has_missing: Sequence[bool],
    n_steps: int = _RANK_STEPS,
) -> tuple[tuple[RankCuts, ...], NDArray[np.uint64]]:
    """Ranks and hashes, given each column's different values, which one each row has, and whether the last is missing."""
    hashed: NDArray[np.uint64] = np.zeros((2, len(weights)), dtype=np.uint64)
    ranks = []
    for (_, owner), ends_missing in zip(columns, has_missing, strict=True):
        own: NDArray[np.float64] = np.bincount(owner, weights=weights).astype(np.float64)
        known = np.stack(_rank(own[: len(own) - ends_missing], n_steps))
        ranks.append(np.pad(known, ((0, 0), (0, int(ends_missing))), constant_values=_MISSING_RANK))
        if len(own) > 1:
            hashed += mix(ranks[-1] + np.uint64(1))[:, owner]
    plain, folded = mix(hashed[0]), mix(hashed[1])
    is_folded = 2 * len(np.unique(folded)) >= len(np.unique(plain))
    cuts = tuple(RankCuts.from_values(values, each[int(is_folded)]) for (values, _), each in zip(columns, ranks, strict=True))
    return cuts, folded if is_folded else plain


def _rank(totals: NDArray[np.float64], n_steps: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Ranks of a column's values in order, given the weight of each: from below, and from the nearer end."""
    if len(totals) <= n_steps:
        ranks = np.arange(len(totals), dtype=np.uint64)
        is_heavier = totals > totals[::-1] * (1 + _ROUNDING)
        return ranks, 2 * np.minimum(ranks, ranks[::-1]) + is_heavier.astype(np.uint64)
    below = (np.cumsum(totals) - 0.5 * totals) / totals.sum()
    steps = (np.floor(each * n_steps + _FIRST_STEP).astype(np.uint64) for each in (below, np.minimum(below, 1.0 - below)))
    plain, folded = steps
    return plain, folded


def find_varying(encoded: Encoded) -> NDArray[np.bool_]:
    """Whether each column has more than one value; shape (n_columns,)."""
    cells, offsets = encoded
    return np.asarray((cells != cells[:1]).any(axis=0) | (offsets != offsets[:1]).any(axis=0))
