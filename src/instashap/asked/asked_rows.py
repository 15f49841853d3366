"""Rows at which a game is evaluated."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..table.encoding import Encoded


@dataclass(frozen=True)
class AskedRows:
    """Rows and the values of a game at their full coalition.

    Attributes
    ----------
    encoded : Encoded
    places : ndarray of shape (n_rows,), int64
        Positions of these rows among the game's rows.
    full : ndarray of shape (n_rows, n_outputs), float64
        The game's value of the full coalition.
    weights : ndarray of shape (n_rows,), float64
    """

    encoded: Encoded
    places: NDArray[np.int64]
    full: NDArray[np.float64]
    weights: NDArray[np.float64]
