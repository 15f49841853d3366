"""How finely columns are cut."""

from dataclasses import dataclass

import numpy as np

# An interval of a continuous column has so many rows on average: the curve of a small table must stay smooth.
ROWS_PER_INTERVAL = 15
# A level with fewer rows than this has no effect of its own: one row shows nothing that its own noise would not hide.
ROWS_PER_CATEGORY = 2
# Levels that all columns of a table have apart together: the fit's matrices have so many rows more.
LEVELS_PER_TABLE = 3000


@dataclass(frozen=True)
class Grain:
    """How finely columns are cut, for terms of one, two and three columns.

    The default is for smooth curves in closed form; a fit of labels on many rows can tell steps apart and asks for finer hats.

    Attributes
    ----------
    n_intervals : int
        Most intervals of a number's main effect.
    nesting : tuple of int
        Terms of so many columns keep every so many-th knot.
    degrees : tuple of int
        3 cubic, 1 hats.
    max_levels : int
        Distinct values up to which a number column is a set of levels, each with a coefficient of its own.
    axis_levels : tuple of int
        Levels an axis may tell apart: more are joined by hats (numbers) or pooled (categories).
    """

    n_intervals: int = 30
    nesting: tuple[int, int, int] = (1, 2, 6)
    degrees: tuple[int, int, int] = (3, 1, 1)
    max_levels: int = 32
    axis_levels: tuple[int, int, int] = (LEVELS_PER_TABLE, 24, 8)


SMOOTH = Grain()


def make_fine_grain(total_weight: float) -> Grain:
    """Hats, the finer the more rows; knots of a pair are some of the main effects', those of a triple some of the pairs'.

    Up to 64 intervals for a main effect and 32 along a side of a pair, where a cell then has some hundred rows: the side
    grows with the cube root of the rows, as the best width of a local average over two columns does, or slower.
    """
    n_intervals = int(np.clip(total_weight / ROWS_PER_INTERVAL, 2, 64)) // 2 * 2
    pair = float(np.clip(0.6 * np.cbrt(total_weight), 2, 32))
    triple = float(np.clip(pair / 2, 2, 8))
    step = max(round(n_intervals / pair), 1)
    nesting = (1, step, step * max(round(n_intervals / triple / step), 1))
    return Grain(n_intervals, nesting, (1, 1, 1), 256, (LEVELS_PER_TABLE, max(round(pair), 3) + 1, max(round(triple), 2) + 1))
