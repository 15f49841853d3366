"""The share of a row's output that its explanation reproduces, without asking the black box."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..inference.residuals import ROUNDING, ResidualReference
from ..table.reach import Place


class Strangeness(NamedTuple):
    """Where rows lie outside the fitted ones, by feature.

    Attributes
    ----------
    is_lone : ndarray of shape (n_rows, n_players), bool
        Whether a feature's value, or its combination with another's, is one that no fitted row is near.
    distances : ndarray of shape (n_rows,), float64
        How far all values together lie beyond the ranges, in lengths of these; 1 for each unseen level, and for each sum that
        is the same in all fitted rows and another here: indicators that are all 0 stand for an unseen level.
    """

    is_lone: NDArray[np.bool_]
    distances: NDArray[np.float64]


def find_strangeness(place: Place, players: Sequence[int]) -> Strangeness | None:
    """Where rows lie outside, by feature; None if none does."""
    lone = place.is_lone
    if not lone.any():
        return None
    is_lone = np.zeros((len(lone), max(players) + 1), dtype=bool)
    for column, player in enumerate(players):
        is_lone[:, player] |= lone[:, column]
    return Strangeness(is_lone, place.distances.sum(axis=1) + place.is_broken.sum(axis=1))


# Held-out residuals lie between these quantiles of their sizes in nine rows of ten.
_LEVELS = (0.05, 0.5, 0.95)


def compute_output_share(
    reference: ResidualReference,
    effects: NDArray[np.float64],
    values: NDArray[np.float64],
    strangeness: Strangeness | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of each row's output that its values reproduce, and a 90 % interval: shapes (n_rows,), (n_rows, 2).

    Draw a row's values as bars, and what they leave of the black box's output as one more. The share is the length of the
    bars over the length of all: ``b / (b + |f - g|)``, ``b = sum_i |SHAP_i|`` (several outputs: Euclidean norm, in spreads).
    The black box is not asked: ``|f - g|`` has the size of residuals of rows held out of the fit, at the scale of where
    the row lies (locally scaled split conformal prediction), and the interval holds the share in nine new rows of ten.

    Parameters
    ----------
    reference : ResidualReference
    effects : ndarray of shape (n_rows,), float64
        Effect of where each row lies on the log size of its residual: the sum of the reference's first curves there.
    values : ndarray of shape (n_rows, n_players, n_outputs), float64
        Shapley values.
    strangeness : Strangeness, optional
        Where rows lie outside the fitted ones: bars of such features count as left, not as reproduced, and so does an output's
        spread for every length of the range that a value lies beyond it. Nothing is known there about how far the model lies
        from the bars, so the interval begins at 0.
    """
    typical = pick_typical_sizes(reference.sizes)
    sizes = np.maximum(np.exp(reference.level + effects)[:, None] * typical - ROUNDING, 0.0)  # (n_rows, 3), in spreads
    sums = np.abs(values).sum(axis=1)
    known = sums if strangeness is None else np.where(strangeness.is_lone[:, :, None], 0.0, np.abs(values)).sum(axis=1)
    bars, all_bars = (np.sqrt(((each / reference.spread) ** 2).sum(axis=1))[:, None] for each in (known, sums))
    whole = all_bars + sizes + (0.0 if strangeness is None else strangeness.distances[:, None])
    shares = np.divide(bars, whole, out=np.ones_like(whole), where=whole > ROUNDING)
    if strangeness is not None:
        shares[strangeness.is_lone.any(axis=1), 2] = 0.0
    return shares[:, 1], shares[:, [2, 0]]


def pick_typical_sizes(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middle one of sorted sizes between the ends of a 90 % interval; shape (3,), rising."""
    last = len(sizes) - 1
    return np.asarray(sizes[[min(max(math.ceil(level * (last + 2)) - 1, 0), last) for level in _LEVELS]])
