"""Number columns with few values: one coefficient per value."""

from dataclasses import dataclass

import numpy as np

from .bases import LearntColumn
from .cells import Cells, finish_column, thin_out
from .counted import CountedValues
from .grain import Grain
from .number_axis import CurveScale


@dataclass(frozen=True)
class Levels:
    """Basis with one coefficient per value, smooth along their order; sides of a pair (triple) use hats above 24 (8) values."""

    def learn(self, column: CountedValues, grain: Grain) -> LearntColumn:
        """See :func:`learn_levels`."""
        return learn_levels(column, grain)


def learn_levels(column: CountedValues, grain: Grain) -> LearntColumn:
    """A column with one coefficient per value; an axis with too many levels has hat functions between some of them."""
    distinct = column.values
    levels = distinct if len(distinct) else np.zeros(1)  # if all are missing, one empty level keeps the shapes valid
    n_levels = len(levels)
    cells = Cells.from_levels(levels)
    positions = np.arange(n_levels, dtype=np.float64)
    scale = CurveScale(cells, positions, positions, positions)
    axes = []
    step = 1
    for limit in grain.axis_levels:
        if n_levels > limit:  # a multiple of the step before: knots are nested
            step *= int(np.ceil((n_levels - 1) / (limit - 1) / step))
        knots = thin_out(positions, step, column.is_left_skewed)
        axes.append(scale.make_axis(knots, 1, np.zeros(n_levels, dtype=bool)))
    return finish_column(column.name, cells, axes, tuple(distinct.tolist()))
