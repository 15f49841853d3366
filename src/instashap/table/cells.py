"""Cells of number columns: their edges, and the position of a value within its cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .bases import Axis, ColumnEncoder, LearntColumn

# A cut moves by no more than this share of its gap to be exact in float32.
_MOST_MOVED = 1e-3


def find_quantiles(
    distinct: NDArray[np.float64], totals: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quantiles by the inverted distribution function: always observed values."""
    cumulated = np.cumsum(totals)
    # Slightly below the level, so that rounding in sums of equal weights skips no value.
    found = np.searchsorted(cumulated, levels * cumulated[-1] * (1 - 1e-12))
    return np.asarray(distinct[np.minimum(found, len(distinct) - 1)])


def thin_out(knots: NDArray[np.float64], step: int, from_end: bool = False) -> NDArray[np.float64]:
    """Every ``step``-th knot, counted from the first or the last one, and both ends.

    Examples
    --------
    >>> thin_out(np.arange(6.0), 2), thin_out(np.arange(6.0), 2, from_end=True)
    (array([0., 2., 4., 5.]), array([0., 1., 3., 5.]))
    """
    kept = knots[::-1][::step][::-1] if from_end else knots[::step]
    return np.unique(np.concatenate([knots[:1], kept, knots[-1:]]))


def cut_above(distinct: NDArray[np.float64], value: float) -> float:
    """A cut above ``value``: halfway to the next observed value, and exact in float32 if that still separates the two."""
    position = int(np.searchsorted(distinct, value))
    if position + 1 >= len(distinct):
        return float(value)
    return cut_between(float(distinct[position]), float(distinct[position + 1]))


def cut_between(below: float, above: float) -> float:
    """A number c with ``below <= c < above``, halfway, and exact in float32 where that moves it by less than 1e-3 of the gap.

    A change of units then leaves the cut at the same share of the gap, also in a narrow column far from zero.

    Examples
    --------
    >>> cut_between(1.0, 2.0)
    1.5
    """
    middle = below + (above - below) / 2
    if not middle < above:  # neighbouring floats have nothing between them
        return below
    with np.errstate(over="ignore", under="ignore"):
        rounded = float(np.float32(middle))
    return rounded if abs(rounded - middle) <= _MOST_MOVED * (above - below) else middle


def _cut_beside(padded: NDArray[np.float64], spike: int) -> tuple[float, float]:
    """Cuts below and above a distinct value; ``padded`` holds all distinct values between minus and plus infinity."""
    before, own, after = map(float, padded[spike : spike + 3])
    return (
        cut_between(before, own) if np.isfinite(before) else -np.inf,
        cut_between(own, after) if np.isfinite(after) else np.inf,
    )


@dataclass(frozen=True)
class Cells:
    """Cells of a number column, intervals and single values, in order; the cell of missing values follows them."""

    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    is_point: NDArray[np.bool_]
    spike_of: NDArray[np.int64]  # of each point, its position among the distinct values
    edges: NDArray[np.float64]

    @classmethod
    def from_levels(cls, distinct: NDArray[np.float64]) -> "Cells":
        edges = np.array([cut_between(a, b) for a, b in pairwise(distinct)])
        return cls(distinct, distinct, np.ones(len(distinct), dtype=bool), np.arange(len(distinct)), edges)

    @classmethod
    def from_knots(
        cls, knots: NDArray[np.float64], distinct: NDArray[np.float64], is_spike: NDArray[np.bool_], reach: float = np.inf
    ) -> "Cells":
        """Cells between knots, and one per spike.

        A spike is a value with a coefficient of its own beside the curve. Its cell ends halfway to the next values, and at most
        ``reach`` from the spike.
        """
        spikes = np.flatnonzero(is_spike)
        # Only cuts beside spikes are computed: a column without spikes needs none, however many values it has.
        padded = np.concatenate([[-np.inf], distinct, [np.inf]])
        halfway = np.array([_cut_beside(padded, int(spike)) for spike in spikes]).reshape(-1, 2)
        below = np.maximum(halfway[:, 0], distinct[spikes] - reach)
        above = np.minimum(halfway[:, 1], distinct[spikes] + reach)
        inside = np.zeros(len(knots), dtype=bool)
        begins = np.searchsorted(below, knots) - 1  # the last spike that begins before a knot
        inside = (begins >= 0) & (knots < above[np.maximum(begins, 0)]) if len(spikes) else inside
        free = knots[1:-1][~inside[1:-1]]
        edges = np.unique(np.concatenate([free, below[np.isfinite(below)], above[np.isfinite(above)]]))
        bounds = np.concatenate([[-np.inf], edges, [np.inf]])
        owner = np.searchsorted(edges, distinct[spikes])
        is_point = np.zeros(len(edges) + 1, dtype=bool)
        is_point[owner] = True
        # A spike may lie outside the range of the curve: t = 0 is the start of the curve, not the cut before it.
        lows = np.clip(bounds[:-1], knots[0], knots[-1])
        highs = np.clip(bounds[1:], knots[0], knots[-1])
        lows[owner] = highs[owner] = distinct[spikes]
        return cls(lows, highs, is_point, spikes, edges)


def finish_column(name: str, cells: Cells, axes: Sequence[Axis], values: tuple[float, ...]) -> LearntColumn:
    """The column with these cells and axes; ``values`` are its levels if it is a set of levels, else empty."""
    spans = cells.highs - cells.lows
    scales = np.divide(1.0, spans, out=np.zeros_like(spans), where=spans > 0)
    encoder = ColumnEncoder(name, cells.edges, cells.lows, scales, None, tuple(axis.basis for axis in axes), values)
    return LearntColumn(encoder, tuple(axes))
