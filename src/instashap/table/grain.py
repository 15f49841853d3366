"""Resolution of columns: limits on the number of intervals and levels."""

from dataclasses import dataclass

import numpy as np

# Average number of rows in an interval of a continuous column: the curve of a small table must stay smooth.
ROWS_PER_INTERVAL = 15
# A level with fewer rows has no effect of its own, as an effect cannot be separated from the noise of a single row.
ROWS_PER_CATEGORY = 2
# The most levels with effects of their own in all columns together: each adds a row to the matrices of the fit.
LEVELS_PER_TABLE = 3000


@dataclass(frozen=True)
class Grain:
    """Resolution of columns in terms of one, two and three columns.

    The default is for smooth curves in closed form. Fits of labels on many rows can resolve steps, and use more hat functions
    (piecewise linear).

    Attributes
    ----------
    n_intervals : int
        The most intervals of a number column's main effect.
    nesting : tuple of int
        For terms of each size: the k-th of all knots that is kept, 1 for all knots, 2 for every second.
    degrees : tuple of int
        3 for cubic splines, 1 for hat functions.
    max_levels : int
        The most distinct values of a number column that is a set of levels, each with a coefficient of its own.
    axis_levels : tuple of int
        The most levels of an axis: further ones are interpolated by hat functions (numbers) or pooled (categories).
    """

    n_intervals: int = 30
    nesting: tuple[int, int, int] = (1, 2, 6)
    degrees: tuple[int, int, int] = (3, 1, 1)
    max_levels: int = 32
    axis_levels: tuple[int, int, int] = (LEVELS_PER_TABLE, 24, 8)


SMOOTH = Grain()


def drop_rounding(total_weight: float) -> float:
    """A total weight to twelve digits, so that numbers of intervals and levels do not depend on the unit of the weights.

    Examples
    --------
    >>> drop_rounding(299.99999999999994)
    300.0
    """
    return float(f"{total_weight:.12g}")


def make_fine_grain(total_weight: float) -> Grain:
    """Grain of hat functions, whose number grows with the rows.

    Knots of a pair are a subset of those of main effects, knots of a triple a subset of those of pairs. A main effect has up to
    64 intervals, a side of a pair up to 32; a cell of a pair then has some hundred rows. The number along a side grows at most
    with the cube root of the rows, like the optimal resolution of a local average over two columns.
    """
    total_weight = drop_rounding(total_weight)
    n_intervals = int(np.clip(total_weight / ROWS_PER_INTERVAL, 2, 64)) // 2 * 2
    pair = float(np.clip(0.6 * np.cbrt(total_weight), 2, 32))
    triple = float(np.clip(pair / 2, 2, 8))
    step = max(round(n_intervals / pair), 1)
    nesting = (1, step, step * max(round(n_intervals / triple / step), 1))
    return Grain(n_intervals, nesting, (1, 1, 1), 256, (LEVELS_PER_TABLE, max(round(pair), 3) + 1, max(round(triple), 2) + 1))
