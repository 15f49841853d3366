"""Jumps in the curve of a column: the local functions of a spline cut at some edges, and a step function for each cut."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .bases import Axis, LocalBasis


def cut_axis(
    axis: Axis, edges: NDArray[np.float64], jumps: NDArray[np.float64], spikes: NDArray[np.float64]
) -> Axis:
    """The axis with a step function for each jump beside its curves, which stay as they are.

    Each spline is replaced by its parts between jumps. A curve has the same coefficient for all parts of a spline; a step is
    the sum of all parts above its jump. So every function stays local.

    Parameters
    ----------
    axis : Axis
    edges : ndarray of shape (n_cells - 2,), float64
        Edges of the column's cells; the last two cells have none above them (missing values come last).
    jumps : ndarray of shape (n_jumps,), float64, rising
        Each is one of the edges: a step is 0 up to its jump and 1 above.
    spikes : ndarray of shape (n_spikes,), float64
        Values of the axis's spikes, rising, without the missing values.
    """
    basis, n_own = axis.basis, len(axis.spikes)
    width = basis.width
    pieces = np.searchsorted(jumps, np.append(edges, np.inf), side="left")  # of each cell, but that of missing values
    is_shared = basis.first[:-1] >= n_own
    begins = basis.first[:-1] - n_own
    first = basis.first.copy()
    parts, starts, start = [], [], n_own
    for piece in range(len(jumps) + 1):
        members = np.flatnonzero((pieces == piece) & is_shared)
        used = begins[members]
        lowest, highest = (int(used.min()), int(used.max()) + width) if len(members) else (0, 0)
        first[members] = start + begins[members] - lowest
        parts.append(np.arange(lowest, highest))
        starts.append(start)
        start += highest - lowest
    own = np.concatenate(parts)
    expansion = np.vstack([axis.expansion[:n_own], axis.expansion[n_own:][own]])
    steps = np.zeros((start, len(jumps)))
    for number, jump in enumerate(jumps):
        steps[starts[number + 1] :, number] = 1.0
        steps[: n_own - 1, number] = spikes > jump
    return replace(axis, basis=LocalBasis(first, basis.polynomials, start), expansion=expansion, steps=steps)
