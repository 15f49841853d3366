"""Mean magnitudes of Shapley values over rows, with standard errors of rows and fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..inference.uncertainty import compute_contrast
from ..masked.folds import Fold
from ..model.additive_model import AdditiveModel
from ..model.deviations import Deviations
from ..model.replicates import ModelReplicates
from ..table.encoding import BLOCK_ROWS, Encoded


def average_rows(
    model: AdditiveModel,
    deviations: Deviations | ModelReplicates | None,
    encoded: Encoded,
    weights: NDArray[np.float64],
    groups: Sequence[Fold] = (),
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted mean absolute Shapley values over rows and their standard errors, each (n_players, n_outputs).

    An error counts the rows (how much magnitudes vary among them) and the fit: a jackknife group moves the mean by the mean of
    its deviations, each with the sign of the value. NaN without ``deviations``.

    Parameters
    ----------
    model : AdditiveModel
    deviations : Deviations, ModelReplicates or None
    encoded : Encoded
    weights : ndarray of shape (n_rows,), float64
    groups : sequence of (rows, weights)
        Of these rows, the groups that the deviations leave out: rows and fit vary together, and are counted together. Without
        any, the rows are others than those of the fit, and their variances are added.
    """
    shape = model.n_players, model.n_outputs
    total, squares = np.zeros(shape), np.zeros(shape)
    moved = None if deviations is None else np.zeros((*shape, deviations.n_groups))
    shares = np.zeros((len(weights), len(groups)))
    for group, (rows, own) in enumerate(groups):
        shares[rows, group] = own
    by_group = np.zeros((len(groups), *shape))
    for start in range(0, len(weights), BLOCK_ROWS):
        block = encoded.take(np.arange(start, min(start + BLOCK_ROWS, len(weights))))
        own = weights[start : start + BLOCK_ROWS]
        values = model.credits.apply(block)
        total += np.tensordot(own, np.abs(values), axes=1)
        squares += np.tensordot(own, values**2, axes=1)
        by_group += np.tensordot(shares[start : start + BLOCK_ROWS].T, np.abs(values), axes=1)
        if deviations is not None:
            signed = np.sign(values) * own[:, None, None]
            for part, found in deviations.credits.iterate(block):
                moved += np.einsum("rpo,rpog->pog", signed[part], found)
    weight = weights.sum()
    means = total / weight
    if moved is None:
        return means, np.full(shape, np.nan)
    moved *= getattr(deviations, "unit", 1.0) / weight
    if len(groups):
        left_out = shares.sum(axis=0)
        without = (total - by_group) / (weight - left_out)[:, None, None]
        moved += np.moveaxis(np.tensordot(compute_contrast(left_out / weight), without - means, axes=1), 0, -1)
        return means, np.asarray(np.linalg.norm(moved, axis=2))
    variance = np.maximum(squares / weight - means**2, 0.0) / weight  # a row of weight w is w independent rows
    return means, np.sqrt(variance + (moved**2).sum(axis=2))
