"""Number columns whose values are codes, for example of stores: each has an effect of its own, without an order."""

from dataclasses import dataclass, replace

import numpy as np

from .bases import LearntColumn
from .counted import CountedValues
from .grain import ROWS_PER_CATEGORY, Grain
from .number_levels import learn_levels
from .splines import learn_spline

# Values with a smaller relative difference are equal in float32.
_FLOAT32 = 1e-6
# A number belongs to a code if it is within this share of the smallest step between codes.
_CODE_REACH = 1e-3


@dataclass(frozen=True)
class Codes:
    """Basis with an effect of its own for each value beside a smooth curve, for example for stores and weeks."""

    def learn(self, column: CountedValues, grain: Grain) -> LearntColumn:
        """See :func:`learn_codes`."""
        return learn_codes(column, grain)


def learn_codes(column: CountedValues, grain: Grain) -> LearntColumn:
    """A column with a free value for each number that has enough rows, and a curve for all others.

    With hat functions there is no curve beside free values: each such number is a level, and others belong to the nearest.
    """
    distinct, totals = column.values, column.totals
    ranked = np.lexsort((distinct, -totals))
    kept = np.sort(ranked[: min(grain.axis_levels[0], int((totals >= ROWS_PER_CATEGORY).sum()))])
    is_level = np.isin(np.arange(len(distinct)), kept)
    if grain.degrees[0] == 1:
        levels = replace(grain, axis_levels=(len(kept), *grain.axis_levels[1:]))
        return learn_levels(CountedValues(column.name, distinct[is_level], totals[is_level]), levels)
    reach = max(_CODE_REACH * float(np.diff(distinct).min()), _FLOAT32 * float(np.abs(distinct).max()))
    learnt = learn_spline(column, grain, is_level, reach)
    return replace(learnt, encoder=replace(learnt.encoder, values=tuple(distinct[is_level].tolist())))
