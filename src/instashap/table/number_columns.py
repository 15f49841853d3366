"""Choice of the basis of a number column, unless the user chose it."""

import numpy as np
from numpy.typing import NDArray

from .bases import LearntColumn
from .counted import CountedValues
from .grain import SMOOTH, Grain, drop_rounding
from .number_codes import learn_codes
from .number_levels import learn_levels
from .splines import find_spikes, learn_spline

# A column is a set of levels if a level has so many rows on average.
ROWS_PER_LEVEL = 10


def learn_numbers(
    column: CountedValues,
    grain: Grain = SMOOTH,
    *,
    may_spike: bool = True,
    is_code: bool = False,
    jumps: NDArray[np.float64] | None = None,
) -> LearntColumn:
    """A number column with its basis: levels if it has few values, else a spline, with spikes if ``may_spike``.

    Spikes are values that many rows share, with a coefficient of their own beside the curve. A code (store, week) has such a
    coefficient for each of its values in its main effect; its side of a pair is a curve. A curve may have ``jumps``.
    """
    if is_code:
        return learn_codes(column, grain)
    if len(column) <= min(grain.max_levels, max(2.0, drop_rounding(column.totals.sum()) / ROWS_PER_LEVEL)):
        return learn_levels(column, grain)
    is_spike = find_spikes(column.totals) if may_spike else np.zeros(len(column), dtype=bool)
    return learn_spline(column, grain, is_spike, jumps=jumps)
