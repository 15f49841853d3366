"""How far each column moves the output on average."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..fitted.game import FittedGame

# Rows that magnitudes are averaged over, evenly spaced among the fitted ones: means of magnitudes are then known to about 2 %.
_MAX_ROWS = 5_000


def average_magnitudes(fitted: FittedGame) -> NDArray[np.float64]:
    """Weighted mean absolute Shapley value of each column over rows of the fit, summed over outputs; shape (n_columns,).

    On the scale that is explained. Each column of a group has the group's value.
    """
    rows = fitted.get_rows()
    some = np.linspace(0, len(rows.weights) - 1, min(len(rows.weights), _MAX_ROWS)).astype(np.int64)
    values = fitted.model.credits.apply(rows.encoded.take(some))  # (n_rows, n_players, n_outputs)
    means = np.average(np.abs(values).sum(axis=2), axis=0, weights=rows.weights[some])
    return np.asarray(means[list(fitted.players)])
