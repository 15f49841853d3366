"""From the parts of an additive game to what each player is owed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .terms import PresenceSet, make_presence_masks


def compute_shapley_shares(presence_sets: Sequence[PresenceSet], n_players: int) -> NDArray[np.float64]:
    """Share of each player in the value of each presence set: ``1[i in R] / |R|``.

    A game ``sum_R 1[R ⊆ S] h_R`` has Shapley values ``SHAP_i = sum_{R ∋ i} h_R / |R|`` (InstaSHAP, Eq. 13).

    Returns
    -------
    ndarray of shape (n_presence_sets, n_players), float64
        Rows sum to one.

    Examples
    --------
    >>> compute_shapley_shares([(0,), (0, 2)], n_players=3)
    array([[1. , 0. , 0. ],
           [0.5, 0. , 0.5]])
    """
    masks = make_presence_masks(presence_sets, n_players).astype(np.float64)
    return np.asarray(masks / masks.sum(axis=1, keepdims=True))
