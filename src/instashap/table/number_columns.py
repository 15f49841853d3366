"""Number columns: which basis one has where the user did not choose."""

import numpy as np

from .bases import LearntColumn
from .counted import CountedValues
from .grain import SMOOTH, Grain
from .number_codes import learn_codes
from .number_levels import learn_levels
from .splines import find_spikes, learn_spline

# A column is a set of levels if a level has so many rows on average.
ROWS_PER_LEVEL = 10


def learn_numbers(
    column: CountedValues, grain: Grain = SMOOTH, *, may_spike: bool = True, is_code: bool = False
) -> LearntColumn:
    """Learn a number column: levels if it has few values, else splines with spikes beside them where those may be.

    A code (store, week) has an effect of its own for each of its values beside the curve; its side of a pair stays a curve.
    """
    if is_code:
        return learn_codes(column, grain)
    if len(column) <= min(grain.max_levels, max(2.0, column.totals.sum() / ROWS_PER_LEVEL)):
        return learn_levels(column, grain)
    is_spike = find_spikes(column.totals) if may_spike else np.zeros(len(column), dtype=bool)
    return learn_spline(column, grain, is_spike)
