"""Number columns with many values: curves on knots at quantiles, with a free value for each spike."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .bases import LearntColumn
from .cells import Cells, cut_above, find_quantiles, finish_column, thin_out
from .counted import CountedValues
from .grain import ROWS_PER_INTERVAL, Grain, drop_rounding
from .jumps import cut_axis
from .number_axis import CurveScale
from .uneven import even_out
from .units import FARTHEST

# A value with this share of the rows, and so many times the rows of a typical interval's values, is a spike of its own.
SPIKE_SHARE = 0.01
SPIKE_EXCESS = 5.0
# Beyond this ratio of full range to the middle 90 % (Gaussian: about 2.4) knots lie so unevenly that roughness is measured by
# the distance between neighbouring ones, and on the scale of ranks as well.
HEAVY_TAIL_RATIO = 6.0
# The same holds if knots are closer than this share of the range, as third differences would not be finite. The first criterion
# misses this where a single outlier among few rows widens the middle 90 % too.
NARROW_GAP = 1e-8


@dataclass(frozen=True)
class Spline:
    """Basis of a smooth curve, however few values the column has, with free values for numbers that many rows share."""

    def learn(self, column: CountedValues, grain: Grain) -> LearntColumn:
        """See :func:`learn_spline`."""
        return learn_spline(column, grain, find_spikes(column.totals))


def learn_spline(
    column: CountedValues,
    grain: Grain,
    is_spike: NDArray[np.bool_],
    reach: float = np.inf,
    jumps: NDArray[np.float64] | None = None,
) -> LearntColumn:
    """A column with curves on knots at quantiles, and spikes; those of a code, with a ``reach``, only in the main effect.

    The main effect may jump at ``jumps``: at most the least and the greatest value apart, and not within the cell of a spike.
    """
    distinct, totals = column.values, column.totals
    is_code = np.isfinite(reach)
    is_apart = ~is_spike if not is_code and (~is_spike).sum() >= 4 else np.ones(len(distinct), dtype=bool)
    n_intervals = int(np.clip(drop_rounding(totals.sum()) / ROWS_PER_INTERVAL, 2, grain.n_intervals)) // 2 * 2
    if column.is_left_skewed:
        knots, middle = _place_knots(-distinct[::-1], totals[::-1], is_apart[::-1], n_intervals)
        knots = -knots[::-1]
    else:
        knots, middle = _place_knots(distinct, totals, is_apart, n_intervals)
    span = distinct[-1] - distinct[0]
    is_heavy = span > HEAVY_TAIL_RATIO * middle or np.diff(knots).min() < NARROW_GAP * span
    cuts = knots if jumps is None else np.unique(np.concatenate([knots, jumps[(jumps > knots[0]) & (jumps < knots[-1])]]))
    cells = Cells.from_knots(cuts, distinct, is_spike, reach)
    is_free = is_spike[cells.spike_of]
    inside = np.clip(distinct, knots[0], knots[-1])
    size = float(np.ptp(inside)) or 1.0  # squares of very small numbers do not fit a double
    spread = size * np.sqrt(12 * np.cov((inside - inside[0]) / size, aweights=totals, ddof=0))
    curves = CurveScale(cells, knots, knots, inside, float(spread), column.is_left_skewed)
    axes = []
    for step, degree in zip(grain.nesting, grain.degrees, strict=True):
        kept = thin_out(knots, step, column.is_left_skewed)
        with np.errstate(over="ignore", invalid="ignore"):  # derivatives that are not float64 are those of even_out
            axis = curves.make_axis(kept, degree, is_free)
        axes.append(even_out(axis, kept, degree) if is_heavy else axis)
        if is_code:
            axes[-1] = replace(axes[-1], is_code=len(axes) == 1)
            is_free = np.zeros_like(is_free)
    if jumps is not None:
        axes[0] = cut_axis(axes[0], cells.edges, np.intersect1d(jumps, cells.edges), distinct[cells.spike_of[is_free]])
    return finish_column(column.name, cells, axes, ())


def _place_knots(
    distinct: NDArray[np.float64], totals: NDArray[np.float64], is_apart: NDArray[np.bool_], n_intervals: int
) -> tuple[NDArray[np.float64], float]:
    """Knots above quantiles of the values that are apart from spikes, and the length of the middle 90 % of all values."""
    smooth, mass = distinct[is_apart], totals[is_apart]
    inner = find_quantiles(smooth, mass, np.linspace(0, 1, n_intervals + 1)[1:-1])
    inner = np.unique([cut_above(smooth, value) for value in inner])
    knots = np.concatenate([[smooth[0]], inner[(inner > smooth[0]) & (inner < smooth[-1])], [smooth[-1]]])
    low, centre, high = find_quantiles(distinct, totals, np.array([0.05, 0.5, 0.95]))
    if high > low:
        reach = FARTHEST * (high - low)
        knots = np.unique(np.clip(knots, centre - reach, centre + reach))
    return knots, float(high - low)


def find_spikes(totals: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Values that hold 1 % of the rows and stand out from their neighbours' density.

    A column in which every value is common (temperatures in whole degrees) is discretised and has no spikes: the typical share
    of a value is the median over rows of the share of the row's own value.
    """
    share = totals / totals.sum()
    ranked = np.argsort(share, kind="stable")
    other = np.cumsum(share[ranked])
    typical = share[ranked][np.searchsorted(other, 0.5 * (1 - share.max()))]
    return np.asarray((share >= SPIKE_SHARE) & (share >= SPIKE_EXCESS * typical))
