"""Trust of single rows: the part of a row's output that its explanation carries, without asking the black box."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..additive.residuals import ROUNDING, ResidualReference
from ..table.bases import LocalBasis
from ..table.encoding import Encoded

# Held-out residuals lie between these quantiles of their sizes in nine rows of ten.
_LEVELS = (0.05, 0.5, 0.95)


def compute_row_trust(
    reference: ResidualReference, encoded: Encoded, bases: Sequence[LocalBasis], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of each row's output that its values carry, and a 90 % interval: shapes (n_rows,), (n_rows, 2).

    Draw a row's values as bars, and what they leave of the black box's output as one more. The share is the length of the
    bars over the length of all: ``b / (b + |f - g|)``, ``b = sum_i |SHAP_i|`` (several outputs: Euclidean norm, in spreads).
    The black box is not asked: ``|f - g|`` has the size of residuals of rows held out of the fit, at the scale of where
    the row lies (locally scaled split conformal prediction), and the interval holds the share in nine new rows of ten.

    Parameters
    ----------
    reference : ResidualReference
    encoded : Encoded
    bases : sequence of LocalBasis
        Of each column, for its main effect.
    values : ndarray of shape (n_rows, n_players, n_outputs), float64
        Shapley values.
    """
    logs = np.full(len(encoded.cells), reference.level)
    for column, (basis, curves) in enumerate(zip(bases, reference.curves, strict=True)):
        logs += basis.combine(encoded.cells[:, column], encoded.offsets[:, column], curves[:, :1])[:, 0]
    return compare_with_residuals(reference, logs, values)


def compare_with_residuals(
    reference: ResidualReference, logs: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Trust and its interval, as above, from the log scale of each row's residuals, shape (n_rows,)."""
    typical = pick_typical_sizes(reference.sizes)
    sizes = np.maximum(np.exp(logs)[:, None] * typical - ROUNDING, 0.0)  # (n_rows, 3), in spreads
    bars = np.sqrt(((np.abs(values).sum(axis=1) / reference.spread) ** 2).sum(axis=1))[:, None]
    whole = bars + sizes
    shares = np.divide(bars, whole, out=np.ones_like(whole), where=whole > ROUNDING)
    return shares[:, 1], shares[:, [2, 0]]


def pick_typical_sizes(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of sorted sizes the middle one between the ends of a 90 % interval; shape (3,), rising."""
    last = len(sizes) - 1
    return np.asarray(sizes[[min(max(math.ceil(level * (last + 2)) - 1, 0), last) for level in _LEVELS]])
