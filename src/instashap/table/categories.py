"""Category columns: one function per level."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import DataWarning, warn_caller
from .bases import Axis, ColumnEncoder, LearntColumn, LocalBasis
from .clock import advise_on_times, reads_as_times
from .dates import advise_on_dates
from .grain import ROWS_PER_CATEGORY, SMOOTH, Grain, drop_rounding
from .level_order import rank_levels
from .numerals import advise_on_numbers

# Warn if more than this share of a column's rows is in pooled levels.
POOLED_SHARE = 0.1


def learn_categories(
    name: str,
    codes: NDArray[np.int64],
    levels: Sequence[Any],
    weights: NDArray[np.float64],
    grain: Grain = SMOOTH,
    is_ordered: bool = False,
    mark_rows: Callable[[], NDArray[np.float64]] | None = None,
) -> LearntColumn:
    """Encoder and axes of a category column: levels by falling weight, rare ones pooled into "other".

    Ordered levels keep their order. A level is kept if its rows have a weight of at least 2 and it is among the heaviest, 3 000
    in all columns together; an axis of a pair (a triple) has separate functions for the 24 (8) heaviest. Levels of equal
    weight are ordered by the marks of their rows (:func:`.level_order.rank_levels`).
    """
    totals = np.bincount(codes[codes >= 0], weights=weights[codes >= 0], minlength=len(levels))
    every = rank_levels(codes, levels, weights, mark_rows)
    ranked = [place for place in every if drop_rounding(totals[place]) >= ROWS_PER_CATEGORY]
    kept = tuple(levels[i] for i in ranked[: grain.axis_levels[0]])
    pooled = 1.0 - float(totals[ranked[: grain.axis_levels[0]]].sum()) / max(float(totals.sum()), 1e-300)
    if len(levels) > grain.axis_levels[1]:
        _warn_pooled(name, len(levels), len(kept), pooled, _advise(name, levels))
    axes = tuple(_make_category_axis(len(kept), limit) for limit in grain.axis_levels)
    empty = np.empty(0)
    order = tuple(levels) if is_ordered else ()
    bases, has_pooled = tuple(axis.basis for axis in axes), len(kept) < int(np.count_nonzero(totals))
    return LearntColumn(ColumnEncoder(name, empty, empty, empty, kept, bases, (), order, has_pooled), axes)


def _warn_pooled(name: str, n_levels: int, n_kept: int, pooled: float, advice: str) -> None:
    """Warn if pooled levels, which count as one, hold many rows."""
    if pooled > POOLED_SHARE:
        warn_caller(
            f"column {name!r} has {n_levels:,} levels, of which {n_levels - n_kept:,} are too rare (fewer than "
            f"{ROWS_PER_CATEGORY} rows) or beyond the limit; they hold {pooled:.0%} of the rows and count as one: {advice}",
            DataWarning,
        )


def _advise(name: str, levels: Sequence[Any]) -> str:
    if reads_as_times(levels):
        return advise_on_times(name, levels)
    advice = advise_on_dates(name, levels) or advise_on_numbers(name, levels)
    if advice:
        return advice
    return "drop the column if it is an identifier, or group its levels"


def _make_category_axis(n_levels: int, limit: int) -> Axis:
    """Axis with one function for each of the ``limit`` heaviest levels, one for all others, and one for missing values."""
    n_kept = min(n_levels, limit)
    owner = np.minimum(np.arange(n_levels + 2), n_kept)
    owner[-1] = n_kept + 1
    return _make_level_axis(owner)


def _make_level_axis(owner: NDArray[np.int64]) -> Axis:
    """Axis with one function per level, given the function of each cell; the last two are for others and missing values."""
    n_functions = int(owner[-1]) + 1
    basis = LocalBasis(owner.astype(np.int32), np.ones((len(owner), 1, 1)), n_functions)
    return Axis(basis, np.eye(n_functions)[:, :-1], {}, (n_functions - 1,))
